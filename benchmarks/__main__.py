"""Every benchmark, one after another, each in a process of its own: `python -m benchmarks [name ...] [-- option ...]`.

What stands behind `--` are options of each that is named. One whose data is not there is skipped, and said so. The exit
code is 1 where one failed or missed what must hold.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.real_messages import data_dir

HERE = Path(__file__).resolve().parent
NEEDS = {
    "drift": "truth_dev.json",
    "experiments": "SMSSpamCollection",
    "poisoning": "SMSSpamCollection",
    "promotion": "SMSSpamCollection",
    "quality": "SMSSpamCollection",
    "recovery": "truth_dev.json",
    "scoring": "SMSSpamCollection",
    "serving": "SMSSpamCollection",
    "training": "SMSSpamCollection",
}
"""The file of the data directory without which a benchmark has nothing to measure; the others need none."""

NAMES = (*NEEDS, "agent", "controller_load", "dashboard", "dashboard_queries", "registry", "triggers")
LONGEST_SECONDS = 3600


def run(name: str, options: Sequence[str]) -> str:
    """Run one benchmark to its end, its output going where ours goes; return how it ended."""
    needed = data_dir() / NEEDS[name] if name in NEEDS else None
    if needed is not None and not needed.exists():
        return f"skipped: {needed} is not there; AUTORETRAIN_DATA_DIR names the directory of the data"
    try:
        code = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], timeout=LONGEST_SECONDS).returncode
    except subprocess.TimeoutExpired:
        return f"FAILED: not done after {LONGEST_SECONDS} s"
    return "done" if code == 0 else f"FAILED or missed a bound: exit {code}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(sorted(NAMES))}; default: all")
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    options = given[end + 1 :]
    chosen = parser.parse_args(given[:end]).names or sorted(NAMES)
    if unknown := [name for name in chosen if name not in NAMES]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(sorted(NAMES))}")
    ended = {}
    for name in chosen:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        ended[name] = f"{run(name, options)} ({time.perf_counter() - started:.0f} s)"
    print("\n== all")
    for name, how in ended.items():
        print(f"{name:16} {how}")
    return int(any("FAILED" in how for how in ended.values()))


if __name__ == "__main__":
    raise SystemExit(main())
