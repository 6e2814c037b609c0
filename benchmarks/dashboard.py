"""How long until a page of the dashboard stands, over a store of a month's traffic? And how large does it get?

A store of 1,000,000 predictions and 1,000 decisions, the dashboard as a process of its own, Debian's Chromium: each
page is opened in a new session, from the address to the moment when nothing more is drawn. Beside them, in turn, a page
of Streamlit's with one heading: what is more than that is ours. The first visit of all is told by itself: the process
then reads its libraries.

    python benchmarks/dashboard.py [--predictions 1000000] [--decisions 1000] [--rounds 5]
        [--keep DIRECTORY] [--store ADDRESS]

What the store takes for each page, on SQLite or on PostgreSQL, is `dashboard_queries.py`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import psutil
from bounds import Bounds
from dashboard_store import add_options, filled
from playwright.sync_api import Browser, sync_playwright
from serving_processes import free_port

CHROMIUM = "/usr/bin/chromium"
START_SECONDS = 60
PAGE_SECONDS = 120_000
PAGES = ("", "drift", "decisions", "candidate", "versions", "try-it", "label", "performance", "agent")
EMPTY = "an empty page"
CLOSED_PORT = 1  # nobody listens there, and nobody without privileges can
MUST_SECONDS, AIM_SECONDS, AIM_MIB = 3.0, 1.5, 250
STANDS = "[data-testid=stApp][data-test-script-state=notRunning] h1"


@contextmanager
def dashboard(environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """The dashboard in a process of its own: its address, and the process."""
    port = free_port()
    nobody = f"http://127.0.0.1:{CLOSED_PORT}"
    settings = {"AUTORETRAIN_DASHBOARD_PORT": str(port), "AUTORETRAIN_MLFLOW_TRACKING_URI": nobody}
    with started([sys.executable, "-m", "autoretrain", "dashboard"], environment | settings, port=port) as found:
        yield found


@contextmanager
def empty_page() -> Iterator[tuple[str, psutil.Process]]:
    """The same of a page that has a heading and nothing else."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "empty.py"
        script.write_text('import streamlit as st\nst.title("empty")\n', encoding="utf-8")
        options = [
            "--server.headless",
            "true",
            "--browser.gatherUsageStats",
            "false",
            "--server.fileWatcherType",
            "none",
        ]
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *options]
        with started(command, {}, port=port) as found:
            yield found


@contextmanager
def started(command: list[str], environment: dict[str, str], *, port: int) -> Iterator[tuple[str, psutil.Process]]:
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(address).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def visit(browser: Browser, address: str) -> float:
    """Seconds until the page stands, in a session of its own; what the browser keeps of earlier ones is not there."""
    context = browser.new_context()
    try:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(STANDS, timeout=PAGE_SECONDS)
        return time.perf_counter() - began
    finally:
        context.close()


def cpu_seconds(process: psutil.Process) -> float:
    """What the dashboard itself has computed, which a busy machine does not change."""
    times = process.cpu_times()
    return times.user + times.system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if not Path(CHROMIUM).exists():
        parser.error(f"{CHROMIUM} is not there; Debian's package chromium has it")
    with filled(options) as environment:
        return measure(environment, rounds=options.rounds)


def measure(environment: dict[str, str], *, rounds: int) -> int:
    seconds: dict[str, list[float]] = {page: [] for page in (*PAGES, EMPTY)}
    cpu: dict[str, list[float]] = {page: [] for page in (*PAGES, EMPTY)}
    mib: dict[str, float] = {}
    with dashboard(environment) as (address, process), empty_page() as (beside, idle), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        places = {page: (f"{address}/{page}", process) for page in PAGES} | {EMPTY: (beside, idle)}
        first = visit(browser, address)
        for page, (place, server) in places.items():
            visit(browser, place)
            mib[page] = server.memory_info().rss / 2**20
        for _ in range(rounds):
            for page, (place, server) in places.items():
                used = cpu_seconds(server)
                seconds[page].append(visit(browser, place))
                cpu[page].append(cpu_seconds(server) - used)
        largest = process.memory_info().rss / 2**20
        browser.close()
    print(f"n = {rounds}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; the first visit took {first:.2f} s")
    print(f"{'page':<16}{'median s':>10}{'max s':>8}{'ratio':>8}{'CPU s':>8}{'MiB after it':>14}")
    for page, taken in seconds.items():
        figures = f"{median(taken):>10.2f}{max(taken):>8.2f}{median(taken) / median(seconds[EMPTY]):>8.2f}"
        print(f"{page or 'overview':<16}{figures}{median(cpu[page]):>8.2f}{mib[page]:>14.0f}")
    slowest = max(median(seconds[page]) for page in PAGES)
    bounds = Bounds()
    bounds.must(f"slowest page, median < {MUST_SECONDS:.0f} s", f"{slowest:.2f} s", met=slowest < MUST_SECONDS)
    bounds.aim(f"slowest page, median <= {AIM_SECONDS} s", f"{slowest:.2f} s", met=slowest <= AIM_SECONDS)
    bounds.aim(f"memory <= {AIM_MIB} MiB", f"{largest:.0f} MiB", met=largest <= AIM_MIB)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
