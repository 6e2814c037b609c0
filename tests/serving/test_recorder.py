"""The queue between answers and the store: it never makes anyone wait, and every loss is counted."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace

import pytest

from autoretrain.domain.deployment import Deployment
from autoretrain.domain.errors import StoreUnavailable
from autoretrain.domain.messages import Label, Prediction
from autoretrain.serving.dataplane import Answer
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.recorder import Recorder
from tests.serving.models import MODEL, make_artefact

METRICS = ServingMetrics(MODEL)
ARTEFACT = make_artefact()
CHAMPION = (
    ModelLoader([lambda *_: ARTEFACT], METRICS)
    .build(Deployment(version="1", digest=ARTEFACT.digest), loaded=())[0]
    .champion
)


class Sink:
    """Keeps predictions while `open`; refuses those whose text is poison."""

    def __init__(self) -> None:
        self.kept: list[Prediction] = []
        self.open = threading.Event()
        self.tried = threading.Event()
        self.open.set()

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        self.tried.set()
        if not self.open.is_set():
            raise StoreUnavailable("locked")
        if any(one.text == "poison" for one in predictions):
            raise ValueError("refused")
        self.kept += predictions


class Recording:
    def __init__(self, *, queue_messages: int = 100) -> None:
        self.sink, self.metrics = Sink(), ServingMetrics(MODEL)
        self.recorder = Recorder(self.sink, self.metrics, audit_rate=0.0, audit_seed=0, queue_messages=queue_messages)

    def record(self, *texts: str) -> None:
        for text in texts:
            answer = Answer(
                prediction_id=f"id-{text}",
                label=Label.HAM,
                score=0.1,
                confidence=0.9,
                model=CHAMPION,
                at=datetime(2026, 1, 1, tzinfo=UTC),
                top_features=[],
            )
            self.recorder.record(text, answer=answer, role="champion", shadow=None)

    def dropped(self, reason: str) -> float | None:
        sample = {"spammodel": MODEL, "reason": reason}
        return self.metrics.registry.get_sample_value("autoretrain_predictions_dropped_total", sample)

    def texts(self) -> list[str]:
        return [one.text for one in self.sink.kept]


def test_a_full_queue_drops_the_newest_and_counts_it():
    recording = Recording(queue_messages=3)
    recording.record(*"abcde")
    recording.recorder.start()
    assert recording.recorder.flush(5)
    recording.recorder.close(5)
    assert (recording.texts(), recording.dropped("queue_full")) == (["a", "b", "c"], 2)


def test_answers_wait_for_a_store_that_is_away_and_are_written_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autoretrain.serving.recorder.RETRY_SECONDS", 0.01)
    recording = Recording()
    recording.sink.open.clear()
    recording.recorder.start()
    recording.record("a", "b")
    assert recording.sink.tried.wait(5)
    assert not recording.recorder.empty
    recording.record("c")
    recording.sink.open.set()
    assert recording.recorder.flush(5)
    recording.recorder.close(5)
    assert (recording.texts(), recording.recorder.empty) == (["a", "b", "c"], True)


def test_one_record_that_the_store_refuses_does_not_take_the_others_with_it():
    recording = Recording()
    recording.record("a", "poison", "b")
    recording.recorder.start()
    assert recording.recorder.flush(5)
    recording.recorder.close(5)
    assert (recording.texts(), recording.dropped("rejected")) == (["a", "b"], 1)


def test_between_the_batches_of_a_long_queue_the_store_is_free_for_as_long_as_it_was_held():
    """SQLite waits its turn by looking again and again: who holds the file back to back is never found away."""
    held: list[tuple[float, float]] = []

    class SlowSink:
        def add_predictions(self, _predictions: Sequence[Prediction]) -> None:
            started = time.monotonic()
            time.sleep(0.01)
            held.append((started, time.monotonic()))

    recording = Recording(queue_messages=2000)
    recording.recorder = Recorder(SlowSink(), recording.metrics, audit_rate=0.0, audit_seed=0, queue_messages=2000)
    recording.record(*map(str, range(1000)))
    recording.recorder.start()
    assert recording.recorder.flush(10)
    recording.recorder.close(10)
    assert len(held) == 4
    assert all(after[0] - before[1] >= before[1] - before[0] for before, after in pairwise(held))


def test_after_a_disk_that_stalled_the_writer_goes_on_at_once(monkeypatch: pytest.MonkeyPatch):
    """Standing still for as long as the stall again would let the queue run over twice."""
    now = [0.0]
    monkeypatch.setattr(
        "autoretrain.serving.recorder.time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: 0.0)
    )

    class StalledSink:
        def add_predictions(self, _predictions: Sequence[Prediction]) -> None:
            now[0] += 60

    recording = Recording(queue_messages=2000)
    recording.recorder = Recorder(
        StalledSink(), recording.metrics, audit_rate=0.0, audit_seed=0, queue_messages=2000, clock=lambda: 0.0
    )
    recording.record(*map(str, range(500)))
    recording.recorder.start()
    assert recording.recorder.flush(10)
    recording.recorder.close(10)


def test_what_cant_be_written_before_the_end_is_counted():
    recording = Recording()
    recording.sink.open.clear()
    recording.record("a", "b")
    recording.recorder.start()
    recording.recorder.close(0.1)
    assert (recording.texts(), recording.dropped("shutdown")) == ([], 2)


def test_a_large_queue_is_written_whole_at_the_end():
    recording = Recording(queue_messages=2000)
    recording.record(*map(str, range(1999)))
    recording.recorder.start()
    recording.recorder.close(10)
    assert recording.texts() == [str(number) for number in range(1999)]
