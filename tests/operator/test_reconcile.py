"""When passes are made, over whom, and what happens after one that failed."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.domain.errors import AutoRetrainError, Waiting
from controller.cluster import Unreachable
from controller.delays import DelayQueue
from controller.metrics import ControllerMetrics
from controller.passes import PassEnd
from controller.reconcile import LONGEST_RETRY_SECONDS, SETTLE_SECONDS, Reconciler, retry_delay

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE, OTHER = ("tenant-a", "one"), ("tenant-b", "other")
DONE = PassEnd(next_at=None)
LIMIT = 10.0


class ScriptedPasses:
    """Each key's passes end as scripted, after the `gate` is open; the rest end well."""

    def __init__(self, **script) -> None:
        self.script = {key: list(ends) for key, ends in script.items()}
        self.made: list[tuple[str, str]] = []
        self.under_way: list[tuple[str, str]] = []
        self.most_at_once: dict[str, int] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Condition()

    async def make(self, key):
        self.under_way.append(key)
        at_once = self.under_way.count(key), len(self.under_way)
        for name, number in zip((key[1], "all"), at_once, strict=True):
            self.most_at_once[name] = max(self.most_at_once.get(name, 0), number)
        async with self._changed:
            self._changed.notify_all()
        try:
            await self.gate.wait()
        finally:
            self.under_way.remove(key)
        self.made.append(key)
        async with self._changed:
            self._changed.notify_all()
        ends = self.script.get(key[1])
        end = ends.pop(0) if ends else DONE
        if isinstance(end, Exception):
            raise end
        return end

    async def until(self, condition) -> None:
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(condition)


class Clock:
    """Both clocks of the reconciler; a test moves them."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 100)


def build(passes, clock, *, workers=4, capacity=10, pass_seconds=5.0) -> Reconciler:
    return Reconciler(
        passes=passes,
        metrics=ControllerMetrics(),
        workers=workers,
        pass_seconds=pass_seconds,
        queue=DelayQueue(capacity),
        now=clock.now,
        monotonic=clock.monotonic,
    )


def counted(reconciler) -> dict[str, float]:
    """Passes by how they ended."""
    samples = next(iter(reconciler.metrics.passes.collect())).samples
    return {sample.labels["result"]: sample.value for sample in samples if sample.name.endswith("_total")}


@pytest.fixture
def clock():
    return Clock()


@asynccontextmanager
async def running(reconciler):
    """Let it work; it ends well after the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(reconciler.run(stop))
    try:
        yield task
    finally:
        stop.set()
        reconciler._woken.set()
        async with asyncio.timeout(LIMIT):
            await task


def settle(reconciler, clock, *keys) -> None:
    """Wake the keys, and let their events settle."""
    for key in keys:
        reconciler.wake(key)
    clock.seconds += SETTLE_SECONDS


# One after the other.


async def test_a_burst_of_events_makes_one_pass(clock):
    passes = ScriptedPasses()
    reconciler = build(passes, clock)
    async with running(reconciler):
        for _ in range(50):
            reconciler.wake(ONE)
        settle(reconciler, clock, OTHER)
        await passes.until(lambda: len(passes.made) == 2)
    assert sorted(passes.made) == [ONE, OTHER]


async def test_events_are_given_time_to_settle(clock):
    reconciler = build(ScriptedPasses(), clock)
    reconciler.wake(ONE)
    assert reconciler.queue.next_due() == clock.seconds + SETTLE_SECONDS


async def test_a_resource_has_one_pass_at_a_time_and_is_looked_at_again_if_woken_meanwhile(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock)
    async with running(reconciler):
        settle(reconciler, clock, ONE)
        await passes.until(lambda: passes.under_way == [ONE])
        settle(reconciler, clock, ONE, OTHER)
        await passes.until(lambda: OTHER in passes.under_way)
        passes.gate.set()
        await passes.until(lambda: len(passes.made) == 3)
    assert (sorted(passes.made), passes.most_at_once) == ([ONE, ONE, OTHER], {"one": 1, "other": 1, "all": 2})


async def test_there_are_no_more_passes_at_once_than_workers(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock, workers=2)
    keys = [("tenant-a", f"model-{number}") for number in range(5)]
    async with running(reconciler):
        settle(reconciler, clock, *keys)
        await passes.until(lambda: len(passes.under_way) == 2)
        passes.gate.set()
        await passes.until(lambda: len(passes.made) == 5)
    assert (sorted(passes.made), passes.most_at_once["all"]) == (keys, 2)


async def test_told_to_stop_while_nothing_is_due_it_ends_at_once(clock, monkeypatch):
    monkeypatch.setattr("controller.reconcile.IDLE_SECONDS", 3600.0)
    stop = asyncio.Event()
    task = asyncio.create_task(build(ScriptedPasses(), clock).run(stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(LIMIT):
        await task


async def test_cut_off_it_leaves_no_pass_behind(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock)
    task = asyncio.create_task(reconciler.run(asyncio.Event()))
    settle(reconciler, clock, ONE)
    await passes.until(lambda: passes.under_way)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)  # the passes' own turn to end
    assert passes.under_way == []


async def test_told_to_stop_it_lets_the_passes_under_way_end_and_begins_none(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock, workers=1)
    stop = asyncio.Event()
    task = asyncio.create_task(reconciler.run(stop))
    settle(reconciler, clock, ONE, OTHER)
    await passes.until(lambda: passes.under_way)
    stop.set()
    passes.gate.set()
    async with asyncio.timeout(LIMIT):
        await task
    assert passes.made == [ONE]


# After a pass.


async def test_the_next_pass_is_made_when_the_last_one_said(clock):
    reconciler = build(ScriptedPasses(one=[PassEnd(next_at=NOW + timedelta(seconds=30))]), clock)
    await reconciler.work_once(ONE)
    assert (reconciler.queue.next_due(), counted(reconciler)) == (clock.seconds + 30, {"succeeded": 1})
    assert reconciler.metrics.last_success._value.get() == NOW.timestamp()


async def test_a_next_pass_that_is_late_already_is_made_at_once(clock):
    reconciler = build(ScriptedPasses(one=[PassEnd(next_at=NOW - timedelta(days=1))]), clock)
    await reconciler.work_once(ONE)
    assert reconciler.queue.next_due() == clock.seconds


async def test_a_resource_that_waits_for_nothing_or_is_deleted_is_forgotten(clock):
    reconciler = build(ScriptedPasses(one=[RuntimeError("broken"), DONE]), clock)
    await reconciler.work_once(ONE)
    reconciler.queue.drop(ONE)
    await reconciler.work_once(ONE)
    assert (len(reconciler.queue), reconciler._failures, reconciler._started) == (0, {}, {})


# After one that failed.


@pytest.mark.parametrize(
    ("end", "result"),
    [
        (AutoRetrainError("no"), "failed"),
        (Unreachable("away"), "failed"),
        (TimeoutError(), "failed"),
        (RuntimeError("a bug"), "failed"),
        (PassEnd(next_at=None, failed=True), "incomplete"),
    ],
    ids=repr,
)
async def test_failures_are_counted_and_tried_again_ever_more_rarely_until_one_succeeds(clock, end, result):
    reconciler = build(ScriptedPasses(one=[end] * 12 + [DONE, end]), clock)
    delays = []
    for _ in range(14):
        await reconciler.work_once(ONE)
        due = reconciler.queue.next_due()
        delays.append(due and due - clock.seconds)
        reconciler.queue.drop(ONE)
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, None, 1]
    assert counted(reconciler) == {result: 13, "succeeded": 1}


async def test_what_could_not_be_done_does_not_put_off_what_is_planned(clock):
    reconciler = build(ScriptedPasses(one=[PassEnd(next_at=NOW + timedelta(seconds=60), failed=True)] * 12), clock)
    delays = []
    for _ in range(12):
        await reconciler.work_once(ONE)
        delays.append(reconciler.queue.next_due() - clock.seconds)
        reconciler.queue.drop(ONE)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]


def test_the_longest_wait_is_bounded_for_any_number_of_failures():
    assert [retry_delay(failures) for failures in (1, 2, 10, 10_000)] == [1, 2, 300, 300]


async def test_a_server_that_says_when_to_come_back_is_heard(clock):
    reconciler = build(ScriptedPasses(one=[Unreachable("later", retry_seconds=20)]), clock)
    await reconciler.work_once(ONE)
    assert reconciler.queue.next_due() == clock.seconds + 20


async def test_a_server_that_wants_to_be_left_alone_for_days_is_asked_again_within_the_bound(clock):
    reconciler = build(ScriptedPasses(one=[Unreachable("later", retry_seconds=86_400)]), clock)
    await reconciler.work_once(ONE)
    assert reconciler.queue.next_due() == clock.seconds + LONGEST_RETRY_SECONDS


async def test_a_pass_that_waits_for_something_is_made_again_when_it_said_and_is_no_failure(clock):
    reconciler = build(ScriptedPasses(one=[Waiting("the store", delay_seconds=7), RuntimeError("broken")]), clock)
    await reconciler.work_once(ONE)
    assert (reconciler.queue.next_due(), counted(reconciler)) == (clock.seconds + 7, {"waiting": 1})
    reconciler.queue.drop(ONE)
    await reconciler.work_once(ONE)
    assert reconciler.queue.next_due() == clock.seconds + 1


async def test_a_pass_that_does_not_end_is_given_up_after_its_limit(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock, pass_seconds=0.05)
    async with asyncio.timeout(LIMIT):
        await reconciler.work_once(ONE)
    assert (counted(reconciler), reconciler.queue.next_due(), passes.under_way) == (
        {"failed": 1},
        clock.seconds + 1,
        [],
    )


async def test_one_broken_resource_does_not_hold_up_the_others(clock):
    passes = ScriptedPasses(one=[RuntimeError("a bug")] * 100)
    reconciler = build(passes, clock, workers=1)
    async with running(reconciler) as task:
        for number in range(1, 6):
            settle(reconciler, clock, ONE, OTHER)
            await passes.until(lambda number=number: passes.made.count(OTHER) == number)
            await passes.until(lambda number=number: passes.made.count(ONE) == number)
        assert not task.done()
    assert counted(reconciler) == {"failed": 5, "succeeded": 5}


# Is it stuck?


async def test_a_pass_that_lasts_is_seen_and_so_is_its_end(clock):
    passes = ScriptedPasses()
    passes.gate.clear()
    reconciler = build(passes, clock)
    task = asyncio.create_task(reconciler.work_once(ONE))
    await passes.until(lambda: passes.under_way)
    clock.seconds += 40
    lasted = reconciler.stuck_seconds()
    passes.gate.set()
    await task
    assert (lasted, reconciler.stuck_seconds()) == (40, 0)


async def test_a_loop_that_does_not_turn_any_more_is_seen(clock):
    reconciler = build(ScriptedPasses(), clock)
    async with running(reconciler):
        settle(reconciler, clock, ONE)
        await reconciler.passes.until(lambda: reconciler.passes.made)
    before = reconciler.stuck_seconds()
    clock.seconds += 99
    assert (before <= SETTLE_SECONDS, reconciler.stuck_seconds() - before) == (True, 99)
