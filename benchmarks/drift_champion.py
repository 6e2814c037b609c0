"""Who judges the windows of the drift benchmark? A champion with its detector, and auditors who label a sample."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from benchmark_document import DEFAULT_SEARCH

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import AuditedPrediction, LabelledMessage
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
    _matured: list[AuditedPrediction] = field(default_factory=list)

    def judge(self, rows: Sequence[LabelledMessage]) -> Verdicts:
        texts = [row.text for row in rows]
        alone = self.champion.report(texts, self.scores)
        self._history.append(self.champion.report(texts, self.scores, history=self._history))
        self._with_labels.append(
            self.champion.report(texts, self.scores, history=self._with_labels, audited=self._matured)
        )
        self._matured = self._audit(rows)  # seen with the next window
        return Verdicts(
            alone=alone.score > THRESHOLD,
            with_history=self._history[-1].score > THRESHOLD,
            with_labels=self._with_labels[-1].score > THRESHOLD,
            prior_shift=self._history[-1].prior_shift,
        )

    def _audit(self, rows: Sequence[LabelledMessage]) -> list[AuditedPrediction]:
        drawn = [row for row in rows if self.rng.random() < self.rate]
        return [
            AuditedPrediction(
                text=row.text,
                predicted=self.champion.model.predict(row.text)[0],
                label=row.label,
                probability=self.rate,
                model_version="v1",
                predicted_at=START,
            )
            for row in drawn
        ]
