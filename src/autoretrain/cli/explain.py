"""`autoretrain explain`: the story of the last decisions, or from what evidence one came and what came of it."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from autoretrain.app.place import Place
from autoretrain.cli.terminal import write_plain
from autoretrain.cli.where import add_place_options, open_place
from autoretrain.decide.chain import build_chain
from autoretrain.decide.narrate import explain

AROUND: Final = 500
"""So many decisions before and after one are searched for what belongs to it."""

_TOLD: Final = ("sequence", "at", "decision", "reason", "message", "plan", "outcomes")


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("explain", help="the story of the decisions, or with --decision of one, with numbers")
    add_place_options(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", type=int, default=20, help="how many decisions (default: 20)")
    which.add_argument(
        "--decision",
        type=int,
        metavar="ID",
        help="one decision, by its number in that story: from its evidence to what came of it",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises UnknownDecision where no decision has that number."""
    with open_place(arguments) as place:
        if arguments.decision is not None:
            chain = build_chain(_around(place, arguments.decision), arguments.decision)
            told = _as_json(asdict(chain)) if arguments.json else chain.render()
        else:
            records = place.decisions(limit=arguments.last)
            kept = [{name: record[name] for name in _TOLD if name in record} for record in records]
            told = _as_json(kept) if arguments.json else explain(records, numbered=True)
    write_plain(told + "\n")
    return 0


def _around(place: Place, sequence: int) -> Sequence[Mapping[str, Any]]:
    """The decisions among which one and what belongs to it stand; else the oldest and the newest that there are."""
    newest = place.decisions(limit=2 * AROUND)
    if not newest or sequence >= newest[0]["sequence"]:
        return newest
    older = place.decisions(limit=2 * AROUND, after=max(0, sequence - AROUND))
    if any(record["sequence"] == sequence for record in older):
        return older
    return [*place.decisions(limit=1, after=0), newest[-1]]


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2)
