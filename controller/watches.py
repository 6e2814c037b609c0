"""How does the cluster reach the cache? kopf watches every kind and hands events on; a listing repairs what it lost.

Only `on.event` handlers: they add no finalizer and no annotation, so that with no controller running a SpamModel is
deleted at once and carries nothing of ours.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import kopf
import structlog

from controller.api import log_in
from controller.cache import Key, WatchCache
from controller.cluster import (
    GROUP,
    MODEL_LABEL,
    WATCHED,
    ClusterError,
    ClusterPort,
    Kind,
    NotFound,
    Object,
    Watch,
    key_of,
)
from controller.decisions import prune_decisions
from controller.settings import ControllerSettings

SERVER_TIMEOUT_SECONDS: Final = 600
EXIT_SECONDS: Final = 10.0
PAGE: Final = 500
WATCH_TASK: Final = "watcher for "
"""What kopf's names of the tasks begin with that watch one kind each."""

log = structlog.get_logger("autoretrain.controller")


class KindsAppeared(ClusterError):  # noqa: N818 - named for what it reports
    """The cluster has an optional kind that it lacked at the start: the watches must be begun anew, with it."""


HandOver = Callable[[Object, bool], None]
"""Takes an object as it is now; True: it was deleted."""


def build_registry(hand_over: HandOver, kinds: Sequence[Kind]) -> kopf.OperatorRegistry:
    """Return kopf's registry: one event handler a kind, and the log-in."""
    registry = kopf.OperatorRegistry()
    for kind in kinds:
        _watch(registry, kind, hand_over)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return log_in()

    return registry


def _watch(registry: kopf.OperatorRegistry, kind: Kind, hand_over: HandOver) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
    async def seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        thing = {**body, "apiVersion": kind.api_version, "kind": kind.name}
        hand_over(thing, type == "DELETED")


def build_settings(settings: ControllerSettings, kinds: Sequence[Kind]) -> kopf.OperatorSettings:
    """Return kopf's settings: what is watched is chosen by the server, and nothing is written to any object."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True  # Namespaces and definitions are neither listed nor watched.
    chosen.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    chosen.watching.chunk_size = PAGE
    chosen.networking.request_timeout = settings.request_seconds
    chosen.networking.connect_timeout = settings.request_seconds
    chosen.networking.enforce_retry_after = True
    chosen.posting.enabled = False
    chosen.process.ultimate_exiting_timeout = EXIT_SECONDS
    # Not used, since nothing is persisted; named as ours in case that ever changes.
    chosen.persistence.finalizer = f"{GROUP}/finalizer"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    for kind in kinds:
        if kind.watch is Watch.OURS:
            chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = MODEL_LABEL
    return chosen


class WatchThread:
    """kopf in a thread and an event loop of its own: what it does at its end touches no pass, and no pass its streams.

    `hand_over` is called there. `failure` says why it ended, '' while it runs.
    """

    def __init__(self, settings: ControllerSettings, kinds: Sequence[Kind], hand_over: HandOver) -> None:
        self._registry = build_registry(hand_over, kinds)
        self._settings = build_settings(settings, kinds)
        self._namespaces = settings.watched_namespaces
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)
        self.failure = ""

    def start(self) -> None:
        # It would warn that it does not see signals outside the main thread; it is told to stop by its flag.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(EXIT_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
            self.failure = self.failure or "the watches have ended"
        except Exception as error:
            # Whatever it was, the process must not go on without watches; who waits for them ends it.
            log.exception("the watches have failed")
            self.failure = f"the watches have failed: {error}"

    async def _watch(self) -> None:
        asyncio.get_running_loop().set_task_factory(self._begin)
        await kopf.operator(
            registry=self._registry,
            settings=self._settings,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._stop,
        )

    def _begin(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
        task = asyncio.Task(work, loop=loop, **options)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """Stop kopf where one watch failed: it waits for the others, which do not end, and then kills the process."""
        if task.get_name().startswith(WATCH_TASK) and not task.cancelled() and (error := task.exception()):
            self.failure = f"a {task.get_name()} has failed: {error}"
            self._stop.set()


async def list_all(cluster: ClusterPort, cache: WatchCache, *, namespaces: Sequence[str]) -> tuple[Kind, ...]:
    """List every watched kind into the cache; return the kinds that are there. Raises ClusterError.

    SpamModels come last: when one is seen, its children are known.
    """
    present = []
    for kind in sorted(WATCHED, key=lambda kind: kind.watch is Watch.ALL):
        try:
            for namespace in namespaces or (None,):
                listed_at = time.monotonic()
                listed: set[Key] = set()
                async for page in cluster.list_pages(kind, namespace=namespace):
                    for thing in page:
                        listed.add(key_of(thing))
                        cache.put(thing)
                cache.drop_unlisted(kind, listed, listed_at=listed_at, namespace=namespace)
        except NotFound:
            if not kind.optional:
                raise
            continue
        present.append(kind)
    return tuple(present)


async def keep_listing(
    cluster: ClusterPort,
    cache: WatchCache,
    *,
    kinds: Sequence[Kind],
    namespaces: Sequence[str],
    seconds: float,
    stop: asyncio.Event,
    count_call: Callable[[str], None],
) -> None:
    """List everything now and then: a watch that is begun anew never tells what was deleted in between.

    What is not watched is listed too: decisions, to delete old ones. Raises KindsAppeared where there is a kind that is
    not among `kinds`, those that are watched.
    """
    while not stop.is_set():
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            try:
                present = await list_all(cluster, cache, namespaces=namespaces)
                await prune_decisions(cluster, namespaces=namespaces, count_call=count_call)
            except ClusterError as error:
                log.warning("what is there could not be listed and pruned", error=str(error))
                continue
            if appeared := ", ".join(kind.name for kind in present if kind not in kinds):
                raise KindsAppeared(f"the cluster has {appeared} now, which is not watched: starting anew") from None
