"""Who uses the model: clients that never stop predicting through the Ingress, and people who label late."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Self

import httpx

from autoretrain.domain.messages import LabelledMessage
from tests.e2e.kubectl import Kubectl

TIMEOUT_SECONDS = 10.0
BATCH = 100


@dataclass(slots=True)
class IngressClient:
    """Sends messages with `threads` connections that are kept alive, and counts every answer that is not a 200."""

    address: str
    host: str
    per_second: float = 40.0
    threads: int = 2
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    truth: dict[str, str] = field(default_factory=dict)
    answered: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=50_000))
    _messages: list[LabelledMessage] = field(default_factory=list)
    _round: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def play(self, messages: Sequence[LabelledMessage]) -> None:
        """Go on with these messages, again from the start when they are used up."""
        with self._lock:
            self._messages = list(messages)
            self._round += 1
            self.truth.update((message.text, message.label.value) for message in messages)

    def __enter__(self) -> Self:
        self._running = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(timeout=TIMEOUT_SECONDS + 5)

    def predict(self, text: str) -> httpx.Response:
        return httpx.post(
            f"{self.address}/predict", json={"message": text}, headers={"Host": self.host}, timeout=TIMEOUT_SECONDS
        )

    def _send(self, number: int) -> None:
        with httpx.Client(base_url=self.address, headers={"Host": self.host}, timeout=TIMEOUT_SECONDS) as http:
            seen, due = 0, time.monotonic()
            source = iter(())
            while not self._stop.is_set():
                with self._lock:
                    if seen != self._round:
                        seen, source = self._round, cycle(self._messages[number :: self.threads])
                message = next(source, None)
                if message is not None:
                    self._one(http, message)
                due = max(due + self.threads / self.per_second, time.monotonic() - 1.0)
                self._stop.wait(max(0.0, due - time.monotonic()))

    def _one(self, http: httpx.Client, message: LabelledMessage) -> None:
        failure, body = "", {}
        try:
            answer = http.post("/predict", json={"message": message.text})
            body = answer.json() if answer.status_code == httpx.codes.OK else {}
            failure = "" if body else f"status {answer.status_code}"
        except httpx.HTTPError as error:
            failure = type(error).__name__
        with self._lock:
            self.sent += 1
            if failure:
                self.failures.append(f"request {self.sent}: {failure}")
            else:
                self.versions.add(body["model_version"])
                self.answered.append((time.monotonic(), body["prediction_id"], message.label.value))


@dataclass(slots=True)
class Labellers:
    """Give labels `delay_seconds` after the predictions: all of the audit sample, and one report in `reported_every`.

    They speak to the Service by a port-forward, which ends with its Pod and is made anew: labels wait meanwhile.
    """

    kube: Kubectl
    namespace: str
    service: str
    client: IngressClient
    api_key: str
    delay_seconds: float = 5.0
    reported_every: int = 1
    seen: int = 0
    labelled: int = 0
    _drawn: dict[str, tuple[float, str]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=TIMEOUT_SECONDS * 3)

    def _work(self) -> None:
        while not self._stop.wait(1.0):
            with suppress(AssertionError, httpx.HTTPError), self._forwarded() as http:
                while not self._stop.wait(1.0):
                    self._audit(http)
                    self._report(http)

    @contextmanager
    def _forwarded(self) -> Iterator[httpx.Client]:
        headers = {"X-API-Key": self.api_key}
        with (
            self.kube.forwarded(f"service/{self.service}", 80, namespace=self.namespace) as address,
            httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS) as http,
        ):
            yield http

    def _audit(self, http: httpx.Client) -> None:
        queue = http.get("/labels/next", params={"limit": BATCH}).raise_for_status().json()["messages"]
        due_at = time.monotonic() + self.delay_seconds
        for row in queue:
            if row["message"] in self.client.truth:
                self._drawn[row["prediction_id"]] = (due_at, self.client.truth[row["message"]])
        now = time.monotonic()
        due = [(number, label) for number, (at, label) in self._drawn.items() if at <= now][:BATCH]
        if due:
            labels = [{"prediction_id": number, "label": label} for number, label in due]
            http.post("/labels", json={"labels": labels}).raise_for_status()
            for number, _ in due:
                del self._drawn[number]
            self.labelled += len(due)

    def _report(self, http: httpx.Client) -> None:
        answered, due = self.client.answered, []
        while answered and answered[0][0] + self.delay_seconds <= time.monotonic() and len(due) < BATCH:
            _, number, label = answered.popleft()
            self.seen += 1
            if self.seen % self.reported_every == 0:
                due.append({"prediction_id": number, "label": label})
        if due:
            http.post("/feedback/batch", json={"feedback": due}).raise_for_status()
            self.labelled += len(due)
