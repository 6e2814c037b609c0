"""Try policies on the past: `autoretrain backtest`, on the recorded decisions or on a recorded history of messages."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from autoretrain.adapters import records, spammodel
from autoretrain.adapters.backtest_picture import FORMATS, Panel, draw_backtest
from autoretrain.adapters.histories import HistoryFile
from autoretrain.adapters.settings import Settings
from autoretrain.app.backtest import Backtest, Conditions, Event, Played
from autoretrain.app.backtest_score import ScoredWindow, longest_fall, mean_f1, worst_f1
from autoretrain.app.data import prepare_data
from autoretrain.app.local import LocalWorld
from autoretrain.cli.terminal import write_plain
from autoretrain.decide.backtest import replay
from autoretrain.domain.errors import AutoRetrainError, BadData
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Decision, Plan
from autoretrain.domain.spec import SpamModel

MAX_RECORDS: Final = 10_000
MAX_EVENTS: Final = 40
MARK_OF: Final = {
    Decision.RETRAIN: "retrain",
    Decision.PROMOTE: "promote",
    Decision.HOLD: "hold",
    Decision.REJECT: "hold",
    Decision.ROLLBACK: "rollback",
    Decision.ALERT: "failed",
}


def add_commands(commands: Any) -> None:
    usual = Conditions()
    parser = commands.add_parser(
        "backtest", help="try policies on the past: on the recorded decisions, or with --stream on recorded messages"
    )
    parser.add_argument("name", nargs="?", help="the model (default: the document's)")
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
    stream = parser.add_argument_group("on a history of messages, as `autoretrain data export` writes one")
    stream.add_argument("--stream", type=Path, help="the history: JSONL or TSV of time, text and label")
    stream.add_argument(
        "--policy",
        type=Path,
        action="append",
        default=[],
        help="SpamModel document to try; again for more (default: the document)",
    )
    stream.add_argument("--data", type=Path, help="labelled file of the first model (default: the first policy's data)")
    stream.add_argument("--picture", type=Path, help="draw F1 over time into this .png or .svg")
    stream.add_argument("--seed", type=int, default=usual.seed, help="draws audit sample and reports (default: 0)")
    stream.add_argument(
        "--reports",
        type=_share,
        default=usual.reports,
        help=f"share of labelled messages that users report (default: {usual.reports})",
    )
    stream.add_argument(
        "--label-delay",
        type=_positive,
        default=int(usual.label_delay.total_seconds()),
        metavar="SECONDS",
        help="until a label arrives where the history does not say when (default: 3600)",
    )
    stream.add_argument(
        "--messages-per-hour", type=_positive, metavar="N", help="let messages come evenly, whatever their times"
    )
    stream.add_argument(
        "--window",
        type=_positive,
        default=usual.window,
        metavar="MESSAGES",
        help=f"messages behind each figure of F1 (default: {usual.window})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.stream is None:
        if arguments.policy or arguments.picture or arguments.data:
            raise AutoRetrainError("--policy, --data and --picture go with --stream")
        return replay_ledger(arguments)
    return replay_stream(arguments)


def replay_ledger(arguments: argparse.Namespace) -> int:
    """Decide the recorded observations again; with --file, under that document's policy."""
    world = LocalWorld.open(Settings(), expect_serving=False)
    recorded = world.store.decisions(limit=MAX_RECORDS)
    spec = world.model().spec if arguments.file else None
    pairs = [_recorded(row) for row in recorded]
    write_plain(replay(pairs, spec=spec).render() + "\n")
    world.close()
    return 0


def _recorded(row: Mapping[str, Any]) -> tuple[Observation, Plan]:
    try:
        return records.load_record(Observation, row["observation"]), records.load_record(Plan, row["plan"])
    except ValidationError:
        raise AutoRetrainError(
            f"decision {row['sequence']} was recorded by a release that this one can't read"
        ) from None


def replay_stream(arguments: argparse.Namespace) -> int:
    """Play the history under each policy; print a table and what each decided."""
    if arguments.picture and arguments.picture.suffix.lower() not in FORMATS:
        raise BadData(str(arguments.picture), f"the name of a picture ends with {' or '.join(FORMATS)}")
    every = timedelta(hours=1) / arguments.messages_per_hour if arguments.messages_per_hour else None
    history = HistoryFile.checked(arguments.stream, every=every)
    paths = arguments.policy or [Settings().spec]
    policies = [(name, _read_policy(path)) for name, path in zip(_names(paths), paths, strict=True)]
    data = prepare_data(Settings(spec=paths[0], **({"data": arguments.data} if arguments.data else {})))
    conditions = Conditions(
        seed=arguments.seed,
        reports=arguments.reports,
        label_delay=timedelta(seconds=arguments.label_delay),
        window=arguments.window,
    )
    backtest, played = Backtest(history=history, base=data.rows, conditions=conditions), []
    console = Console(stderr=True)
    with _watching(console, history, policies=len(policies)) as watcher:
        for name, model in policies:
            with tempfile.TemporaryDirectory(prefix="autoretrain-backtest-") as directory:
                played.append(backtest.play(name, model, directory=Path(directory), watcher=watcher))
    sys.stdout.write(_heading(history, source=data.source_note, conditions=conditions))
    _print_table(played)
    for each in played:
        sys.stdout.write(_events_text(each))
    if arguments.picture:
        title = f"{arguments.stream.name}: {history.messages:,} messages, F1 of {conditions.window} each"
        draw_backtest(arguments.picture, [_panel(each) for each in played], title=title)
        console.print(f"Wrote {arguments.picture}", highlight=False)
    return 0


def _read_policy(path: Path) -> SpamModel:
    return spammodel.parse_spam_model(spammodel.load_document(path), uid="", generation=1)


def _names(paths: Sequence[Path]) -> list[str]:
    """Names to tell the policies by: the files' own, and their whole paths where two are alike."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, messages: int) -> None:
        self._progress.advance(self._task, messages)


@contextmanager
def _watching(console: Console, history: HistoryFile, *, policies: int) -> Iterator[_Bar]:
    columns = (TextColumn("Replay"), BarColumn(), MofNCompleteColumn(), TextColumn("messages"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, progress.add_task("", total=history.messages * policies))


def _heading(history: HistoryFile, *, source: str, conditions: Conditions) -> str:
    sample = "an audit sample of its own" if history.audited else f"{conditions.reports:.0%} of the labels reported"
    return (
        f"{history.path.name}: {history.messages} messages, {history.first_at:%Y-%m-%d %H:%M} to "
        f"{history.last_at:%Y-%m-%d %H:%M} UTC, {history.labelled} with a label, {history.spam} of them spam; "
        f"{sample}\n"
        f"first model from {source}; seed {conditions.seed}\n\n"
    )


def _print_table(played: Sequence[Played]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = ("policy", "labels", "runs", "promoted", "held", "rejected", "failed", "rolled back")
    for name in (*names, "mean F1", "worst F1", "messages until back"):
        table.add_column(name, justify="left" if name == "policy" else "right", overflow="fold")
    told: list[tuple[ScoredWindow, ...]] = []
    for each in played:
        if each.fixed not in told:
            told.append(each.fixed)
            title = "first model, never retrained" if len(played) == 1 or len(told) == 1 else f"that of {each.policy}"
            table.add_row(title, *["-"] * 7, *_figures(each.fixed))
        counts = (each.labels, each.count(Decision.RETRAIN), each.count(Decision.PROMOTE), each.count(Decision.HOLD))
        others = (each.count(Decision.REJECT), each.failed, each.count(Decision.ROLLBACK))
        table.add_row(each.policy, *map(str, (*counts, *others)), *_figures(each.windows))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table)


def _figures(windows: Sequence[ScoredWindow]) -> tuple[str, str, str]:
    mean, worst = mean_f1(windows), worst_f1(windows)
    return (
        "-" if mean is None else f"{mean:.3f}",
        "-" if worst is None else f"{worst:.3f}",
        str(longest_fall(windows) or "-"),
    )


def _events_text(played: Played) -> str:
    lines = ["", played.policy]
    lines += [f"  {_event_line(event)}" for event in played.events[:MAX_EVENTS]]
    if not played.events:
        lines.append("  nothing was started, promoted or rolled back")
    if len(played.events) > MAX_EVENTS:
        lines.append(f"  and {len(played.events) - MAX_EVENTS} more")
    return "\n".join(lines) + "\n"


def _event_line(event: Event) -> str:
    return f"{event.at:%Y-%m-%d %H:%M} message {event.message:>6}  {event.decision:<8} {event.reason}: {event.text}"


def _panel(played: Played) -> Panel:
    return Panel(
        title=f"{played.policy}: {played.count(Decision.RETRAIN)} runs, {played.count(Decision.PROMOTE)} promoted",
        served=_curve(played.windows),
        fixed=_curve(played.fixed),
        marks=[(event.at, MARK_OF[event.decision]) for event in played.events],
    )


def _curve(windows: Sequence[ScoredWindow]) -> list[tuple[Any, float]]:
    return [(w.started_at + (w.ended_at - w.started_at) / 2, w.f1) for w in windows if w.f1 is not None]


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("is a share from 0 to 1")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("is a number above 0")
    return value
