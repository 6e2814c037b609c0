"""What does an experiment cost the champion? Its p99 beside an A/B test and beside a shadow, over its p99 without.

One server whose deployment changes between the turns of a round, and the same load in each: messages that the champion
answers in all of them on one connection, the others, which the second version answers in the A/B test, on another.
The second version has the champion's model, so what is measured is the way and not the size of a model.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx
import uvloop
from bounds import Bounds
from closed_loop import Load, run_load
from serving import build_requests, prepare
from serving_processes import MODEL, OURS, TARGETS, Server, serve

from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.spec import ExperimentMode
from autoretrain.ml.variants import Profile

MUST_P99 = 1.05
PERCENT = 50
LIMIT_SECONDS = 30.0
SHOWN = 400
MODES = (ExperimentMode.DISABLED, ExperimentMode.AB, ExperimentMode.SHADOW)


def deploy(directory: Path, server: Server, mode: ExperimentMode) -> None:
    """Deploy the champion beside a second version, or alone, and wait until serving says so."""
    with Store(f"sqlite:///{directory / 'store.db'}", model=MODEL) as store:
        present = store.deployment()
        second = Experiment(mode=mode, version="2", digest=present.digest, percent=PERCENT)
        wanted = None if mode is ExperimentMode.DISABLED else second
        store.deploy(Deployment(version=present.version, digest=present.digest, experiment=wanted))
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        current = httpx.get(f"http://127.0.0.1:{server.port}/models/current", timeout=5).json()["experiment"]
        if (current["mode"] if current else ExperimentMode.DISABLED) == mode:
            return
        time.sleep(0.1)
    raise SystemExit(f"{mode} was not served within {LIMIT_SECONDS:.0f} s")


def met_by(server: Server, rows: list[LabelledMessage]) -> tuple[list[LabelledMessage], list[LabelledMessage]]:
    """Return the messages that meet the champion in the A/B test that is served, and those that meet the other."""
    champion, second = [], []
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as http:
        for row in rows:
            answer = http.post("/predict", json={"message": row.text}).raise_for_status()
            (champion if answer.json()["model_version"] == "v1" else second).append(row)
    return champion, second


async def _both(port: int, champion: list[bytes], second: list[bytes], *, seconds: float) -> Load:
    """Return the load of the champion's messages while the others are sent too."""
    measured, beside = await asyncio.gather(
        run_load(port, champion, connections=1, seconds=seconds), run_load(port, second, connections=1, seconds=seconds)
    )
    if measured.failed or beside.failed:
        raise SystemExit(f"{measured.failed + beside.failed} requests failed")
    return measured


def compare(directory: Path, server: Server, rows: list[LabelledMessage], options: argparse.Namespace) -> Bounds:
    deploy(directory, server, ExperimentMode.AB)
    champion, second = (build_requests(part) for part in met_by(server, rows))
    p99: dict[ExperimentMode, list[float]] = {mode: [] for mode in MODES}
    for number in range(options.rounds):
        # The order changes: whoever comes first in each round would have the machine as the others leave it.
        for mode in MODES[number % 3 :] + MODES[: number % 3]:
            deploy(directory, server, mode)
            uvloop.run(_both(server.port, champion, second, seconds=0.5))
            p99[mode].append(uvloop.run(_both(server.port, champion, second, seconds=options.seconds)).quantile(0.99))
    bounds, alone = Bounds(), p99[ExperimentMode.DISABLED]
    for mode in (ExperimentMode.AB, ExperimentMode.SHADOW):
        ratios = sorted(beside / without for beside, without in zip(p99[mode], alone, strict=True))
        ratio = median(ratios)
        print(f"{mode}: p99 {median(p99[mode]) * 1e3:.2f} ms, without {median(alone) * 1e3:.2f} ms; ratios by round "
              f"{ratios[0]:.2f} to {ratios[-1]:.2f}")  # fmt: skip
        bounds.must(f"champion's p99 beside {mode} <= {MUST_P99} x without", f"{ratio:.2f} x", met=ratio <= MUST_P99)
    return bounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Profile, default=Profile.WORD_AND_CHARACTER, choices=list(Profile))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autoretrain-bench-") as name:
        directory = Path(name)
        rows = prepare(directory, profile=options.profile)[:SHOWN]
        print(f"profile {options.profile}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        with serve(OURS, TARGETS[OURS], directory=directory) as server:
            return compare(directory, server, rows, options).report()


if __name__ == "__main__":
    raise SystemExit(main())
