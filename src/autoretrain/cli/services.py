"""The long-running parts, each as a process of its own: train, serve, monitor, dashboard."""

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from autoretrain.adapters.settings import Settings
from autoretrain.cli import train
from autoretrain.domain.errors import AutoRetrainError

if TYPE_CHECKING:
    from autoretrain.adapters.alerts import AlertSender


def add_commands(commands: Any) -> None:
    training = commands.add_parser("train", help="train and register a candidate")
    train.add_arguments(training)
    training.set_defaults(run=train.run)

    run = commands.add_parser("training-run", help="one run of the local controller (internal)")
    run.add_argument("--run-directory", type=Path, required=True)
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    run.set_defaults(run=training_run)

    serve = commands.add_parser("serve", help="serve the champion over HTTP")
    serve.set_defaults(run=serve_champion)

    monitor = commands.add_parser("monitor", help="measure drift and live quality; decide and act")
    add_monitor_arguments(monitor)
    monitor.set_defaults(run=run_monitor)

    dashboard = commands.add_parser("dashboard", help="the dashboard")
    dashboard.set_defaults(run=run_dashboard)


def add_monitor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check-now", action="store_true", help="print one check and its decision; act on nothing")
    how.add_argument("--publish", action="store_true", help="measure and publish only; another process decides")
    how.add_argument("--schedule", action="store_true", help="wake only when the schedule says so")


def training_run(arguments: argparse.Namespace) -> int:
    from autoretrain.cli.training_run import run

    handed_on = [a for i, a in enumerate(arguments.arguments) if not (i == 0 and a == "--")]
    return run(arguments.run_directory, handed_on)


def serve_champion(_arguments: argparse.Namespace) -> int:
    return become([sys.executable, "-m", "autoretrain.serving"])


def become(command: list[str]) -> int:
    """Turn this process into `command`, so that signals reach it; where the system can't, run it as a child."""
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - the command is ours
    return subprocess.call(command)


def run_monitor(arguments: argparse.Namespace) -> int:
    from autoretrain.adapters.alert_addresses import AlertSettings
    from autoretrain.adapters.alerts import AlertSender
    from autoretrain.app.local import LocalWorld
    from autoretrain.app.monitor import Monitor, repeat
    from autoretrain.app.scheduling import run_schedule
    from autoretrain.app.signals import Stopped, stopping_on_signals
    from autoretrain.cli import check

    settings = Settings()
    if arguments.publish:
        return publish_figures(settings)
    sender = AlertSender.from_environment()
    world = LocalWorld.open(
        settings,
        expect_serving=False,
        notify=sender.send,
        keep_last_document=not arguments.check_now,
        dashboard_url=AlertSettings().dashboard_url,
    )
    monitor = Monitor(world)
    if arguments.check_now:
        return check.print_check(monitor)
    try:
        with stopping_on_signals(), world.state.lock(purpose="monitor"):
            sender.resume(world.store)
            if arguments.schedule:
                run_schedule(world)
            repeat(check.acting_and_printing(monitor), stop=threading.Event())
    except Stopped as stopped:
        return stopped.code
    finally:
        sender.close()
        world.close()
    return 0


def publish_figures(settings: Settings) -> int:
    """Measure and publish until a signal. The page is there from the start, with what is known by then.

    On a cluster the controller brings alerts here, which go to the addresses that this process alone has.
    """
    from autoretrain.adapters.logs import configure_logging
    from autoretrain.app import monitor_http
    from autoretrain.app.alert_totals import totals_of
    from autoretrain.app.local import LocalWorld
    from autoretrain.app.monitor import Monitor, MonitorMetrics, open_patiently, repeat
    from autoretrain.app.signals import Stopped, stopping_on_signals

    configure_logging(settings.log_level)
    metrics = MonitorMetrics()
    sender = open_sender() if settings.status_file is not None else None
    # Without an address the door is shut, so that the controller says, and counts, what was not sent.
    take = functools.partial(sender.send, settings.model) if sender and sender.counts_by_channel else None
    test = functools.partial(sender.test, settings.model) if sender else None
    totals = functools.partial(totals_of, sender) if sender else None
    try:
        with stopping_on_signals():
            monitor_http.serve(metrics.registry, host=settings.host, port=settings.monitor_port, take=take, test=test)
            world = open_patiently(lambda: LocalWorld.open(settings, expect_serving=False))
            with contextlib.closing(world):
                if sender:
                    sender.resume(world.store)
                repeat(Monitor(world, metrics, totals).publish, stop=threading.Event())
    except Stopped as stopped:
        return stopped.code
    finally:
        if sender:
            sender.close()
    return 0


def open_sender() -> "AlertSender":
    """Return the sender to the addresses of the environment; to none where they can't be used: figures go on."""
    from autoretrain.adapters.alerts import AlertSender

    try:
        return AlertSender.from_environment()
    except AutoRetrainError as error:
        structlog.get_logger("autoretrain.monitor").error("no alert is sent", error=str(error))
        return AlertSender(())


def run_dashboard(_arguments: argparse.Namespace) -> int:
    settings = Settings()
    page = Path(__file__).parent.parent / "dashboard" / "entry" / "main.py"
    # Each session has threads of its own, and glibc would keep memory apart for each of them.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    # So would the allocator that Arrow brings: 4 MiB more than libc's for our small tables.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    return become(
        [
            *(sys.executable, "-m", "streamlit", "run", str(page)),
            *("--server.address", settings.host, "--server.port", str(settings.dashboard_port)),
            *("--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
        ]
    )
