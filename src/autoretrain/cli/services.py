"""The long-running parts, each as a process of its own: train, serve, monitor, dashboard."""

import argparse
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from autoretrain.adapters.settings import Settings


def add_commands(commands: Any) -> None:
    train = commands.add_parser("train", help="train and register a candidate", add_help=False)
    train.add_argument("arguments", nargs=argparse.REMAINDER)
    train.set_defaults(run=lambda arguments: train_main(arguments.arguments))

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


def train_main(argv: list[str]) -> int:
    from autoretrain.cli import train

    return train.main(argv)


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
    from autoretrain.adapters.alerts import AlertSender
    from autoretrain.app.local import LocalWorld
    from autoretrain.app.monitor import Monitor, repeat, serve_metrics
    from autoretrain.app.scheduling import run_schedule
    from autoretrain.app.signals import Stopped, stopping_on_signals
    from autoretrain.cli import check

    settings = Settings()
    sender = AlertSender.from_environment()
    world = LocalWorld.open(settings, expect_serving=False, notify=sender.send)
    monitor = Monitor(world)
    if arguments.check_now:
        return check.print_check(monitor)
    try:
        with stopping_on_signals():
            if arguments.publish:
                serve_metrics(monitor.metrics.registry, host=settings.host, port=settings.monitor_port)
                repeat(monitor.publish, stop=threading.Event())
            with world.state.lock(purpose="monitor"):
                if arguments.schedule:
                    run_schedule(world)
                repeat(lambda: check.act_and_print(monitor), stop=threading.Event())
    except Stopped as stopped:
        return stopped.code
    finally:
        world.close()
        sender.close()
    return 0


def run_dashboard(_arguments: argparse.Namespace) -> int:
    settings = Settings()
    page = Path(__file__).parent.parent / "dashboard" / "page.py"
    return become(
        [
            *(sys.executable, "-m", "streamlit", "run", str(page)),
            *("--server.address", settings.host, "--server.port", str(settings.dashboard_port)),
            *("--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
        ]
    )
