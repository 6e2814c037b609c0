"""When an operator that is told to stop, or has lost the Lease, lets another one begin."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
import yaml

from controller import lease, main, waits
from controller.cluster import LEASE
from controller.lease import LeaseLost
from controller.main import Controller
from controller.settings import ControllerSettings
from tests.operator.memory_cluster import MemoryCluster

LIMIT = 10.0
PLACE = (LEASE.name, "system", "autoretrain-controller")
DEPLOYMENT = Path(__file__).parents[2] / "manifests" / "operator" / "deployment.yaml"


class BusyCluster(MemoryCluster):
    """A call of the work under way is answered only once `answer` is set; renewals are, and are counted."""

    def __init__(self):
        super().__init__()
        self.asked, self.answer, self.renewed = asyncio.Event(), asyncio.Event(), asyncio.Condition()
        self.work_ended = False

    async def schema(self, kind):
        self.asked.set()
        try:
            await self.answer.wait()
        finally:
            await asyncio.sleep(0.01)  # It does not end at the moment in which it is told to.
            self.work_ended = True
        return await super().schema(kind)

    async def update(self, thing):
        try:
            return await super().update(thing)
        finally:
            async with self.renewed:
                self.renewed.notify_all()

    @property
    def renewals(self):
        return self.calls.count(("update", LEASE.name, PLACE[2]))

    @property
    def holder(self):
        return self.objects[PLACE]["spec"]["holderIdentity"]

    async def until_renewed(self, times):
        wanted = self.renewals + times
        async with asyncio.timeout(LIMIT), self.renewed:
            await self.renewed.wait_for(lambda: self.renewals >= wanted)


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.001)
    monkeypatch.setattr(waits, "RETRY_SECONDS", 0.001)


@pytest.fixture
async def leading():
    """A replica that leads, its cluster, what tells it to stop, and the task that ends with it."""
    cluster, stop = BusyCluster(), asyncio.Event()
    settings = ControllerSettings(own_namespace="system", identity="one")
    async with aiohttp.ClientSession() as http:
        controller = Controller(settings, cluster, None, http)
        assert await controller._lease.try_acquire()
        cluster.told = controller.metrics.registry.get_sample_value
        task = asyncio.create_task(controller._lead(stop))
        async with asyncio.timeout(LIMIT):
            await cluster.asked.wait()
        assert cluster.told("autoretrain_controller_leader") == 1
        yield cluster, stop, task
        task.cancel()


async def end_of(task):
    async with asyncio.timeout(LIMIT):
        return await task


async def test_told_to_stop_it_holds_the_lease_until_its_work_has_ended(leading):
    cluster, stop, task = leading
    stop.set()
    await cluster.until_renewed(3)
    assert (cluster.holder, task.done()) == ("one", False)
    cluster.answer.set()
    assert await end_of(task) == 0
    assert cluster.holder == ""


async def test_work_that_does_not_end_in_time_is_cut_off_and_the_lease_runs_out_by_itself(leading, monkeypatch):
    monkeypatch.setattr(main, "STOP_SECONDS", 0.01)
    cluster, stop, task = leading
    stop.set()
    assert await end_of(task) == 0
    assert cluster.holder == "one"


async def test_a_lost_lease_ends_the_work_and_is_not_given_back(leading):
    cluster, _, task = leading
    cluster.put({**cluster.objects[PLACE], "spec": {**cluster.objects[PLACE]["spec"], "holderIdentity": "two"}})
    with pytest.raises(LeaseLost, match="held by two"):
        await end_of(task)
    assert (cluster.holder, cluster.work_ended) == ("two", True)
    assert cluster.told("autoretrain_controller_leader") == 0


async def test_a_lease_that_is_lost_after_the_stop_ends_the_work_too(leading):
    cluster, stop, task = leading
    stop.set()
    await cluster.until_renewed(1)
    cluster.put({**cluster.objects[PLACE], "spec": {**cluster.objects[PLACE]["spec"], "holderIdentity": "two"}})
    with pytest.raises(LeaseLost, match="held by two"):
        await end_of(task)
    assert cluster.work_ended


def test_work_is_cut_off_before_the_lease_is_given_up_and_before_the_pod_is_killed():
    pod = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    assert main.STOP_SECONDS < lease.GIVE_UP_SECONDS < pod["terminationGracePeriodSeconds"]
