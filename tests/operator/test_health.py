"""What a probe is told, over HTTP."""

import aiohttp
import pytest

from autoretrain.domain.errors import AutoRetrainError
from controller.health import HealthServer
from controller.metrics import ControllerMetrics


class Replica:
    """A replica with what is wrong with it, which a test changes, and the health server that tells of it."""

    def __init__(self, port: int) -> None:
        self.metrics = ControllerMetrics()
        self.problems = {"alive": "", "ready": ""}
        self.url = f"http://127.0.0.1:{port}"
        self.health = HealthServer(port=port)

    def why_not_alive(self) -> str:
        return self.problems["alive"]

    def why_not_ready(self) -> str:
        return self.problems["ready"]

    def refresh_metrics(self) -> None:
        self.metrics.models.set(3)

    async def ask(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}{path}") as answer:
            return answer.status, await answer.text()

    async def probes(self) -> tuple[tuple[int, str], tuple[int, str]]:
        return await self.ask("/livez"), await self.ask("/readyz")


@pytest.fixture
async def replica(unused_tcp_port):
    replica = Replica(unused_tcp_port)
    replica.health.replica = replica
    await replica.health.start()
    yield replica
    await replica.health.stop()


async def test_a_replica_that_is_well_is_alive_and_ready(replica):
    assert await replica.probes() == ((200, "ok\n"), (200, "ok\n"))


async def test_before_there_is_a_replica_it_is_alive_and_starting(replica):
    replica.health.replica = None
    assert await replica.probes() == ((200, "ok\n"), (503, "starting\n"))
    assert await replica.ask("/metrics") == (503, "starting\n")


async def test_a_replica_that_is_not_ready_says_why_and_is_not_restarted_for_it(replica):
    replica.problems["ready"] = "the installed resource definition is older than this controller; it lacks status.guard"
    assert await replica.probes() == ((200, "ok\n"), (503, f"{replica.problems['ready']}\n"))
    replica.problems["ready"] = ""
    assert await replica.probes() == ((200, "ok\n"), (200, "ok\n"))


async def test_a_replica_that_is_stuck_is_restarted(replica):
    replica.problems["alive"] = "a pass has lasted for 99 s"
    assert await replica.ask("/livez") == (503, "a pass has lasted for 99 s\n")


async def test_metrics_are_brought_up_to_date_before_they_are_shown(replica):
    status, text = await replica.ask("/metrics")
    assert (status, "autoretrain_controller_models 3.0\n" in text) == (200, True)


async def test_nothing_else_is_answered(replica):
    assert (await replica.ask("/"))[0] == 404


async def test_after_its_end_nobody_answers(replica):
    await replica.health.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await replica.ask("/livez")


async def test_a_port_that_is_taken_is_said_with_the_setting_that_names_another(replica, unused_tcp_port):
    with pytest.raises(AutoRetrainError, match=f"port {unused_tcp_port} can't be had .*AUTORETRAIN_CONTROLLER_PORT"):
        await HealthServer(port=unused_tcp_port).start()
