"""Which of two operators decides, and when the other may."""

import asyncio
import copy
from datetime import UTC, datetime

import pytest

from controller import lease
from controller.cluster import LEASE, NotFound, Refused, Unreachable
from controller.lease import DURATION_SECONDS, GIVE_UP_SECONDS, Lease, LeaseLost
from controller.settings import ControllerSettings
from tests.operator.memory_cluster import MemoryCluster

LIMIT = 10.0
PLACE = (LEASE.name, "system", "autoretrain-controller")


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def replica(cluster, clock, name):
    return Lease(cluster, "system", "autoretrain-controller", name, lambda: datetime(2026, 3, 2, tzinfo=UTC), clock)


@pytest.fixture
def pair():
    cluster, clock = MemoryCluster(), Clock()
    return cluster, clock, replica(cluster, clock, "one"), replica(cluster, clock, "two")


def acquire(replica):
    return asyncio.run(replica.try_acquire())


def test_only_one_of_two_holds_the_lease(pair):
    _, _, one, two = pair
    assert (acquire(one), acquire(two)) == (True, False)


def test_the_other_takes_over_once_the_lease_was_not_renewed_for_its_whole_duration(pair):
    cluster, clock, one, two = pair
    acquire(one)
    acquire(two)
    clock.seconds += DURATION_SECONDS - 1
    assert acquire(two) is False
    clock.seconds += 1
    assert acquire(two) is True
    assert cluster.objects[PLACE]["spec"]["holderIdentity"] == "two"


def test_a_renewed_lease_is_not_taken(pair):
    _, clock, one, two = pair
    acquire(one)
    for _ in range(10):
        acquire(two)
        clock.seconds += 5
        asyncio.run(one.renew())
    assert acquire(two) is False


def test_who_lost_the_lease_is_told_at_the_next_renewal(pair):
    _, clock, one, two = pair
    acquire(one)
    acquire(two)
    clock.seconds += DURATION_SECONDS
    acquire(two)
    with pytest.raises(LeaseLost, match="held by two"):
        asyncio.run(one.renew())


def test_who_can_not_renew_gives_up_before_the_other_may_begin(pair):
    cluster, clock, one, _ = pair
    acquire(one)

    def refuse(_number):
        raise Unreachable("no answer")

    cluster.before = refuse
    clock.seconds += GIVE_UP_SECONDS
    asyncio.run(one.renew())
    clock.seconds += 1
    with pytest.raises(LeaseLost, match="could not be renewed"):
        asyncio.run(one.renew())
    assert GIVE_UP_SECONDS + 1 < DURATION_SECONDS


async def test_a_renewal_without_an_answer_does_not_outlast_the_lease(pair, monkeypatch):
    """One call may last longer than what is left: the other replica begins whether it was answered or not."""
    monkeypatch.setattr(lease, "GIVE_UP_SECONDS", 0.01)
    cluster, _, one, _ = pair
    await one.try_acquire()
    cluster.update = lambda _thing: asyncio.Event().wait()
    async with asyncio.timeout(LIMIT):
        with pytest.raises(LeaseLost, match="could not be renewed"):
            await one.keep(asyncio.Event())


async def test_the_time_of_a_lease_that_was_taken_slowly_begins_with_the_call_that_took_it(pair):
    cluster, clock, one, _ = pair
    await one.try_acquire()
    await one.release()
    update = cluster.update

    def be_slow(_number):
        clock.seconds += GIVE_UP_SECONDS - 1

    async def answer_later(thing):
        await asyncio.sleep(0.01)
        return await update(thing)

    cluster.before = be_slow
    await one.try_acquire()
    cluster.before, cluster.update = (lambda _number: None), answer_later
    await one.renew()
    assert one.is_held


@pytest.mark.parametrize("problem", [Unreachable("no answer"), Refused("leases is forbidden"), NotFound("namespaces")])
def test_a_lease_that_can_not_be_had_is_told_and_is_nobodys(pair, problem):
    cluster, _, one, _ = pair

    def fail(number):
        if not (isinstance(problem, NotFound) and cluster.calls[number - 1][0] == "get"):
            raise problem

    cluster.before = fail
    with pytest.raises(type(problem), match=str(problem)):
        acquire(one)
    assert not one.is_held


def test_a_process_that_starts_again_in_its_pod_has_its_lease_at_once(pair):
    cluster, clock, one, _ = pair
    acquire(one)
    assert acquire(replica(cluster, clock, "one")) is True


def test_two_processes_of_one_machine_are_not_one(monkeypatch):
    monkeypatch.delenv("POD_NAME", raising=False)
    one, two = ControllerSettings(), ControllerSettings()
    assert one.identity != two.identity


def test_a_renewal_that_was_carried_out_without_an_answer_is_not_a_loss(pair):
    cluster, _, one, _ = pair
    acquire(one)

    def lose_the_answer(_number):
        cluster.after = lambda _number: None
        raise Unreachable("no answer")

    cluster.after = lose_the_answer
    asyncio.run(one.renew())
    asyncio.run(one.renew())
    assert one.is_held


def test_a_lease_that_somebody_emptied_is_free(pair):
    """The API server takes one without a spec."""
    cluster, _, one, two = pair
    acquire(one)
    cluster.put({name: part for name, part in cluster.objects[PLACE].items() if name != "spec"})
    with pytest.raises(LeaseLost, match="the lease is held by nobody"):
        asyncio.run(one.renew())
    assert acquire(two) is True


def test_a_lease_of_ours_that_somebody_edited_is_renewed(pair):
    cluster, _, one, _ = pair
    acquire(one)
    cluster.put({**cluster.objects[PLACE], "spec": {"holderIdentity": "one"}})
    asyncio.run(one.renew())
    asyncio.run(one.renew())
    spec = cluster.objects[PLACE]["spec"]
    assert (spec["leaseDurationSeconds"], spec["renewTime"]) == (DURATION_SECONDS, "2026-03-02T00:00:00.000000Z")


@pytest.mark.parametrize("renewed", ["2099-01-01T00:00:00.000000Z", "yesterday", None])
def test_the_clock_of_another_holder_is_believed_in_nothing(pair, renewed):
    cluster, clock, one, two = pair
    acquire(one)
    cluster.put({**cluster.objects[PLACE], "spec": {**cluster.objects[PLACE]["spec"], "renewTime": renewed}})
    assert acquire(two) is False
    clock.seconds += DURATION_SECONDS
    assert acquire(two) is True


def test_of_two_that_take_a_free_lease_at_once_one_has_it(pair):
    cluster, _, one, two = pair
    acquire(one)
    asyncio.run(one.release())

    free = copy.deepcopy(cluster.objects[PLACE])

    async def both():
        cluster.get = lambda *_: asyncio.sleep(0, free)
        return await asyncio.gather(one.try_acquire(), two.try_acquire())

    assert sorted(asyncio.run(both())) == [False, True]


def test_a_released_lease_is_free_at_once(pair):
    _, _, one, two = pair
    acquire(one)
    asyncio.run(one.release())
    assert acquire(two) is True
