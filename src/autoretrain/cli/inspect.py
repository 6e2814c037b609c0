"""Look, without changing anything: status, explain, compare, backtest."""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autoretrain.adapters import records, spammodel
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld
from autoretrain.app.traffic import traffic_by_version
from autoretrain.decide.backtest import replay
from autoretrain.decide.narrate import explain
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Plan
from autoretrain.domain.status import Status
from autoretrain.ml.performance import measure_performance

MAX_RECORDS = 10_000


def add_commands(commands: Any) -> None:
    for name, run, about in (
        ("status", show_status, "champion, evidence, run and conditions"),
        ("explain", show_explanation, "the story of the decisions, with their numbers"),
        ("compare", show_comparison, "champion and second version, side by side"),
        ("backtest", show_backtest, "decide the recorded observations again, under a changed document if given"),
    ):
        parser = commands.add_parser(name, help=about)
        parser.add_argument("name", nargs="?", help="the model (default: the document's)")
        parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
        if name in {"status", "compare"}:
            parser.add_argument("--json", action="store_true", help="as JSON")
        if name == "explain":
            parser.add_argument("--last", type=int, default=20, help="how many decisions (default: 20)")
        parser.set_defaults(run=run)


def show_status(arguments: argparse.Namespace) -> int:
    world = LocalWorld.open(Settings(), expect_serving=False)
    key = world.model().key
    status = world.state.read_status(key)
    if arguments.json:
        sys.stdout.write(json.dumps(spammodel.render_status(status), indent=2) + "\n")
    else:
        sys.stdout.write(render_status(key, status))
    world.close()
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
        rows.append(("live", f"accuracy {live.accuracy:.3f}, spam recall {live.spam_recall:.3f}, {live.labels} labels"))
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
    world = LocalWorld.open(Settings(), expect_serving=False)
    sys.stdout.write(explain(world.store.decisions(limit=arguments.last)) + "\n")
    world.close()
    return 0


def show_comparison(arguments: argparse.Namespace) -> int:
    """Show traffic and audit quality of each version that answered within the window's age."""
    world = LocalWorld.open(Settings(), expect_serving=False)
    spec = world.model().spec
    since = datetime.now(UTC) - timedelta(seconds=spec.monitoring.max_age_seconds)
    rows = []
    for entry in traffic_by_version(world.store.recent_predictions(version=None, since=since, limit=MAX_RECORDS)):
        audited, pending = world.store.audited(version=entry.version, since=since)
        live = measure_performance(
            audited, model_version=entry.version, pending=pending, window_labels=spec.triggers.performance.min_labels
        )
        rows.append(
            {
                "version": f"v{entry.version}",
                "role": entry.role,
                "messages": entry.messages,
                "spam_share": entry.spam_share,
                "disagreement": entry.disagreement,
                "audit_labels": live.labels,
                "accuracy": live.overall.accuracy.value if live.overall else None,
                "f1": live.overall.f1.value if live.overall else None,
            }
        )
    world.close()
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
