"""Look, without changing anything: status and compare."""

import argparse
import json
import sys
from typing import Any

from autoretrain.adapters import spammodel
from autoretrain.cli.terminal import write_plain
from autoretrain.cli.where import add_place_options, open_place
from autoretrain.domain.status import Status


def add_commands(commands: Any) -> None:
    for name, run, about in (
        ("status", show_status, "champion, evidence, run and conditions"),
        ("compare", show_comparison, "champion and second version, side by side"),
    ):
        parser = commands.add_parser(name, help=about)
        add_place_options(parser)
        parser.add_argument("--json", action="store_true", help="as JSON")
        parser.set_defaults(run=run)


def show_status(arguments: argparse.Namespace) -> int:
    with open_place(arguments) as place:
        status = place.status()
        if arguments.json:
            sys.stdout.write(json.dumps(spammodel.render_status(status), indent=2) + "\n")
        else:
            write_plain(render_status(place.key, status))
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
