"""How a transition reaches people: over Apprise, from a thread of its own for each address, so that no pass ever waits.

Addresses hold credentials: no log, error or repr of this module shows one. Which transitions alert is decided
elsewhere; here one that comes again, as after a crash, is only kept from being told twice. What waits and what was told
is kept in an outbox, where there is one, and outlives the process.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from pydantic import ValidationError

from autoretrain.adapters import records
from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls, open_service, quiet_hours_of
from autoretrain.adapters.alert_channel import AlertCounts, Channel, KeptChannel, Pace
from autoretrain.adapters.alert_delivery import Trial, try_each
from autoretrain.adapters.alert_hours import QuietHours
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Alert

__all__ = ["AlertCounts", "AlertSender", "Outbox", "Trial"]

log = logging.getLogger(__name__)

GROUP_SECONDS: Final = 2.0
"""How long an alert waits for others of its pass, or of the pass that follows at once."""

RENOTIFY_SECONDS: Final = 300.0
FIRST_WAIT_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 3600.0
CAPACITY: Final = 100
CLOSE_SECONDS: Final = 5.0


class Outbox(Protocol):
    """Where what waits is kept: one text. The store of a model is one."""

    def outbox(self) -> str:
        """Return what was kept last, empty at first. Raises AutoRetrainError where it can't be read."""

    def keep_outbox(self, text: str) -> None:
        """Keep `text` in place of what was kept. Raises AutoRetrainError where it can't be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    channels: dict[str, KeptChannel] = field(default_factory=dict)


class AlertSender:
    """Sends alerts to every address. `send` does not wait for one; `close` waits for what is under way, with a limit.

    Whatever an address does, alerts to the others go on. One that fails is tried again, ever more slowly, for an hour.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        quiet_hours: QuietHours | None = None,
        group_seconds: float = GROUP_SECONDS,
        renotify_seconds: float = RENOTIFY_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        give_up_seconds: float = GIVE_UP_SECONDS,
        capacity: int = CAPACITY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`capacity` bounds what waits for one address, as Pace says. Raises AutoRetrainError where one is none."""
        services = [open_service(url, place=f"alert address {number}") for number, url in enumerate(urls, start=1)]
        pace = Pace(
            group_seconds=group_seconds,
            renotify_seconds=renotify_seconds,
            first_wait_seconds=first_wait_seconds,
            longest_wait_seconds=LONGEST_WAIT_SECONDS,
            give_up_seconds=give_up_seconds,
            capacity=capacity,
            quiet_hours=quiet_hours,
            now=now,
        )
        self._outbox: Outbox | None = None
        self._keeping = threading.Lock()
        self._resumed, self._kept_last = False, True
        # What is kept names an address by a few digits of its digest: enough to know it again, too few to guess it.
        names = [hashlib.sha256(url.encode()).hexdigest()[:8] for url in urls]
        distinct = dict(zip(names, services, strict=True))
        self._channels = {name: Channel(each, pace, changed=self._keep) for name, each in distinct.items()}

    @classmethod
    def from_environment(cls) -> "AlertSender":
        """Return a sender to the addresses of AlertSettings; without any, one that sends nowhere.

        Raises AutoRetrainError where the file can't be read or a line of it is no address.
        """
        settings = AlertSettings()
        return cls(alert_urls(settings), quiet_hours=quiet_hours_of(settings))

    def __repr__(self) -> str:
        return f"AlertSender({', '.join(channel.name for channel in self._channels.values()) or 'no address'})"

    @property
    def counts(self) -> AlertCounts:
        """How many alerts were delivered, failed, dropped and kept back so far."""
        return sum((channel.counts for channel in self._channels.values()), AlertCounts())

    @property
    def counts_by_channel(self) -> dict[str, AlertCounts]:
        """The same by kind of channel, as Slack or E-Mail: addresses of one kind count together."""
        counts: dict[str, AlertCounts] = {}
        for channel in self._channels.values():
            counts[channel.name] = counts.get(channel.name, AlertCounts()) + channel.counts
        return counts

    def resume(self, outbox: Outbox) -> None:
        """Go on with what `outbox` holds, and keep there from now on what waits. Never raises."""
        self._outbox = outbox
        self._keep()

    def send(self, model_key: str, alert: Alert) -> None:
        """Hand `alert` over for delivery. Waits for no address, for the outbox at most, and never raises."""
        for channel in self._channels.values():
            channel.put(model_key, alert)
        self._keep()

    def test(self, model_key: str) -> tuple[Trial, ...]:
        """Send a test to every address, once and past the queues. Return how it went, address by address."""
        text = f"If you read this, alerts of {model_key} arrive here. Nothing happened, and there is nothing to do."
        services = [channel.service for channel in self._channels.values()]
        return try_each(services, title=f"{model_key}: a test of alerts", text=text)

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Take no more alerts and wait at most `timeout` seconds until those that may go are delivered."""
        deadline = time.monotonic() + timeout
        for channel in self._channels.values():
            channel.stop()
        for channel in self._channels.values():
            channel.join(max(0.0, deadline - time.monotonic()))

    def _keep(self) -> None:
        """Write down what waits. Where that fails alerts go on from memory, and the next write has it all."""
        with self._keeping:
            if self._outbox is None or not self._channels:
                return
            try:
                if not self._resumed:
                    # Not written over before it was read: it may hold a night's worth.
                    self._take_over(self._outbox.outbox())
                    self._resumed = True
                kept = _Kept(channels={name: channel.kept() for name, channel in self._channels.items()})
                text = json.dumps(records.dump_record(kept), ensure_ascii=False)
                # A half of a surrogate, as of a shell in another encoding, could be written but not be read again.
                self._outbox.keep_outbox(text.encode(errors="replace").decode())
            except (AutoRetrainError, ValueError) as error:
                if self._kept_last:
                    log.warning("alerts that wait can't be kept: %s", error)
                self._kept_last = False
            else:
                self._kept_last = True

    def _take_over(self, text: str) -> None:
        """Let the channels go on with what was kept; what can't be understood is left, and said to be."""
        try:
            kept = records.load_json(_Kept, text) if text else _Kept()
        except ValidationError:
            log.warning("alerts that waited are lost: what was kept of them can't be understood")
            return
        for name, left in kept.channels.items():
            if name in self._channels:
                self._channels[name].resume(left)
            elif left.waiting:
                log.warning("%d alerts waited for an address that is gone, and are given up", len(left.waiting))
