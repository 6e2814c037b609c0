"""What would the second version have said? Scored off the hot path, with a deadline; no answer depends on it."""

import threading
import time
from collections.abc import Sequence
from queue import Full, Queue
from typing import Final

import structlog

from autoretrain.serving.lineup import ServedModel
from autoretrain.serving.metrics import ServingMetrics

log = structlog.get_logger(__name__)

DEADLINE_SECONDS: Final = 1.0


class _Task:
    """One batch: `scores` grows as messages are scored, None for each that failed; read up to where it has come."""

    def __init__(self, model: ServedModel, texts: Sequence[str]) -> None:
        self.model, self.texts = model, texts
        self.scores: list[float | None] = []
        self.ended = threading.Event()
        self.abandoned = False

    def run(self) -> None:
        score = self.model.model.score
        for text in self.texts:
            if self.abandoned:
                break
            try:
                self.scores.append(score(text))
            except Exception as error:
                if None not in self.scores:
                    log.warning("shadow version fails", version=self.model.name, error=type(error).__name__)
                self.scores.append(None)
            # Hands the interpreter to the thread that answers requests, which would else wait for a switch interval.
            time.sleep(0)
        self.ended.set()


class ShadowScorer:
    """One thread, started when first needed. While it is stuck in a message, later batches go without scores."""

    def __init__(self, metrics: ServingMetrics, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._metrics, self._deadline = metrics, deadline_seconds
        self._tasks: Queue[_Task] = Queue(maxsize=1)
        self._thread: threading.Thread | None = None

    def scores(self, model: ServedModel, texts: Sequence[str]) -> list[float | None]:
        """One score a text, None where the version failed or did not come to it before the deadline."""
        task = _Task(model, texts)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shadow-scorer", daemon=True)
            self._thread.start()
        try:
            self._tasks.put_nowait(task)
        except Full:
            task.abandoned = True
        else:
            task.ended.wait(self._deadline)
            task.abandoned = not task.ended.is_set()
        scores = list(task.scores)
        self._count(model, scores, late=len(texts) - len(scores))
        return scores + [None] * (len(texts) - len(scores))

    def _run(self) -> None:
        while True:
            self._tasks.get().run()

    def _count(self, model: ServedModel, scores: Sequence[float | None], *, late: int) -> None:
        failed = sum(score is None for score in scores)
        for outcome, count in (("scored", len(scores) - failed), ("failed", failed), ("late", late)):
            if count:
                self._metrics.shadow_scored(model.name, outcome, count=count)
