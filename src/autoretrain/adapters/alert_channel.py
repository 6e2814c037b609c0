"""One address with its queue and its thread: what waits is grouped, held back in quiet hours, and tried until it goes.

A slow or dead address delays no other and nobody who puts something in.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import stamina

from autoretrain.adapters.alert_delivery import TOO_LATE, Attempt, Refusal
from autoretrain.adapters.alert_hours import QuietHours
from autoretrain.adapters.alert_text import severity, text_of, title_of
from autoretrain.domain.plan import Alert

log = logging.getLogger(__name__)

URGENT: Final = frozenset({"Degraded", "RolledBack"})
"""What is told in quiet hours too: a person may have to act."""

KNOWN_SECONDS: Final = 86_400.0
"""For how long a transition that was told is known by its id."""

MOST_KNOWN: Final = 1000
"""By how many marks what was told is known. They outlive the process: who floods a monitor must not fill its store."""

LONGEST_ID: Final = 64

MOST_REFUSALS: Final = 3
"""How often a service may refuse an alert for what it says. More than once, since what stands before it may err."""

LOOK_SECONDS: Final = 1.0
"""How often a channel looks whether its quiet hours are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCounts:
    """Alerts by how they ended, over one address or several.

    `dropped` found a queue full or closed; `repeated` was told, or taken, already.
    """

    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    repeated: int = 0

    def __add__(self, other: "AlertCounts") -> "AlertCounts":
        return AlertCounts(
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
            dropped=self.dropped + other.dropped,
            repeated=self.repeated + other.repeated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a channel works. `capacity` bounds the urgent alerts that wait, and the others."""

    group_seconds: float
    renotify_seconds: float
    first_wait_seconds: float
    longest_wait_seconds: float
    give_up_seconds: float
    capacity: int
    quiet_hours: QuietHours | None
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChannel:
    """What outlives the process: alerts that wait, each with its model, and until when what was taken is known."""

    waiting: tuple[tuple[str, Alert], ...] = ()
    known: dict[str, float] = field(default_factory=dict)


class _NotDelivered(Exception):  # noqa: N818 - carries no address, since libraries log it
    """The service said no, or nothing."""


class _Left(Exception):  # noqa: N818 - named for what happened; it never leaves the channel
    """What has not gone by now is the next process's."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    model_key: str
    alert: Alert
    since: float


class Channel:
    """`changed` is called from the channel's thread when something was told, or given up."""

    def __init__(self, service: Any, pace: Pace, *, changed: Callable[[], None]) -> None:
        self.name, self.service = str(service.service_name), service
        self._pace, self._changed = pace, changed
        self._condition = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._under_way: list[_Waiting] = []
        self._known: dict[str, float] = {}
        self._stopped = self._left = False
        self._last: Attempt | None = None
        self._totals = dict.fromkeys(("delivered", "failed", "dropped", "repeated"), 0)
        self._thread = threading.Thread(target=self._run, name=f"alerts to {self.name}", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> AlertCounts:
        with self._condition:
            return AlertCounts(**self._totals)

    def put(self, model_key: str, alert: Alert) -> None:
        with self._condition:
            if self._stopped or not self._has_room(alert):
                self._totals["dropped"] += 1
            elif self._knows(model_key, alert):
                self._totals["repeated"] += 1
            else:
                self._waiting.append(_Waiting(model_key, alert, time.monotonic()))
                self._condition.notify()

    def kept(self) -> KeptChannel:
        with self._condition:
            waiting = tuple((each.model_key, each.alert) for each in (*self._under_way, *self._waiting))
            return KeptChannel(waiting=waiting, known=dict(self._known))

    def resume(self, kept: KeptChannel) -> None:
        """Go on with what a process before this one has left; what came again meanwhile is told once."""
        now, waits = time.monotonic(), {mark for left in kept.waiting for mark in _marks(*left)}
        with self._condition:
            told = self._still(kept.known).keys() - waits
            left = [_Waiting(*each, now) for each in kept.waiting if self._known.keys().isdisjoint(_marks(*each))]
            came = [each for each in self._waiting if told.isdisjoint(_marks(each.model_key, each.alert))]
            self._waiting = [*left, *came]
            self._known = {**kept.known, **self._known}
            self._condition.notify()

    def stop(self) -> None:
        """Take no more. What only waits to be grouped is told at once; what waits for the end of quiet hours is not."""
        with self._condition:
            self._stopped = True
            self._condition.notify()

    def join(self, timeout: float) -> None:
        """Wait for what may go. No more is tried then: what has not gone is in the outbox, for the next process."""
        self._thread.join(timeout)
        self._left = True

    def _has_room(self, alert: Alert) -> bool:
        """Say whether it may wait. What is urgent has room of its own: a night's worth must not keep it out."""
        urgent = alert.event in URGENT
        alike = [each for each in (*self._under_way, *self._waiting) if (each.alert.event in URGENT) is urgent]
        return len(alike) < self._pace.capacity

    def _knows(self, model_key: str, alert: Alert) -> bool:
        """Say whether this transition, or these words, were taken lately; know them from now on."""
        now = self._pace.now().timestamp()
        self._known = self._still(self._known)
        words, *ids = marks = _marks(model_key, alert)
        known = any(mark in self._known for mark in marks)
        if not known:
            self._known |= {words: now + self._pace.renotify_seconds, **dict.fromkeys(ids, now + KNOWN_SECONDS)}
            self._known = dict(list(self._known.items())[-MOST_KNOWN:])
        return known

    def _still(self, known: Mapping[str, float]) -> dict[str, float]:
        """Return what of `known` holds by now; what holds for days was marked by a clock that was far ahead."""
        now = self._pace.now().timestamp()
        return {mark: until for mark, until in known.items() if now < until < now + 2 * KNOWN_SECONDS}

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                in_order = sorted(batch, key=lambda each: each.model_key)
                for model_key, group in groupby(in_order, key=lambda each: each.model_key):
                    self._tell(model_key, list(group))
        except _Left:
            return

    def _next_batch(self) -> list[_Waiting]:
        """Wait until something is due and take all that is not held back; nothing, once it was stopped."""
        with self._condition:
            while True:
                quiet = self._pace.quiet_hours is not None and self._pace.quiet_hours.cover(self._pace.now())
                ready = [each for each in self._waiting if not quiet or each.alert.event in URGENT]
                due_in = min((each.since for each in ready), default=0.0) + self._pace.group_seconds - time.monotonic()
                if ready and (self._stopped or due_in <= 0):
                    self._waiting = [each for each in self._waiting if each not in ready]
                    self._under_way = ready
                    return ready
                if self._stopped:
                    return []
                held = LOOK_SECONDS if self._waiting else None
                self._condition.wait(due_in if ready else held)

    def _tell(self, model_key: str, group: list[_Waiting]) -> None:
        alerts = [each.alert for each in group]
        refusal = self._deliver(model_key, alerts)
        if refusal is not None and refusal.of_content and len(group) > 1:
            # One of them may be what is refused, or all together be too much.
            half = len(group) // 2
            self._tell(model_key, group[:half])
            self._tell(model_key, group[half:])
            return
        with self._condition:
            self._totals["delivered" if refusal is None else "failed"] += len(alerts)
            self._under_way = [each for each in self._under_way if each not in group]
            if refusal is not None:
                for alert in alerts:
                    for mark in _marks(model_key, alert):
                        self._known.pop(mark, None)
        self._changed()
        if refusal is not None:
            events = ", ".join(alert.event for alert in alerts)
            log.warning("alert %s of %s could not be delivered to %s: %s", events, model_key, self.name, refusal.reason)

    def _deliver(self, model_key: str, alerts: list[Alert]) -> Refusal | None:
        """Try until it goes, or has not for too long. Return why it did not; None where it did.

        What is refused for what it says is not tried for long: later alerts would wait for what can't go.
        """
        try:
            title, text, kind = title_of(model_key, alerts), text_of(model_key, alerts), severity(alerts)
        except Exception as error:  # whatever it holds: a thread that ends takes all that comes later with it
            return Refusal(reason=f"it can't be put into words ({type(error).__name__})")
        refusal: Refusal | None = None
        refusals, taken = 0, set[Any]()
        try:
            for attempt in stamina.retry_context(
                on=_NotDelivered,
                attempts=None,
                timeout=self._pace.give_up_seconds,
                wait_initial=self._pace.first_wait_seconds,
                wait_jitter=self._pace.first_wait_seconds,
                wait_max=self._pace.longest_wait_seconds,
            ):
                with attempt:
                    refusal = self._attempt(title=title, text=text, severity=kind, taken=taken)
                    refusals += refusal is not None and refusal.of_content
                    if refusals >= (MOST_REFUSALS if len(alerts) == 1 else 1):
                        break
                    if refusal is not None:
                        raise _NotDelivered(self.name)
        except _NotDelivered:
            pass
        return refusal

    def _attempt(self, **message: Any) -> Refusal | None:
        """Try once, unless an attempt that was too late still goes on: else they would become more and more."""
        if self._left:
            raise _Left
        if self._last is not None and self._last.goes_on:
            return TOO_LATE
        self._last = Attempt(self.service, **message)
        return self._last.outcome()


def _marks(model_key: str, alert: Alert) -> list[str]:
    """Return by what an alert is known: its words, for what comes and goes, and its id where it has one."""
    words = hashlib.sha256(f"{model_key}/{alert.event}/{alert.message}".encode(errors="replace")).hexdigest()[:16]
    return [words, *([alert.id[:LONGEST_ID]] if alert.id else [])]
