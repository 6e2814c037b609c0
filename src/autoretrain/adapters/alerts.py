"""How a transition reaches people: over Apprise, from a thread of its own for each address, so that no pass ever waits.

Addresses hold credentials: no log, error or repr of this module shows one. Which transitions alert is decided
elsewhere; here one that comes again, as after a crash between two writes, is only kept from being told twice.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apprise
import stamina

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls, open_service
from autoretrain.domain.plan import Alert

log = logging.getLogger(__name__)

# An alert is delivered within 60 s or counted as failed: three attempts, short socket timeouts, short waits between.
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 10.0
GIVE_UP_SECONDS = 50.0
CAPACITY = 100
RENOTIFY_SECONDS = 300.0
CLOSE_SECONDS = 5.0

_SEVERITY = {
    "Degraded": apprise.NotifyType.FAILURE,
    "RolledBack": apprise.NotifyType.WARNING,
    "PerformanceLow": apprise.NotifyType.WARNING,
    "DriftDetected": apprise.NotifyType.WARNING,
    "NoNewData": apprise.NotifyType.WARNING,
    "Promoted": apprise.NotifyType.SUCCESS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCounts:
    """Alerts by how they ended, over one address or several.

    `dropped` found a queue full or closed; `repeated` was told lately.
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


class AlertSender:
    """Sends alerts to every address. `send` returns at once; `close` waits for what is under way, with a limit."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        renotify_seconds: float = RENOTIFY_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`capacity` bounds the alerts that wait for one address. Raises AutoRetrainError for what is no address."""
        _keep_credentials_out_of_logs()
        services = [open_service(url, place=f"alert address {number}") for number, url in enumerate(urls, start=1)]
        self._channels = [
            _Channel(
                service,
                first_wait_seconds=first_wait_seconds,
                capacity=capacity,
                memory=_Memory(renotify_seconds, clock),
            )
            for service in services
        ]

    @classmethod
    def from_environment(cls) -> "AlertSender":
        """Return a sender to the addresses of AlertSettings; without any, one that sends nowhere.

        Raises AutoRetrainError where the file can't be read or a line of it is no address.
        """
        return cls(alert_urls(AlertSettings()))

    def __repr__(self) -> str:
        return f"AlertSender({', '.join(channel.name for channel in self._channels) or 'no address'})"

    @property
    def counts(self) -> AlertCounts:
        """How many alerts were delivered, failed, dropped and kept back so far."""
        return sum((channel.counts for channel in self._channels), AlertCounts())

    @property
    def counts_by_channel(self) -> dict[str, AlertCounts]:
        """The same by kind of channel, as Slack or E-Mail: addresses of one kind count together."""
        counts: dict[str, AlertCounts] = {}
        for channel in self._channels:
            counts[channel.name] = counts.get(channel.name, AlertCounts()) + channel.counts
        return counts

    def send(self, model_key: str, alert: Alert) -> None:
        """Hand `alert` over for delivery. Never blocks and never raises."""
        for channel in self._channels:
            channel.put(model_key, alert)

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Take no more alerts and wait at most `timeout` seconds until those that wait are delivered."""
        deadline = time.monotonic() + timeout
        for channel in self._channels:
            channel.stop()
        for channel in self._channels:
            channel.join(max(0.0, deadline - time.monotonic()))


class _NotDelivered(Exception):  # noqa: N818 - carries no address, since libraries log it
    """The service said no, or nothing."""


class _Memory:
    """What was told lately. The same transition of a model is told again only after `seconds`."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._told: dict[tuple[str, Alert], float] = {}

    def tells_again(self, key: tuple[str, Alert]) -> bool:
        """Say whether `key` was told lately; remember it if not."""
        now = self._clock()
        self._told = {known: at for known, at in self._told.items() if now - at < self._seconds}
        if key in self._told:
            return True
        self._told[key] = now
        return False

    def forget(self, key: tuple[str, Alert]) -> None:
        self._told.pop(key, None)


class _Channel:
    """One address with its queue and its thread; a slow one delays no other."""

    def __init__(self, service: Any, *, first_wait_seconds: float, capacity: int, memory: _Memory) -> None:
        self.name = str(service.service_name)
        self._service, self._first_wait_seconds, self._capacity = service, first_wait_seconds, capacity
        self._memory = memory
        self._waiting: queue.SimpleQueue[tuple[str, Alert] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopped = False
        self._totals = dict.fromkeys(("delivered", "failed", "dropped", "repeated"), 0)
        self._thread = threading.Thread(target=self._run, name=f"alerts to {self.name}", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> AlertCounts:
        with self._lock:
            return AlertCounts(**self._totals)

    def put(self, model_key: str, alert: Alert) -> None:
        key = (model_key, alert)
        with self._lock:
            if self._stopped or self._waiting.qsize() >= self._capacity:
                self._totals["dropped"] += 1
            elif self._memory.tells_again(key):
                self._totals["repeated"] += 1
            else:
                self._waiting.put(key)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
        self._waiting.put(None)

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while (key := self._waiting.get()) is not None:
            delivered = self._deliver(key[1])
            with self._lock:
                self._totals["delivered" if delivered else "failed"] += 1
                if not delivered:
                    self._memory.forget(key)
            if not delivered:
                log.warning("alert %s of %s could not be delivered to %s", key[1].event, key[0], self.name)

    def _deliver(self, alert: Alert) -> bool:
        kind = _SEVERITY.get(alert.event, apprise.NotifyType.INFO)
        try:
            for attempt in stamina.retry_context(
                on=_NotDelivered,
                attempts=ATTEMPTS,
                timeout=GIVE_UP_SECONDS,
                wait_initial=self._first_wait_seconds,
                wait_jitter=self._first_wait_seconds,
                wait_max=LONGEST_WAIT_SECONDS,
            ):
                with attempt:
                    # Said to be text: else a letter is HTML, and what others wrote becomes part of it.
                    told = self._service.notify(
                        title=alert.title, body=alert.message, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
                    )
                    if not told:
                        raise _NotDelivered(self.name)
        except Exception:  # a library's error must not end the thread, and its text may hold the address
            return False
        return True


def _keep_credentials_out_of_logs() -> None:
    """Apprise logs addresses at debug level and the HTTP library logs paths, which hold a webhook's token."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
