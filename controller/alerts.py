"""How do alerts get from the controller to people? The monitor Pod has the addresses, and is handed what changed.

No pass waits for it. An alert that the monitor does not take in time is counted and logged by its event; the decision
object and the Kubernetes event say the same and stay. What a controller that ends had not handed over, the next one
does: an alert has the id of its transition, by which the monitor knows it again.

Namespaces share the places alike, so that the monitors of one, away or slow, keep nobody else's alerts waiting.
"""

import asyncio
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import stamina
import structlog

from autoretrain.adapters import records
from autoretrain.domain.plan import Alert
from controller.cache import Key, WatchCache
from controller.children.monitor import PORT
from controller.children.parent import Component
from controller.metrics import ControllerMetrics
from controller.pods import running_host

MOST_UNDER_WAY: Final = 100
CALL_SECONDS: Final = 5.0
GIVE_UP_SECONDS: Final = 120.0
"""A monitor is made anew at each promotion, which is when there is most to tell."""
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0

log = structlog.get_logger("autoretrain.controller")


class NotTaken(Exception):  # noqa: N818 - named for what happened; it never leaves this module
    """The monitor did not take the alerts."""


@dataclass(slots=True)
class AlertRelay:
    """Hands alerts to monitors. Used from one event loop."""

    cache: WatchCache
    metrics: ControllerMetrics
    port: int = PORT
    first_wait_seconds: float = FIRST_WAIT_SECONDS
    give_up_seconds: float = GIVE_UP_SECONDS
    _tasks: dict["asyncio.Task[None]", Key] = field(default_factory=dict)
    """Oldest first."""

    @property
    def under_way(self) -> Mapping[str, int]:
        """How many passes' alerts are being handed over, by namespace."""
        return Counter(namespace for namespace, _name in self._tasks.values())

    def hand_over(self, key: Key, alerts: Sequence[Alert]) -> None:
        """Let the monitor of the SpamModel `key` send `alerts`. Returns at once."""
        if not alerts:
            return
        if len(self._tasks) >= MOST_UNDER_WAY and not self._make_room(key[0]):
            self._end("dropped", key, alerts, "too many are under way")
            return
        task = asyncio.create_task(self._deliver(key, alerts))
        self._tasks[task] = key
        task.add_done_callback(functools.partial(self._done, key, alerts))

    async def close(self) -> None:
        """Wait a moment for what is under way, then give it up."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()

    def _make_room(self, namespace: str) -> bool:
        """Give up the oldest of the namespace that has most under way, unless `namespace` has about as much itself."""
        held = self.under_way
        greediest = max(held, key=held.__getitem__)
        if held.get(namespace, 0) + 1 >= held[greediest]:
            return False
        oldest = next(task for task, (holder, _) in self._tasks.items() if holder == greediest)
        del self._tasks[oldest]
        oldest.cancel()
        return True

    def _done(self, key: Key, alerts: Sequence[Alert], task: "asyncio.Task[None]") -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            self._end("dropped", key, alerts, "given up, for other namespaces or at the end")
        elif (error := task.exception()) is not None:
            self._end("failed", key, alerts, type(error).__name__)

    async def _deliver(self, key: Key, alerts: Sequence[Alert]) -> None:
        try:
            async for attempt in stamina.retry_context(
                on=NotTaken,
                attempts=None,
                timeout=self.give_up_seconds,
                wait_initial=self.first_wait_seconds,
                wait_jitter=self.first_wait_seconds,
                wait_max=LONGEST_WAIT_SECONDS,
            ):
                with attempt:
                    await self._post(key, alerts)
        except NotTaken as error:
            self._end("failed", key, alerts, str(error))
        else:
            self.metrics.alerts.labels("handed_over").inc(len(alerts))

    async def _post(self, key: Key, alerts: Sequence[Alert]) -> None:
        host = running_host(self.cache, key, Component.MONITOR)
        if host is None:
            raise NotTaken("no monitor is running")
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        body = [records.dump_record(alert) for alert in alerts]
        try:
            # Not over the session that evidence is asked over: monitors that are slow must not take its connections.
            async with aiohttp.request(
                "POST", f"http://{host}:{self.port}/alerts", json=body, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.status != 202:
                    raise NotTaken(f"the monitor answers {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotTaken(f"the monitor can't be reached ({type(error).__name__})") from None

    def _end(self, outcome: str, key: Key, alerts: Sequence[Alert], why: str) -> None:
        """Count and log that `alerts` were not handed over."""
        self.metrics.alerts.labels(outcome).inc(len(alerts))
        events = [alert.event for alert in alerts]
        log.warning("alerts were not sent", model=".".join(key), events=events, error=why)
