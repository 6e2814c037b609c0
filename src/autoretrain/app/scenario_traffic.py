"""A client that never stops predicting, and people whose labels arrive late: the outside world of a scenario."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import httpx

from autoretrain.domain.messages import LabelledMessage

TIMEOUT_SECONDS = 10.0
MAX_WAITING_LABELS = 20_000
LABEL_BATCH = 100


@dataclass(slots=True)
class ScenarioTraffic:
    """Sends messages at a steady rate from a thread of its own and counts what failed.

    `delay_seconds` passes between a prediction and its label; `reported_every` is how many messages it takes for one to
    be reported by a keyed source. Messages drawn for the audit sample are all labelled.
    """

    address: str
    api_key: str
    messages_per_second: float
    delay_seconds: float
    reported_every: int
    sent: int = 0
    failed: int = 0
    right: int = 0
    reports: int = 0
    audits: int = 0
    failures: list[str] = field(default_factory=list)
    _truth: dict[str, str] = field(default_factory=dict)
    _drawn: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=MAX_WAITING_LABELS))
    _waiting: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=MAX_WAITING_LABELS))
    _source: Iterator[LabelledMessage] = field(default_factory=lambda: iter(()))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def play(self, messages: Sequence[LabelledMessage]) -> None:
        """Go on with these messages, again from the start when they are used up."""
        with self._lock:
            self._source = cycle(messages)
            self._truth.update((message.text, message.label.value) for message in messages)

    def start(self) -> None:
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._predict, self._label)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=TIMEOUT_SECONDS + 5)

    def _predict(self) -> None:
        with httpx.Client(base_url=self.address, timeout=TIMEOUT_SECONDS) as client:
            due = time.monotonic()
            while not self._stop.is_set():
                with self._lock:
                    message = next(self._source, None)
                if message is not None:
                    self._send(client, message)
                due = max(due + 1 / self.messages_per_second, time.monotonic() - 1.0)
                self._stop.wait(max(0.0, due - time.monotonic()))

    def _send(self, client: httpx.Client, message: LabelledMessage) -> None:
        self.sent += 1
        try:
            answer = client.post("/predict", json={"message": message.text})
        except httpx.HTTPError as error:
            self._fail(type(error).__name__)
            return
        if answer.status_code != httpx.codes.OK:
            self._fail(f"status {answer.status_code}")
            return
        body = answer.json()
        self.right += body["prediction"] == message.label.value
        if self.sent % self.reported_every == 0:
            self._waiting.append((time.monotonic() + self.delay_seconds, body["prediction_id"], message.label.value))

    def _fail(self, what: str) -> None:
        self.failed += 1
        if len(self.failures) < 20:
            self.failures.append(what)

    def _label(self) -> None:
        """Report what is due and answer the audit queue, once a second."""
        headers = {"X-API-Key": self.api_key}
        with httpx.Client(base_url=self.address, timeout=TIMEOUT_SECONDS, headers=headers) as client:
            while not self._stop.wait(1.0):
                try:
                    self.reports += self._report(client)
                    self.audits += self._audit(client)
                except httpx.HTTPError:
                    continue  # the labels stay where they are; the next second tries again

    def _report(self, client: httpx.Client) -> int:
        due = taken(self._waiting, now=time.monotonic())
        if due:
            client.post("/feedback/batch", json={"feedback": due}).raise_for_status()
        return len(due)

    def _audit(self, client: httpx.Client) -> int:
        queue = client.get("/labels/next", params={"limit": LABEL_BATCH})
        queue.raise_for_status()
        due_at = time.monotonic() + self.delay_seconds
        for row in queue.json()["messages"]:
            if row["message"] in self._truth:
                self._drawn.append((due_at, row["prediction_id"], self._truth[row["message"]]))
        labels = taken(self._drawn, now=time.monotonic())
        if labels:
            client.post("/labels", json={"labels": labels}).raise_for_status()
        return len(labels)


def taken(waiting: deque[tuple[float, str, str]], *, now: float) -> list[dict[str, str]]:
    """Take the labels that are due out of the queue, at most a batch of them."""
    due: list[dict[str, str]] = []
    while waiting and waiting[0][0] <= now and len(due) < LABEL_BATCH:
        _, prediction_id, label = waiting.popleft()
        due.append({"prediction_id": prediction_id, "label": label})
    return due
