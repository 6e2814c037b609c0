"""Look, without changing anything: status, explain, compare, backtest."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from autoretrain.adapters import records, spammodel
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld
from autoretrain.cli.where import add_place_options, open_place
from autoretrain.decide.backtest import replay
from autoretrain.decide.narrate import explain
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Plan
from autoretrain.domain.status import Status

MAX_RECORDS = 10_000


def add_commands(commands: Any) -> None:
    for name, run, about in (
        ("status", show_status, "champion, evidence, run and conditions"),
        ("explain", show_explanation, "the story of the decisions, with their numbers"),
        ("compare", show_comparison, "champion and second version, side by side"),
        ("backtest", show_backtest, "decide the recorded observations again, under a changed document if given"),
    ):
        parser = commands.add_parser(name, help=about)
        if name == "backtest":
            parser.add_argument("name", nargs="?", help="the model (default: the document's)")
            parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
        else:
            add_place_options(parser)
        if name in {"status", "compare"}:
            parser.add_argument("--json", action="store_true", help="as JSON")
        if name == "explain":
            parser.add_argument("--last", type=int, default=20, help="how many decisions (default: 20)")
        parser.set_defaults(run=run)


def show_status(arguments: argparse.Namespace) -> int:
    with open_place(arguments) as place:
        status = place.status()
        if arguments.json:
            sys.stdout.write(json.dumps(spammodel.render_status(status), indent=2) + "\n")
        else:
            sys.stdout.write(render_status(place.key, status))
    return 0


def render_status(key: str, status: Status) -> str:
    rows = [("model", key)]
    for role, ref in (("champion", status.champion), ("previous", status.previous)):
        rows.append((role, f"v{ref.version} {ref.digest[:19]}" if ref else "none"))
    if status.candidate:
        candidate = status.candidate
        rows.append(("candidate", f"v{candidate.summary.version} {candidate.decision} ({candidate.reason})"))
    if status.drift:
        rows.append(
            (
                "drift",
                f"{status.drift.score:.3f} against {status.drift.threshold:.2f}, {status.drift.breaches} breaches",
            )
        )
    if status.performance:
        live = status.performance
        recall = "not measured" if live.spam_recall is None else f"{live.spam_recall:.3f}"
        rows.append(("live", f"accuracy {live.accuracy:.3f}, spam recall {recall}, {live.labels} labels"))
    rows.append(("run", f"{status.active_run.name} ({status.active_run.trigger})" if status.active_run else "none"))
    if status.guard:
        rows.append(
            ("guard", f"v{status.guard.version} {status.guard.ended or 'watching'} {status.guard.message}".rstrip())
        )
    lines = [f"{name:<10} {value}" for name, value in rows]
    lines += ["", "conditions"]
    marks = {True: "True", False: "False", None: "Unknown"}
    lines += [f"  {c.type:<18} {marks[c.status]:<8} {c.reason}: {c.message}" for c in status.conditions]
    lines += ["", "last decisions"]
    lines += [f"  {e.at:%Y-%m-%d %H:%M:%S} {e.decision:<9} {e.reason}: {e.message}" for e in status.history]
    return "\n".join(lines) + "\n"


def show_explanation(arguments: argparse.Namespace) -> int:
    with open_place(arguments) as place:
        sys.stdout.write(explain(place.decisions(limit=arguments.last)) + "\n")
    return 0


def show_comparison(arguments: argparse.Namespace) -> int:
    """Show what the versions that answer did lately; of a cluster's, what was measured of those with a role."""
    with open_place(arguments) as place:
        rows = place.comparison()
    if arguments.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write(render_rows(rows))
    return 0


def render_rows(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No version has answered a message yet.\n"
    names = list(rows[0])
    table = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(names))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + "\n" for line in table
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def show_backtest(arguments: argparse.Namespace) -> int:
    """Replay the ledger; with --file, under that document's policy."""
    world = LocalWorld.open(Settings(), expect_serving=False)
    recorded = world.store.decisions(limit=MAX_RECORDS)
    spec = world.model().spec if arguments.file else None
    pairs = [
        (records.load_record(Observation, row["observation"]), records.load_record(Plan, row["plan"]))
        for row in recorded
    ]
    sys.stdout.write(replay(pairs, spec=spec).render() + "\n")
    world.close()
    return 0
