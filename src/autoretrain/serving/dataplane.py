"""How does a message become an answer? Knows the models in place and the recorder, and no transport."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.recorder import Recorder

TOP_FEATURES: Final = 5
NO_CHAMPION: Final = "no model is served yet; train one with `make run` or `python src/train.py`"


class NotReady(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """No champion is in place; the message says why, and what to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered message. `score` is the probability of spam, `confidence` that of `label`; `at` is UTC."""

    prediction_id: str
    label: Label
    score: float
    confidence: float
    model: ServedModel
    at: datetime
    top_features: list[tuple[str, float]]


class DataPlane:
    """Answers with the line-up that is in place when a request begins."""

    def __init__(self, recorder: Recorder, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._recorder = recorder
        self._now = now
        self._lineup: Lineup | None = None
        self.not_ready_reason = NO_CHAMPION

    @property
    def lineup(self) -> Lineup:
        """The line-up in place; raises NotReady without one."""
        lineup = self._lineup
        if lineup is None:
            raise NotReady(self.not_ready_reason)
        return lineup

    @property
    def ready(self) -> bool:
        return self._lineup is not None

    def replace(self, lineup: Lineup | None) -> None:
        """Let `lineup` answer from the next request on: one reference changes, requests in flight keep the old one."""
        self._lineup = lineup

    def predict(self, text: str, *, sender: str | None = None) -> Answer:
        """Answer one message and hand it to the recorder."""
        lineup = self.lineup
        model, role = lineup.answering(text, sender=sender)
        return self.predict_by(model, text, role=role, lineup=lineup)

    def predict_by(self, model: ServedModel, text: str, *, role: str, lineup: Lineup, record: bool = True) -> Answer:
        """Answer by `model` of `lineup`; without `record` the message leaves no trace in store or counters."""
        began = perf_counter()
        try:
            score = model.model.score(text)
            label, confidence = model.model.label_of(score)
            top = model.model.top_features(text, TOP_FEATURES) if label is Label.SPAM else []
        except Exception:
            model.metrics.errors()
            raise
        answer = Answer(
            prediction_id=os.urandom(16).hex(),
            label=label,
            score=score,
            confidence=confidence,
            model=model,
            at=self._now(),
            top_features=top,
        )
        if record:
            self._recorder.record(text, answer=answer, role=role, shadow=lineup.shadow)
            model.metrics.predictions[label]()
            model.metrics.duration(perf_counter() - began)
        return answer
