"""Whom does an operator wait for, what does it say meanwhile, and does an outage of the API server end it?"""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from autoretrain.adapters import crd
from controller import lease, main, waits
from controller.cluster import LEASE, WATCHED
from controller.settings import ControllerSettings
from tests.operator.api_server import ApiServer, api_server, status, write_kubeconfig

LIMIT = 20.0
PLACE = (LEASE.name, "system", "autoretrain-controller")


@dataclass
class Server(ApiServer):
    """One that may be away: then it refuses each call, and ends the streams. Or nobody has a right to its Leases."""

    away: bool = False
    refuses_leases: bool = False
    streams_before: int = 0

    async def answer(self, request):
        if self.away:
            return status(503, "ServiceUnavailable", "apiserver is shutting down")
        if self.refuses_leases and f"/{LEASE.plural}" in request.path:
            return status(403, "Forbidden", "leases is forbidden")
        return await super().answer(request)

    async def go_away(self):
        self.away = True
        await self.cut_streams()

    async def until_watched_by(self, operator):
        """Wait until the operator decides, and watches: kopf ends slowly where it is told to while it begins."""
        await operator.until(leads)
        async with asyncio.timeout(LIMIT):
            await self.until_streams(self.streams_before + len(WATCHED))
        self.streams_before = self.streams

    @property
    def holder(self):
        found = self.cluster.objects.get(PLACE)
        return found["spec"]["holderIdentity"] if found else None


class Operator:
    """One that was started, as its probes and its metrics show it."""

    def __init__(self, port, work):
        self.url, self.task = f"http://127.0.0.1:{port}", asyncio.create_task(work)
        self.answers = []

    async def ask(self, path):
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}{path}") as answer:
                self.answers.append(answer.status)
                return answer.status, (await answer.text()).strip()
        except aiohttp.ClientError:
            self.answers.append(None)
            return 0, ""

    async def until(self, told):
        """Wait until `told` is true of it, while it has not ended."""
        async with asyncio.timeout(LIMIT):
            while not await told(self):
                assert not self.task.done(), self.task.result()
                await asyncio.sleep(0.01)

    async def ended(self):
        async with asyncio.timeout(LIMIT):
            return await self.task


async def leads(operator):
    """Does it decide, and know all that is there?"""
    _, metrics = await operator.ask("/metrics")
    return "autoretrain_controller_leader 1.0" in metrics and await operator.ask("/readyz") == (200, "ok")


async def stands_by(operator):
    _, metrics = await operator.ask("/metrics")
    return "autoretrain_controller_leader 0.0" in metrics and await operator.ask("/readyz") == (200, "ok")


def says(problem):
    """Is it alive but not ready, with that problem?"""

    async def told(operator):
        code, text = await operator.ask("/readyz")
        return code == 503 and problem in text and await operator.ask("/livez") == (200, "ok")

    return told


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    for module, name, seconds in (
        (lease, "RENEW_SECONDS", 0.05),
        (lease, "GIVE_UP_SECONDS", 0.5),
        (main, "RETRY_SECONDS", 0.05),
        (waits, "RETRY_SECONDS", 0.05),
    ):
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
async def server(tmp_path, monkeypatch):
    async with api_server(Server()) as listening:
        monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", listening.url)))
        yield listening


@pytest.fixture
def started(unused_tcp_port_factory):
    """Starts an operator; it is told to stop at the end of the block."""

    @asynccontextmanager
    async def start(name):
        stop, port = asyncio.Event(), unused_tcp_port_factory()
        settings = ControllerSettings(own_namespace="system", identity=name, port=port)
        operator = Operator(port, main._run_until(stop, settings))
        operator.stop = stop
        try:
            yield operator
        finally:
            stop.set()
            await asyncio.wait([operator.task], timeout=LIMIT)

    return start


async def test_one_alone_holds_the_lease_too(server, started):
    async with started("one") as operator:
        await server.until_watched_by(operator)
        assert server.holder == "one"


async def test_outside_of_a_pod_it_holds_the_lease_that_one_on_the_cluster_would(server, unused_tcp_port, monkeypatch):
    for name in ("POD_NAME", "POD_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    stop = asyncio.Event()
    operator = Operator(unused_tcp_port, main._run_until(stop, ControllerSettings(port=unused_tcp_port)))
    await server.until_watched_by(operator)
    stop.set()
    assert await operator.ended() == 0
    assert [place for place in server.cluster.objects if place[0] == LEASE.name] == [
        (LEASE.name, "autoretrain-system", "autoretrain-controller")
    ]


async def test_at_sigterm_it_gives_the_lease_back_and_ends_well(server, unused_tcp_port):
    settings = ControllerSettings(own_namespace="system", identity="one", port=unused_tcp_port)
    operator = Operator(unused_tcp_port, main._run(settings))
    await server.until_watched_by(operator)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await operator.ended() == 0
    assert server.holder == ""


async def test_a_second_one_is_ready_and_decides_once_the_first_has_given_the_lease_back(server, started):
    async with started("one") as first, started("two") as second:
        await server.until_watched_by(first)
        await second.until(stands_by)
        assert server.holder == "one"
        first.stop.set()
        await server.until_watched_by(second)
        assert (await first.ended(), server.holder) == (0, "two")


async def test_one_that_stands_by_is_told_to_stop_and_touches_no_lease(server, started):
    async with started("one") as first, started("two") as second:
        await server.until_watched_by(first)
        await second.until(stands_by)
        second.stop.set()
        assert (await second.ended(), server.holder) == (0, "one")


async def test_started_while_the_api_server_is_away_it_waits(server, started):
    await server.go_away()
    async with started("one") as operator:
        await operator.until(says("apiserver is shutting down"))
        server.away = False
        await server.until_watched_by(operator)


async def test_an_api_server_that_is_away_for_longer_than_the_lease_costs_no_restart(server, started):
    async with started("one") as operator:
        for _ in range(2):
            await server.until_watched_by(operator)
            await server.go_away()
            await operator.until(says("apiserver is shutting down"))
            server.away = False
        await server.until_watched_by(operator)
        assert None not in operator.answers[operator.answers.index(503) :]
        operator.stop.set()
        assert (await operator.ended(), server.holder) == (0, "")


async def test_told_to_stop_while_the_api_server_is_away_it_ends(server, started):
    async with started("one") as operator:
        await server.until_watched_by(operator)
        await server.go_away()
        await operator.until(says("apiserver is shutting down"))
        operator.stop.set()
        assert await operator.ended() == 0


async def test_without_the_right_to_leases_it_is_not_ready_and_says_why(server, started):
    server.refuses_leases = True
    async with started("one") as operator:
        await operator.until(says("the lease can't be had: leases is forbidden"))


async def test_one_that_an_older_definition_does_not_fit_takes_the_lease_from_nobody(server, started):
    server.schema = {"type": "object"}
    async with started("one") as operator:
        await operator.until(says("the installed resource definition is older than this controller"))
        assert server.holder is None
        server.schema = crd.resource_schema()
        await server.until_watched_by(operator)
