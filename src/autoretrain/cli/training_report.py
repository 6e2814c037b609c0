"""What a person sees of a training run: a bar while it works, and its figures when it is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from autoretrain.adapters import records
from autoretrain.app.training import Unwatched
from autoretrain.domain.training import (
    SUMMARY_MAX_BYTES,
    SUMMARY_SCHEMA_VERSION,
    PairedComparison,
    TrainingSummary,
)
from autoretrain.ml.training import VariantResult


class Bar:
    """A bar over the variants, with the stage in front of it and the best F1 so far behind."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Prepare", total=None, best="")
        self._best = 0.0

    def stage(self, title: str) -> None:
        self._progress.update(self._task, description=title)

    def variant(self, result: VariantResult, done: int, total: int) -> None:
        self._best = max(self._best, result.f1.mean)
        self._progress.update(self._task, completed=done, total=total, best=f"best F1 {self._best:.4f}")


class Lines:
    """One line a stage, where no terminal could draw a bar."""

    def stage(self, title: str) -> None:
        sys.stderr.write(f"{title}\n")

    def variant(self, result: VariantResult, done: int, total: int) -> None:
        sys.stderr.write(f"  {done}/{total} {result.name}: F1 {result.f1.mean:.4f}\n")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Bar | Lines | Unwatched]:
    console = Console(stderr=True)
    if quiet:
        yield Unwatched()
    elif not console.is_terminal:
        yield Lines()
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[best]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Bar(progress)


def render_summary(summary: TrainingSummary) -> str:
    """The one JSON object of the trainer contract, on one line."""
    text = orjson.dumps({"schema_version": SUMMARY_SCHEMA_VERSION, **records.dump_record(summary)})
    if len(text) >= SUMMARY_MAX_BYTES:
        raise ValueError(f"the summary has {len(text)} bytes; the contract allows {SUMMARY_MAX_BYTES - 1}")
    return text.decode()


def report_text(summary: TrainingSummary, *, source_note: str) -> str:
    metrics = summary.holdout_metrics
    figures = (
        f"accuracy {metrics.accuracy:.4f}, precision {metrics.precision:.4f}, recall {metrics.recall:.4f}, "
        f"F1 {metrics.f1:.4f}, false positives {metrics.false_positive_rate:.4f}"
    )
    lines = [
        f"Data        {source_note}",
        f"Run         {summary.run_id} ({summary.run_name})",
        f"Model       {summary.algorithm}, {summary.profile}, {summary.training_rows} training rows",
        f"Holdout     {metrics.rows} rows: {figures}",
    ]
    if summary.champion_version is not None:
        lines.append(f"Champion    v{summary.champion_version} on the holdout: {_compared(summary.holdout)}")
        lines.append(f"            v{summary.champion_version} on recent labels: {_compared(summary.recent)}")
    lines.append(f"Registered  version {summary.version} ({summary.digest})")
    lines.append(f"Took        {summary.seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _compared(comparison: PairedComparison | None) -> str:
    if comparison is None:
        return "not compared, there are none"
    return (
        f"{comparison.rows} rows, accuracy {comparison.accuracy_gain:+.4f}, F1 {comparison.f1_gain:+.4f}, "
        f"{comparison.fixed} fixed, {comparison.broken} broken, p = {comparison.p_value:.2g}"
    )
