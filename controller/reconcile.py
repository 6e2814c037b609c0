"""Which pass is made when? One queue of resources, a few workers, one pass a resource at a time, back-off on errors."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from autoretrain.domain.errors import AutoRetrainError, Waiting
from controller.cache import Key
from controller.cluster import Unreachable
from controller.delays import DelayQueue
from controller.metrics import ControllerMetrics
from controller.passes import PassEnd, Passes

SETTLE_SECONDS: Final = 0.1
"""Watch events come in bursts; a pass waits for this long and sees them together."""
FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 300.0
PLANNED_RETRY_SECONDS: Final = 15.0
"""After this much of the back-off, a pass that is planned earlier than the next attempt is that attempt."""
MOST_DOUBLINGS: Final = 16
IDLE_SECONDS: Final = 5.0

log = structlog.get_logger("autoretrain.controller")


def retry_delay(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row: 1, 2, 4, ... 300."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, MOST_DOUBLINGS), LONGEST_RETRY_SECONDS)


@dataclass(slots=True)
class Reconciler:
    """Runs passes for the keys that are woken or due. `monotonic` is the queue's clock, `now` that of the passes."""

    passes: Passes
    metrics: ControllerMetrics
    workers: int
    pass_seconds: float
    queue: DelayQueue[Key]
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    _failures: dict[Key, int] = field(default_factory=dict)
    _started: dict[Key, float] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _beat: float = 0.0

    def wake(self, key: Key) -> None:
        """Let a pass over `key` be made soon; one that is under way is followed by another."""
        self.queue.add(key, due=self.monotonic() + SETTLE_SECONDS)
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then let the passes under way end, within their time limit."""
        tasks: set[asyncio.Task[None]] = set()

        def ended(task: asyncio.Task[None]) -> None:
            # Only now is a worker free: woken any earlier, the loop would find all of them busy and rest.
            tasks.discard(task)
            self._woken.set()

        stopped = asyncio.create_task(stop.wait())
        stopped.add_done_callback(lambda _: self._woken.set())
        try:
            while not stop.is_set():
                self._beat = self.monotonic()
                self._woken.clear()
                while len(tasks) < self.workers and (key := self.queue.take(self.monotonic())) is not None:
                    task = asyncio.create_task(self.work_once(key))
                    tasks.add(task)
                    task.add_done_callback(ended)
                self.metrics.queue_length.set(self.queue.due_count(self.monotonic()))
                await self._rest(full=len(tasks) >= self.workers)
            if tasks:
                await asyncio.wait(tasks, timeout=self.pass_seconds)
        finally:
            for each in (stopped, *tasks):
                each.cancel()

    def stuck_seconds(self) -> float:
        """Return for how long the oldest pass under way has lasted, or the loop has not turned, if that is longer."""
        now = self.monotonic()
        return max((now - at for at in (*self._started.values(), self._beat) if at), default=0.0)

    async def work_once(self, key: Key) -> None:
        """Make the pass over `key` and set when the next one is due."""
        began = self.monotonic()
        self._started[key] = began
        try:
            async with asyncio.timeout(self.pass_seconds):
                end = await self.passes.make(key)
        except Waiting as waiting:
            self._again(key, waiting.delay_seconds, result="waiting", said=str(waiting))
        except (AutoRetrainError, TimeoutError) as error:
            self._retry(key, error)
        except Exception as error:
            # One broken resource must not end the others' passes; it is tried again, ever more rarely, and counted.
            log.exception("a pass failed", model=".".join(key))
            self._retry(key, error)
        else:
            self._ended(key, end)
        finally:
            self._started.pop(key, None)
            self.queue.done(key)
            self.metrics.pass_seconds.observe(self.monotonic() - began)

    async def _rest(self, *, full: bool) -> None:
        due = None if full else self.queue.next_due()
        delay = IDLE_SECONDS if due is None else min(max(due - self.monotonic(), 0.0), IDLE_SECONDS)
        try:
            async with asyncio.timeout(delay):
                await self._woken.wait()
        except TimeoutError:
            return

    def _ended(self, key: Key, end: PassEnd) -> None:
        if end.failed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            # What could not be done must not put off what the pass has planned: a guard goes on watching.
            planned = self._seconds_until(end.next_at)
            delay = min(retry_delay(failures), max(planned, PLANNED_RETRY_SECONDS))
            self._again(key, delay, result="incomplete")
            return
        self._failures.pop(key, None)
        self.metrics.passes.labels("succeeded").inc()
        self.metrics.last_success.set(self.now().timestamp())
        if end.next_at is not None:
            self.queue.add(key, due=self.monotonic() + self._seconds_until(end.next_at))

    def _seconds_until(self, moment: datetime | None) -> float:
        return math.inf if moment is None else max((moment - self.now()).total_seconds(), 0.0)

    def _retry(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        asked = error.retry_seconds if isinstance(error, Unreachable) else None
        said = str(error) or f"no pass was made within {self.pass_seconds:.0f} s"
        delay = min(max(retry_delay(failures), asked or 0.0), LONGEST_RETRY_SECONDS)
        self._again(key, delay, result="failed", said=said)

    def _again(self, key: Key, delay: float, *, result: str, said: str = "") -> None:
        self.metrics.passes.labels(result).inc()
        self.queue.add(key, due=self.monotonic() + delay)
        if said:
            log.warning("pass", model=".".join(key), result=result, error=said, again_seconds=delay)
