"""What does a controller at rest cost? It has this process to itself; `controller_load.py` starts it."""

import argparse
import asyncio
import gc
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import psutil
import structlog
from controller_world import ListedCluster, build_passes

import controller.main  # noqa: F401 - its libraries are part of what a controller has in memory
from autoretrain.domain.spec import SpamModel
from controller.cache import WatchCache
from controller.cluster import SPAM_MODEL, key_of
from controller.delays import DelayQueue
from controller.metrics import ControllerMetrics
from controller.prometheus import MODELS_A_QUERY, QUERIES, PrometheusEvidence
from controller.reconcile import Reconciler
from controller.watches import list_all
from tests.operator.memory_cluster import MemoryCluster

MIB = 2**20
WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a controller at rest costs. `growth_*` are between the first and the last round of the counted passes."""

    listing_seconds: float
    first_passes: float
    steady_passes: float
    cpu_passes: float
    passes: int
    calls: int
    queries: int
    unread: int
    seconds: float
    listed_mib: float
    resident_mib: float
    peak_mib: float
    growth_mib: float
    growth_objects: int


def build_reconciler(
    cluster: MemoryCluster, cache: WatchCache, *, http: aiohttp.ClientSession, url_of: Callable[[SpamModel], str],
    now: datetime,
) -> Reconciler:  # fmt: skip
    def keys_at(_url: str) -> list[tuple[str, str]]:
        return [key_of(model) for model in cache.all(SPAM_MODEL)]

    metrics, evidence = ControllerMetrics(), PrometheusEvidence(http, url_of=url_of, keys_at=keys_at)
    return Reconciler(
        passes=build_passes(cluster, cache, evidence, metrics=metrics, now=now),
        metrics=metrics,
        workers=WORKERS,
        pass_seconds=60.0,
        queue=DelayQueue(10_000),
        now=lambda: now,
    )


async def rest(directory: Path, *, url: str, passes: int, now: datetime) -> Rest:
    """Be a controller over what `directory` lists, until it has made `passes` passes beside the first ones."""
    queries = 0

    async def count(*_: object) -> None:
        nonlocal queries
        queries += 1

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(count)
    cluster, cache = ListedCluster(directory), WatchCache()
    async with aiohttp.ClientSession(trace_configs=[trace]) as http:
        reconciler = build_reconciler(cluster, cache, http=http, url_of=lambda _: f"{url}/quiet", now=now)
        began = time.perf_counter()
        await list_all(cluster, cache, namespaces=())
        listing, listed = time.perf_counter() - began, resident()
        keys = [key_of(model) for model in cache.all(SPAM_MODEL)]
        first = await one_round(reconciler, keys)
        shards = -(-len(keys) // MODELS_A_QUERY)
        while queries < 2 * len(QUERIES) * shards:  # What a first answer and the next one leave behind is no growth.
            await one_round(reconciler, keys)
        before, objects, queries = resident(), collected(), 0
        began, cpu = time.perf_counter(), time.process_time()
        rounds = [await one_round(reconciler, keys) for _ in range(max(passes // len(keys), 1))]
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        grown = collected() - objects
        made = len(rounds) * len(keys)
        return Rest(
            listing_seconds=listing,
            first_passes=len(keys) / first,
            steady_passes=made / sum(rounds),
            cpu_passes=made / cpu,
            passes=made,
            calls=len(cluster.calls),
            queries=queries,
            unread=await count_unread(reconciler, keys),
            seconds=seconds,
            listed_mib=listed,
            resident_mib=resident(),
            peak_mib=peak(),
            growth_mib=resident() - before,
            growth_objects=grown,
        )


async def count_unread(reconciler: Reconciler, keys: list[tuple[str, str]]) -> int:
    """Count the models whose evidence is not there."""
    gatherer = reconciler.passes.gatherer
    documents = [gatherer.cache.get(SPAM_MODEL, *key) for key in keys]
    seen = [await gatherer.gather(document, now=reconciler.now()) for document in documents if document]
    return sum(bool(each.evidence_problem) for each in seen)


async def one_round(reconciler: Reconciler, keys: list[tuple[str, str]]) -> float:
    """Make a pass over every key; return the seconds."""
    began = time.perf_counter()
    for key in keys:
        reconciler.queue.add(key, due=reconciler.monotonic())
    while (key := reconciler.queue.take(reconciler.monotonic())) is not None:
        await reconciler.work_once(key)
    return time.perf_counter() - began


def resident() -> float:
    return float(psutil.Process().memory_info().rss) / MIB


def peak() -> float:
    """Return the most that was resident. What `getrusage` says begins with the parent's memory, not with our own."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def collected() -> int:
    """Count the objects that the collector knows, once what is garbage is gone."""
    gc.collect()
    return len(gc.get_objects())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="listings")
    parser.add_argument("url", help="of what Prometheus answers")
    parser.add_argument("passes", type=int)
    parser.add_argument("now", type=datetime.fromisoformat, help="the time at which nothing is due")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    found = asyncio.run(rest(options.directory, url=options.url, passes=options.passes, now=options.now))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
