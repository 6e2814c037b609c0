"""Who judges the windows of the drift benchmark? A champion with its detector, and auditors who label a sample."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from benchmark_document import DEFAULT_SEARCH

from autoretrain.app.monitoring import LABELLED_WINDOWS
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import AuditedPrediction, LabelledMessage
from autoretrain.ml.audit import draw_for_audit
from autoretrain.ml.drift.calibration import THRESHOLD
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import search

WINDOW = 250
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Champion:
    """A trained model with its detector. Scores are kept by text, since resampling asks for the same ones again."""

    model: LinearModel
    detector: DriftDetector
    build_seconds: float
    reference: bytes

    @classmethod
    def of(cls, rows: Sequence[LabelledMessage], *, seed: int) -> "Champion":
        model = search(rows, replace(DEFAULT_SEARCH, seed=seed)).model
        started = time.perf_counter()
        reference = build_references(model, [row for row in rows if in_holdout(row.text)], seed=seed)
        return cls(model, DriftDetector.load(reference, model), time.perf_counter() - started, reference)

    def report(
        self,
        texts: Sequence[str],
        scores: dict[str, float],
        *,
        history: Sequence[DriftReport] = (),
        audited: Sequence[AuditedPrediction] = (),
    ) -> DriftReport:
        for text in texts:
            if text not in scores:
                scores[text] = self.model.score(text)
        at = START + timedelta(hours=len(history))
        return self.detector.evaluate(
            texts,
            window_id=str(len(history)),
            model_version="v1",
            started_at=at,
            ended_at=at,
            scores=[scores[text] for text in texts],
            history=history,
            audited=audited,
        )


@dataclass
class Auditors:
    """Who label what the product draws of each window, one window late. The labels of two windows count, as there."""

    champion: Champion
    rate: float
    rng: np.random.Generator
    _windows: deque[list[AuditedPrediction]] = field(default_factory=lambda: deque(maxlen=LABELLED_WINDOWS))

    @property
    def matured(self) -> list[AuditedPrediction]:
        return [row for window in self._windows for row in window]

    def label(self, rows: Sequence[LabelledMessage], scores: dict[str, float]) -> None:
        """`scores` are the champion's for the texts of `rows`; the labels are there for the next window."""
        seed = int(self.rng.integers(2**32))
        window = []
        for number, row in enumerate(rows):
            label, confidence = self.champion.model.label_of(scores[row.text])
            probability = draw_for_audit(str(number), label, confidence=confidence, rate=self.rate, seed=seed)
            if probability is not None:
                window.append(
                    AuditedPrediction(
                        text=row.text,
                        predicted=label,
                        label=row.label,
                        probability=probability,
                        model_version="v1",
                        predicted_at=START,
                    )
                )
        self._windows.append(window)


@dataclass(frozen=True)
class Verdicts:
    """Is the score of one window above the threshold, in the three ways of looking? And is the spam share named?"""

    alone: bool
    with_history: bool
    with_labels: bool
    prior_shift: bool


@dataclass
class Watch:
    """Windows that follow one another, of which auditors label the share `rate`, one window late."""

    champion: Champion
    scores: dict[str, float]
    rate: float
    rng: np.random.Generator
    _history: list[DriftReport] = field(default_factory=list)
    _with_labels: list[DriftReport] = field(default_factory=list)
    _auditors: Auditors = field(init=False)

    def __post_init__(self) -> None:
        self._auditors = Auditors(self.champion, self.rate, self.rng)

    def judge(self, rows: Sequence[LabelledMessage]) -> Verdicts:
        texts = [row.text for row in rows]
        alone = self.champion.report(texts, self.scores)
        self._history.append(self.champion.report(texts, self.scores, history=self._history))
        self._with_labels.append(
            self.champion.report(texts, self.scores, history=self._with_labels, audited=self._auditors.matured)
        )
        self._auditors.label(rows, self.scores)
        return Verdicts(
            alone=alone.score > THRESHOLD,
            with_history=self._history[-1].score > THRESHOLD,
            with_labels=self._with_labels[-1].score > THRESHOLD,
            prior_shift=self._history[-1].prior_shift,
        )
