"""How do answers reach the store without anyone waiting? A bounded queue, one writer thread, counted drops."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from autoretrain.domain.errors import StoreUnavailable
from autoretrain.domain.messages import Prediction
from autoretrain.ml.audit import draw_for_audit
from autoretrain.serving.lineup import ServedModel
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.shadow import ShadowScorer

if TYPE_CHECKING:
    from autoretrain.serving.dataplane import Answer

log = structlog.get_logger(__name__)

QUEUE_MESSAGES: Final = 10_000
BATCH_MESSAGES: Final = 250
WRITE_EVERY_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 0.25  # SQLite's waiting writers look every 0.1 s
FLUSH_SECONDS: Final = 5.0

Entry = tuple[str, "Answer", str, ServedModel | None]


class PredictionSink(Protocol):
    """What the writer needs of the store."""

    def add_predictions(self, predictions: Sequence[Prediction]) -> None: ...


class Recorder:
    """Keeps answers: `record` never waits; what finds the queue full is counted and dropped.

    While the store is away its batch is tried again and the queue fills. A record that the store refuses for what it
    is would be refused for ever: it is dropped and counted.
    """

    def __init__(
        self,
        sink: PredictionSink,
        metrics: ServingMetrics,
        *,
        audit_rate: float,
        audit_seed: int,
        queue_messages: int = QUEUE_MESSAGES,
        shadow: ShadowScorer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink, self._metrics = sink, metrics
        self._audit_rate, self._audit_seed = audit_rate, audit_seed
        self._capacity = queue_messages
        self._shadow = shadow or ShadowScorer(metrics)
        self._clock = clock
        self._queue: deque[Entry] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._written = threading.Condition()
        self._batch: list[Prediction] = []
        self._done = 0
        self._accepted = 0
        self._thread: threading.Thread | None = None
        metrics.queued.set_function(lambda: len(self._queue) + len(self._batch))

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="prediction-writer", daemon=True)
        self._thread.start()

    def record(self, text: str, *, answer: "Answer", role: str, shadow: ServedModel | None) -> None:
        """Queue one answer; only the event loop calls this."""
        if len(self._queue) >= self._capacity:
            self._metrics.dropped("queue_full")
            return
        self._queue.append((text, answer, role, shadow))
        self._accepted += 1

    @property
    def empty(self) -> bool:
        """Whether everything accepted was written or dropped."""
        return self._done >= self._accepted

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until everything queued so far was written or dropped; False when the time is over first."""
        target = self._accepted
        self._wake.set()
        with self._written:
            return self._written.wait_for(lambda: self._done >= target, timeout_seconds)

    def close(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Write what is queued, for `timeout_seconds` at most; the rest is counted as dropped."""
        if self._thread is None:
            return
        self.flush(timeout_seconds)
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        if left := len(self._queue) + len(self._batch):
            self._metrics.dropped("shutdown", left)
            log.warning("predictions dropped at shutdown", messages=left)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(WRITE_EVERY_SECONDS)
            self._wake.clear()
            while self._queue and not self._closing.is_set():
                self._batch = self._take()
                self._keep_trying()

    def _take(self) -> list[Prediction]:
        """The oldest entries as records, with the audit draw made and the shadow version asked."""
        entries = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MESSAGES))]
        shadows = {shadow.digest: shadow for *_, shadow in entries if shadow is not None}
        others: dict[str, tuple[str, float]] = {}
        for shadow in shadows.values():
            mine = [(answer.prediction_id, text) for text, answer, _, asked in entries if asked is shadow]
            scores = self._shadow.scores(shadow, [text for _, text in mine])
            found = zip(mine, scores, strict=True)
            others |= {name: (shadow.version, score) for (name, _), score in found if score is not None}
        return [self._to_prediction(entry, others.get(entry[1].prediction_id)) for entry in entries]

    def _to_prediction(self, entry: Entry, other: tuple[str, float] | None) -> Prediction:
        text, answer, role, _ = entry
        drawn = draw_for_audit(
            answer.prediction_id,
            answer.label,
            confidence=answer.confidence,
            rate=self._audit_rate,
            seed=self._audit_seed,
        )
        return Prediction(
            prediction_id=answer.prediction_id,
            text=text,
            label=answer.label,
            score=answer.score,
            model_version=answer.model.version,
            at=answer.at,
            role=role,
            audit_probability=drawn,
            other_version=other[0] if other else None,
            other_score=other[1] if other else None,
        )

    def _keep_trying(self) -> None:
        """Write the batch; while the store is away it is tried again, until there is no more time."""
        away = False
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._write(self._batch)
            except StoreUnavailable as error:
                if not away:
                    log.warning("predictions wait for the store", reason=str(error))
                away = True
                self._closing.wait(RETRY_SECONDS)
                continue
            with self._written:
                self._done += len(self._batch)
                self._batch = []
                self._written.notify_all()
            # Others write to the store too, and SQLite knows no queue: who waits looks again and again for a moment in
            # which nobody writes. Without a pause as long as the write, a busy server would leave them none. But a
            # disk that stalled for seconds is no reason to stand still for as long again while the queue runs over.
            self._closing.wait(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))
            return

    def _write(self, batch: Sequence[Prediction]) -> None:
        try:
            self._sink.add_predictions(batch)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(batch) > 1:  # one of them is refused for what it is; the others need not go with it
                for prediction in batch:
                    self._write([prediction])
                return
            self._metrics.dropped("rejected")
            log.error("prediction rejected by the store", error=type(error).__name__)
        else:
            self._metrics.stored.inc(len(batch))
            self._metrics.stored_at.set(self._clock())
