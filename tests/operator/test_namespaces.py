"""What a controller asks of an API server, in some namespaces and in all of them: nothing that it has no right to."""

import asyncio

import aiohttp
import kopf
import pytest

from autoretrain.adapters import crd
from controller.api import KubernetesApi
from controller.cluster import DECISION, LEASE, WATCHED, Refused
from controller.decisions import highest_recorded_ordinal
from controller.main import Controller
from controller.settings import ControllerSettings
from tests.operator.api_server import PATH, ApiServer, api_server, write_kubeconfig
from tests.operator.memory_cluster import MemoryCluster
from tests.operator.operator_world import KEY, OperatorWorld
from tests.operator.test_rbac import EVERYWHERE, SYSTEM, USED, WATCHED_NAMESPACES, used

DISCOVERY = ("/version", "/api", "/api/v1", "/apis", "/openapi/v3/")
"""Where every account may look: the cluster role system:discovery has these and what is below."""
LIMIT = 10.0
VERBS = {"POST": {"create"}, "PATCH": {"patch", "create"}, "PUT": {"update"}, "DELETE": {"delete"}}


def asked_of(server: ApiServer) -> set[tuple[str, tuple[str, str, str]]]:
    """(namespace, (API group, resource, verb)) of every call so far that is not open to everybody."""
    found = set()
    for call in server.asked:
        path = PATH.fullmatch(call.path)
        if path is None:
            assert call.path.startswith(DISCOVERY), call.path
            continue
        group, _, namespace, plural, name, part = path.group("group", "version", "namespace", "plural", "name", "part")
        watched = "watch" if call.query.get("watch") == "true" else "list"
        verbs = VERBS.get(call.method, {"get" if name else watched})
        resource = f"{plural}/{part}" if part else plural
        found |= {(namespace or EVERYWHERE, (group or "", resource, verb)) for verb in verbs}
    return found


def settings_for(namespaces: tuple[str, ...]) -> ControllerSettings:
    settings = ControllerSettings(namespaces=",".join(namespaces), own_namespace=SYSTEM, request_seconds=LIMIT)
    return settings.model_copy(update={"resync_seconds": 0.01})


async def lead_for_a_while(server: ApiServer, settings: ControllerSettings) -> None:
    """Start a controller, let it watch, list again and prune, and stop it."""
    streams = len(WATCHED) * max(1, len(settings.watched_namespaces))
    stop = asyncio.Event()
    info = kopf.ConnectionInfo(server=server.url)
    async with KubernetesApi(info, seconds=LIMIT) as api, aiohttp.ClientSession() as http:
        controller = Controller(settings, api, None, http)
        assert await controller._lease.try_acquire()
        leading = asyncio.create_task(controller._lead(stop))
        try:
            async with asyncio.timeout(LIMIT):
                await server.until_streams(streams)
                await server.until_asked(f"/{DECISION.plural}")
                stop.set()
                assert await leading == 0
        finally:
            leading.cancel()
            if controller._watches is not None:
                await asyncio.to_thread(controller._watches.stop)


async def make_passes(server: ApiServer, world: OperatorWorld) -> None:
    """A first model, drift, a better one, and back to the first, over HTTP."""
    async with KubernetesApi(kopf.ConnectionInfo(server=server.url), seconds=LIMIT) as api:
        world.passes.cluster = world.passes.gatherer.cluster = world.passes.applier.cluster = api
        for number in range(24):
            world.finish_jobs()
            world.roll_out()
            world.cluster.deliver(world.passes.cache)
            await world.passes.make(KEY)
            world.wait(3600)
            if number == 12:
                world.drift_score, world.labels = 0.5, 2000
                world.change(lambda thing: thing["spec"]["serving"]["scaling"].update(mode="Fixed"))
        assert world.status.champion.version != "1"
        await highest_recorded_ordinal(api, KEY, uid="any")


@pytest.fixture
def world() -> OperatorWorld:
    made = OperatorWorld()
    made.create_model(serving={"scaling": {"mode": "Autoscaling"}, "ingress": {"host": "spam.test"}})
    return made


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


async def test_with_some_namespaces_nothing_is_asked_of_any_other(world, kubeconfig):
    async with api_server(ApiServer()) as server:
        write_kubeconfig(kubeconfig, server.url)
        await lead_for_a_while(server, settings_for(WATCHED_NAMESPACES))
        led = asked_of(server)
    async with api_server(ApiServer(cluster=world.cluster)) as server:
        await make_passes(server, world)
        passed = asked_of(server)
    allowed = {*((place, each) for place in WATCHED_NAMESPACES for each in USED), *((SYSTEM, e) for e in used([LEASE]))}
    assert (led | passed) - allowed == set()
    assert {namespace for namespace, _ in led} == {*WATCHED_NAMESPACES, SYSTEM}
    assert {namespace for namespace, _ in passed} == {KEY[0]}


async def test_with_all_namespaces_each_kind_is_watched_once(kubeconfig):
    async with api_server(ApiServer()) as server:
        write_kubeconfig(kubeconfig, server.url)
        await lead_for_a_while(server, settings_for(()))
        asked = asked_of(server)
    assert {each for place, each in asked if place == EVERYWHERE} <= USED
    assert {each for place, each in asked if place != EVERYWHERE} == used([LEASE])
    watches = {each for each in asked if each[1][2] == "watch"}
    assert watches == {(EVERYWHERE, (kind.group, kind.plural, "watch")) for kind in WATCHED}


class BoundInOne(MemoryCluster):
    """An API server whose rights end at the first of the namespaces."""

    async def schema(self, _kind):
        return dict(crd.resource_schema())

    async def list_pages(self, kind, *, namespace=None, model=None):
        if namespace != WATCHED_NAMESPACES[0]:
            raise Refused(f'{kind.plural} is forbidden in the namespace "{namespace}"')
        async for page in super().list_pages(kind, namespace=namespace, model=model):
            yield page


async def test_a_namespace_that_is_not_bound_is_named_and_not_passed_over():
    async with aiohttp.ClientSession() as http, asyncio.timeout(LIMIT):
        controller = Controller(settings_for(WATCHED_NAMESPACES), BoundInOne(), None, http)
        with pytest.raises(Refused, match=f'is forbidden in the namespace "{WATCHED_NAMESPACES[1]}"'):
            await controller._list()
