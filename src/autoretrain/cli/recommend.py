"""`autoretrain recommend`: thresholds from the model's own past, with what each would cost and give."""

import argparse
import sys
from pathlib import Path
from typing import Any

from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld
from autoretrain.app.proposals import propose, render_text
from autoretrain.app.recommend import read_past


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("recommend", help="propose thresholds from the model's own past, with the trade-off")
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document of this machine")
    parser.add_argument(
        "--false-alarms", type=float, default=1.0, metavar="PER_MONTH", help="to be borne (default: 1 a month)"
    )
    parser.add_argument(
        "--within-hours", type=float, default=24.0, metavar="HOURS", help="to detect drift in (default: 24)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    world = LocalWorld.open(Settings(), expect_serving=False)
    try:
        spec = world.model().spec
        known = read_past(world.store, min_labels=spec.triggers.performance.min_labels)
    finally:
        world.close()
    found = propose(known, spec, alarms_per_month=arguments.false_alarms, within_hours=arguments.within_hours)
    sys.stdout.write(render_text(found.parts))
    snippet = found.snippet()
    sys.stdout.write(
        f"\nMerge into the document (what stands there beside these fields stays):\n\n{snippet}"
        if snippet
        else "\nNothing can be proposed yet.\n"
    )
    return 0
