"""How much can one controller look after? Passes a second, calls, memory, growth, and drift until there is a Job.

A thousand models, each with a champion served, are made by real passes on an API server in memory. Another process is
then the controller at rest: the libraries of `controller.main`, the listings, and evidence over HTTP from a Prometheus
that has every series of every model. Its memory is its own; the API server and Prometheus are elsewhere.

For the time to a Job all models are queued at once while some drift, and the reconciler works through its queue. The
API server takes no time to answer there: what is measured is the controller's part.

    python benchmarks/controller_load.py [--models 1000] [--decisions 10] [--drifting 100] [--seed 0]
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from random import Random
from statistics import median, quantiles

import aiohttp
import structlog
from bounds import Bounds
from controller_rest import Rest, build_reconciler, one_round
from controller_world import build_world, prometheus, write_answers, write_listings

from controller.cache import WatchCache
from controller.cluster import JOB, SPAM_MODEL, key_of
from controller.prometheus import MODELS_A_QUERY, QUERIES
from controller.watches import list_all
from tests.operator.operator_world import OperatorWorld

HERE = Path(__file__).resolve().parent
LEAST_PASSES_A_SECOND, MOST_MEMORY_MIB, LONGEST_SECONDS, AIM_SECONDS = 200, 150, 60.0, 2.0
MOST_GROWTH_MIB = 5.0
LIMIT_SECONDS = 600


async def drift_to_jobs(world: OperatorWorld, *, url: str, drifting: set[str], order: Random) -> list[float]:
    """Let those models drift at once while all are due; return the seconds until each one's Job is there."""
    jobs: dict[str, float] = {}

    def seen(number: int) -> None:
        verb, kind, name = world.cluster.calls[number - 1]
        if (verb, kind) == ("create", JOB.name):
            jobs[name] = time.perf_counter() - began
            if len(jobs) == len(drifting):
                stop.set()

    cache, stop, place = WatchCache(), asyncio.Event(), ["quiet"]
    await list_all(world.cluster, cache, namespaces=())
    async with aiohttp.ClientSession() as http:
        reconciler = build_reconciler(
            world.cluster, cache, http=http, url_of=lambda _: f"{url}/{place[0]}", now=world.now
        )
        keys = [key_of(model) for model in cache.all(SPAM_MODEL)]
        await one_round(reconciler, keys)
        cache.changed, world.cluster.after, place[0] = reconciler.wake, seen, "drifting"
        order.shuffle(keys)
        began = time.perf_counter()
        for key in keys:
            reconciler.wake(key)
        async with asyncio.timeout(LIMIT_SECONDS):
            await reconciler.run(stop)
    return sorted(jobs.values())


def measure_rest(directory: Path, *, url: str, passes: int, now: datetime) -> Rest:
    command = [sys.executable, str(HERE / "controller_rest.py"), str(directory), url, str(passes), now.isoformat()]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT_SECONDS, check=True, text=True)
    return Rest(**json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=10, help="of each model; a controller keeps the newest 100")
    parser.add_argument("--passes", type=int, default=10_000, help="of the controller at rest")
    parser.add_argument("--drifting", type=int, default=100, help="models that drift at once, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began, random = time.perf_counter(), Random(options.seed)
    world = build_world(options.models, decisions=options.decisions)
    names = sorted(model["metadata"]["name"] for model in world.cluster.of(SPAM_MODEL))
    drifting = set(random.sample(names, options.drifting))
    print(f"{options.models} models at rest, {len(world.cluster.objects)} objects, seed {options.seed}, made in "
          f"{time.perf_counter() - began:.0f} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="autoretrain-controller-") as temporary:
        directory = Path(temporary)
        write_listings(world.cluster, directory)
        write_answers(world, directory / "quiet", drifting=())
        write_answers(world, directory / "drifting", drifting=drifting)
        with prometheus(directory) as url:
            found = measure_rest(directory, url=url, passes=options.passes, now=world.now)
            seconds = asyncio.run(drift_to_jobs(world, url=url, drifting=drifting, order=random))
    return report(found, seconds, models=options.models)


def report(found: Rest, seconds: list[float], *, models: int) -> int:
    n, longest, p95 = len(seconds), seconds[-1], quantiles(seconds, n=20)[-1]
    print(
        f"listing {found.listing_seconds:.1f} s, {found.listed_mib:.0f} MiB after it; at most {found.peak_mib:.0f} MiB"
    )
    print(f"first passes {found.first_passes:.0f}/s; then {found.steady_passes:.0f}/s, "
          f"{found.cpu_passes:.0f} in a second of CPU; {found.queries} queries in {found.seconds:.0f} s")  # fmt: skip
    print(f"drift to Job, n = {n}: median {median(seconds):.2f} s, p95 {p95:.2f} s, longest {longest:.2f} s")
    rate, memory, growth = found.steady_passes, found.resident_mib, found.growth_mib
    bounds, queries = Bounds(), len(QUERIES) * -(-models // MODELS_A_QUERY)
    bounds.must("API calls of all passes at rest: 0", f"{found.calls}", met=found.calls == 0)
    bounds.must("models without evidence, under the controller's own limits: 0", f"{found.unread}",
                met=found.unread == 0)  # fmt: skip
    bounds.must(f"queries: {queries} for all models, once a second at most", f"{found.queries}",
                met=found.queries <= queries * (found.seconds + 1))  # fmt: skip
    leaked = found.growth_objects / found.passes
    bounds.must("no leak: objects that each pass leaves behind < 1", f"{leaked:+.2f}", met=leaked < 1)
    bounds.aim(f"growth of memory over {found.passes} passes <= {MOST_GROWTH_MIB:.0f} MiB", f"{growth:+.1f} MiB",
               met=growth <= MOST_GROWTH_MIB)  # fmt: skip
    bounds.must(f"drift to Job < {LONGEST_SECONDS:.0f} s", f"{longest:.2f} s", met=longest < LONGEST_SECONDS)
    bounds.aim(f"drift to Job, p95 < {AIM_SECONDS:.0f} s", f"{p95:.2f} s", met=p95 < AIM_SECONDS)
    bounds.aim(f"passes a second >= {LEAST_PASSES_A_SECOND}", f"{rate:.0f}", met=rate >= LEAST_PASSES_A_SECOND)
    bounds.aim(f"resident memory <= {MOST_MEMORY_MIB} MiB", f"{memory:.0f} MiB", met=memory <= MOST_MEMORY_MIB)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
