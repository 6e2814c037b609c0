"""What the cache knows after listings and streams, from an API server over HTTP, however they were interrupted."""

import asyncio

import kopf
import pytest
from aiohttp import web

from controller.api import KubernetesApi
from controller.cache import WatchCache
from controller.cluster import (
    CONFIG_MAP,
    JOB,
    POD_MONITOR,
    ROUTE,
    SPAM_MODEL,
    WATCHED,
    Kind,
    NotFound,
    Object,
    Unreachable,
)
from controller.settings import ControllerSettings
from controller.watches import KindsAppeared, WatchThread, build_settings, keep_listing, list_all
from tests.operator.api_server import ApiServer, api_server, status, write_kubeconfig

LABEL = {"autoretrain.dev/spammodel": "sms"}
SETTINGS = ControllerSettings(namespaces="tenant-a", request_seconds=5)
KINDS = (SPAM_MODEL, CONFIG_MAP)
LIMIT = 10.0
OFTEN = {"kinds": WATCHED, "namespaces": (), "seconds": 0.01, "count_call": lambda _verb: None}


@pytest.fixture
async def server():
    async with api_server(ApiServer()) as listening:
        yield listening


@pytest.fixture
async def api(server):
    async with KubernetesApi(kopf.ConnectionInfo(server=server.url), seconds=5) as opened:
        yield opened


def thing(kind: Kind, name: str, *, namespace="tenant-a", labels=LABEL, **parts) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **parts}


# Listings.


async def test_a_listing_fills_the_cache_and_says_which_kinds_are_there(server, api):
    model = server.cluster.put(thing(SPAM_MODEL, "sms", labels={}))
    settings = server.cluster.put(thing(CONFIG_MAP, "sms-settings", data={"a": "1"}))
    server.cluster.put(thing(CONFIG_MAP, "somebody-elses", labels={}))
    server.cluster.put(thing(SPAM_MODEL, "sms", namespace="tenant-b"))
    cache = WatchCache()
    present = await list_all(api, cache, namespaces=("tenant-a",))
    assert {kind.name for kind in present} == {kind.name for kind in WATCHED}
    assert (cache.all(SPAM_MODEL), cache.all(CONFIG_MAP)) == ((model,), (settings,))


async def test_models_are_listed_last_so_that_their_children_are_known_when_they_are_seen(server, api):
    server.cluster.put(thing(SPAM_MODEL, "sms"))
    child = server.cluster.put(thing(JOB, "sms-train-1"))
    cache, known = WatchCache(), []

    def changed(key):
        if cache.get(SPAM_MODEL, *key):
            known.append(cache.of_model(JOB, key))

    cache.changed = changed
    await list_all(api, cache, namespaces=())
    assert known == [(child,)]


async def test_what_was_deleted_while_nobody_watched_is_gone_after_the_next_listing(server, api):
    kept, lost = (server.cluster.put(thing(JOB, f"sms-train-{number}")) for number in range(2))
    elsewhere = server.cluster.put(thing(JOB, "sms-train-9", namespace="tenant-b"))
    cache, woken = WatchCache(), []
    await list_all(api, cache, namespaces=("tenant-a", "tenant-b"))
    cache.changed = woken.append
    server.cluster.remove(("Job", "tenant-a", lost["metadata"]["name"]))
    server.cluster.remove(("Job", "tenant-b", elsewhere["metadata"]["name"]))
    await list_all(api, cache, namespaces=("tenant-a",))
    assert cache.all(JOB) == (kept, elsewhere)  # Of a namespace that was not listed nothing is known.
    assert woken == [("tenant-a", "sms")]


async def test_what_was_seen_during_a_listing_that_does_not_have_it_yet_stays(server, api):
    cache = WatchCache()

    async def late(request):
        # The answer is older than what a watch says meanwhile.
        answer = web.json_response({"items": [], "metadata": {}})
        if request.path.endswith("/jobs"):
            cache.put(server.cluster.put(thing(JOB, "sms-train-1")))
        return answer

    server.instead.extend([late] * len(WATCHED))
    await list_all(api, cache, namespaces=())
    assert [job["metadata"]["name"] for job in cache.all(JOB)] == ["sms-train-1"]


async def test_kinds_that_are_optional_and_not_installed_do_no_harm(server, api):
    server.cluster.missing_kinds = frozenset({"PodMonitor", "HTTPRoute"})
    model = server.cluster.put(thing(SPAM_MODEL, "sms"))
    cache = WatchCache()
    present = await list_all(api, cache, namespaces=())
    assert [kind for kind in WATCHED if kind not in present] == [ROUTE, POD_MONITOR]
    assert cache.all(SPAM_MODEL) == (model,)


async def test_our_own_definition_that_is_not_installed_is_an_error(server, api):
    server.cluster.missing_kinds = frozenset({"SpamModel"})
    with pytest.raises(NotFound):
        await list_all(api, WatchCache(), namespaces=())


async def test_a_listing_that_fails_drops_nothing(server, api):
    server.cluster.put(thing(JOB, "sms-train-1"))
    cache = WatchCache()
    await list_all(api, cache, namespaces=())
    before = cache.all(JOB)

    async def refuse(_request):
        return status(500, "InternalError", "etcd")

    server.instead.extend([refuse] * len(WATCHED))
    with pytest.raises(Unreachable):
        await list_all(api, cache, namespaces=())
    assert cache.all(JOB) == before != ()


async def test_listings_go_on_after_one_that_failed_until_they_are_told_to_stop(server, api):
    lost = server.cluster.put(thing(JOB, "sms-train-1"))
    cache, stop = WatchCache(), asyncio.Event()
    await list_all(api, cache, namespaces=())
    server.cluster.remove(("Job", "tenant-a", lost["metadata"]["name"]))
    cache.changed = lambda _key: stop.set()

    async def refuse(_request):
        return status(503, "ServiceUnavailable", "starting")

    server.instead.append(refuse)
    async with asyncio.timeout(LIMIT):
        await keep_listing(api, cache, stop=stop, **OFTEN)
    assert (cache.all(JOB), len(server.instead)) == ((), 0)


async def test_a_kind_that_is_installed_later_ends_the_controller_so_that_it_starts_with_it(server, api):
    server.cluster.missing_kinds = frozenset({"HTTPRoute"})
    cache = WatchCache()
    kinds = await list_all(api, cache, namespaces=())
    server.cluster.missing_kinds = frozenset()
    async with asyncio.timeout(LIMIT):
        with pytest.raises(KindsAppeared, match="HTTPRoute"):
            await keep_listing(api, cache, stop=asyncio.Event(), **{**OFTEN, "kinds": kinds})


# Streams.


class Watching:
    """What a thread that watches has handed over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._seen: asyncio.Queue[tuple[Object, bool]] = asyncio.Queue()

    def hand_over(self, seen: Object, gone: bool) -> None:
        self._loop.call_soon_threadsafe(self._seen.put_nowait, (seen, gone))

    async def next(self) -> tuple[Object, bool]:
        async with asyncio.timeout(LIMIT):
            return await self._seen.get()

    def rest(self) -> list[tuple[Object, bool]]:
        return [self._seen.get_nowait() for _ in range(self._seen.qsize())]


@pytest.fixture
async def watch(server, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """Begins to watch; what was begun is ended after the test."""
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", server.url)))
    threads = []

    async def begin(kinds=KINDS, settings=SETTINGS):
        watching = Watching()
        thread = WatchThread(settings, kinds, watching.hand_over)
        threads.append(thread)
        thread.start()
        async with asyncio.timeout(LIMIT):
            await server.until_streams(len(kinds))
        return watching, thread

    yield begin
    for thread in threads:
        await asyncio.to_thread(thread.stop)


async def test_what_is_there_and_each_change_of_it_are_handed_over(server, watch):
    first = server.cluster.put(thing(SPAM_MODEL, "sms", spec={"text": 1}))
    watching, thread = await watch()
    assert await watching.next() == (first, False)
    second = server.cluster.put({**first, "spec": {"text": 2}})
    await server.tell()
    assert await watching.next() == (second, False)
    server.cluster.remove(("SpamModel", "tenant-a", "sms"))
    await server.tell()
    last, gone = await watching.next()
    assert (last["metadata"]["uid"], gone) == (first["metadata"]["uid"], True)
    assert thread.failure == ""


async def test_the_server_is_asked_for_our_children_only_and_nothing_is_written_to_any_object(server, watch):
    server.cluster.put(thing(CONFIG_MAP, "somebody-elses", labels={}))
    server.cluster.put(thing(CONFIG_MAP, "sms-settings", namespace="tenant-b"))
    ours = server.cluster.put(thing(CONFIG_MAP, "sms-settings"))
    watching, _ = await watch()
    assert await watching.next() == (ours, False)
    server.cluster.put(thing(CONFIG_MAP, "somebody-elses-too", labels={}))
    later = server.cluster.put(thing(CONFIG_MAP, "sms-settings-2"))
    await server.tell()
    assert (await watching.next(), watching.rest()) == ((later, False), [])
    selectors = {
        call.path.rpartition("/")[2]: call.query.get("labelSelector") for call in server.asked if "limit" in call.query
    }
    assert selectors == {"spammodels": None, "configmaps": "autoretrain.dev/spammodel"}
    assert {call.method for call in server.asked} == {"GET"}


async def test_a_stream_that_ends_is_begun_anew_where_it_was(server, watch):
    first = server.cluster.put(thing(SPAM_MODEL, "sms", spec={"text": 1}))
    watching, _ = await watch()
    await watching.next()
    second = server.cluster.put({**first, "spec": {"text": 2}})
    await server.cut_streams()
    assert (await watching.next(), watching.rest()) == ((second, False), [])


async def test_after_410_gone_what_is_there_is_listed_again(server, watch):
    first = server.cluster.put(thing(SPAM_MODEL, "sms", spec={"text": 1}))
    watching, thread = await watch()
    await watching.next()
    second = server.cluster.put({**first, "spec": {"text": 2}})
    await server.cut_streams(forget=True)
    assert await watching.next() == (second, False)
    third = server.cluster.put({**first, "spec": {"text": 3}})
    async with asyncio.timeout(LIMIT):
        await server.until_streams(2 * len(KINDS) + 2)  # refused ones count, too
    await server.tell()
    seen = await watching.next()
    while seen == (second, False):
        seen = await watching.next()
    assert (seen, thread.failure) == ((third, False), "")


async def test_watches_that_are_told_to_stop_end_within_their_limit(server, watch):
    _, thread = await watch()
    await asyncio.to_thread(thread.stop)
    assert (thread.failure, thread._thread.is_alive()) == ("the watches have ended", False)


async def test_a_watch_that_fails_ends_them_all_and_says_why(server, watch):
    _, thread = await watch()
    await server.break_streams({"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"})
    await asyncio.to_thread(thread._thread.join, LIMIT)
    assert "etcd is away" in thread.failure
    assert not thread._thread.is_alive()


def test_no_object_is_given_a_finalizer_an_annotation_or_an_event_and_every_call_has_a_limit():
    chosen = build_settings(SETTINGS, KINDS)
    assert (
        chosen.posting.enabled,
        chosen.scanning.disabled,
        chosen.watching.server_timeout,
        chosen.networking.request_timeout,
        chosen.networking.connect_timeout,
    ) == (False, True, 600, 5, 5)
