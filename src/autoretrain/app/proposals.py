"""What is proposed for a model, from its past and under its present document? Each part with the trade-off behind it.

A part of which too little is known says so and is left out of the snippet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from autoretrain.app.recommend import SIZES, Known
from autoretrain.decide import thresholds
from autoretrain.decide.narrate import number
from autoretrain.domain.spec import SpamModelSpec

LEAST_RUNS: Final = 3
LONGEST_COOLDOWN_HOURS: Final = 24
MOST_RUNS_PER_DAY: Final = 4
COOLDOWN_HOURS: Final = (1, 4, 12, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One proposal: a table with its trade-off, and lines about it. `missing` says why there is none."""

    title: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    missing: str = ""


@dataclass(slots=True)
class Proposals:
    parts: list[Part] = field(default_factory=list)
    window: str = ""
    triggers: list[str] = field(default_factory=list)

    def snippet(self) -> str:
        """Return what to paste into the document, decimals in quotes; empty where nothing is proposed."""
        lines = [f"  monitoring:\n    {self.window}"] if self.window else []
        lines += ["  triggers:\n" + "\n".join(f"    {line}" for line in self.triggers)] if self.triggers else []
        return "\n".join(["spec:", *lines]) + "\n" if lines else ""


def propose(known: Known, spec: SpamModelSpec, *, alarms_per_month: float, within_hours: float) -> Proposals:
    proposals = Proposals()
    breaches = _drift(proposals, known, spec, alarms_per_month=alarms_per_month)
    _window(proposals, known, spec, breaches=breaches, within_hours=within_hours)
    _accuracy(proposals, known, spec)
    _cooldown(proposals, known, spec)
    return proposals


def _drift(proposals: Proposals, known: Known, spec: SpamModelSpec, *, alarms_per_month: float) -> int:
    """Propose the drift trigger; return the breaches in a row that then hold."""
    policy, past = spec.triggers.drift, known.past
    quiet = sum(len(stretch) for stretch in past.quiet_stretches())
    title = f"Drift: {len(past.windows)} windows, {quiet} of them quiet, {len(past.drifts)} confirmed drifts"
    if quiet < thresholds.LEAST_WINDOWS:
        missing = f"too little history: {quiet} quiet windows, need {thresholds.LEAST_WINDOWS}"
        proposals.parts.append(Part(title=title, missing=missing))
        return policy.consecutive_breaches
    found = thresholds.trades(past, threshold=policy.threshold, breaches=policy.consecutive_breaches)
    chosen = thresholds.choose(
        found, threshold=policy.threshold, breaches=policy.consecutive_breaches, alarms_per_month=alarms_per_month
    )
    clear = thresholds.clear_threshold(past, threshold=chosen.threshold)
    in_force = (policy.threshold, policy.consecutive_breaches)
    rows = []
    for each in found:
        marks = ["proposed"] if each is chosen else []
        marks += ["in force"] if (each.threshold, each.breaches) == in_force else []
        rows.append(
            (
                number(each.threshold),
                str(each.breaches),
                f"{each.per_month:.1f} (<= {each.at_most:.1f})",
                _delay(each),
                ", ".join(marks),
            )
        )
    notes = [f"proposed is the soonest with at most {alarms_per_month:g} false alarms a month"]
    if chosen.per_month > alarms_per_month:
        notes = [f"none has at most {alarms_per_month:g} false alarms a month; proposed is the one with the fewest"]
    if not past.drifts:
        notes.append("no drift was confirmed by a promotion yet, so what a higher threshold would miss is not known")
    header = ("threshold", "breaches", "false alarms a month", "windows until detected", "")
    proposals.parts.append(Part(title=title, header=header, rows=tuple(rows), notes=tuple(notes)))
    proposals.triggers.append(
        f'drift: {{threshold: "{number(chosen.threshold)}", clearThreshold: "{number(clear)}", '
        f"consecutiveBreaches: {chosen.breaches}}}"
    )
    return chosen.breaches


def _delay(each: thresholds.Trade) -> str:
    if not each.delays:
        return "-"
    mean = "-" if each.mean_delay is None else f"{each.mean_delay:.1f}"
    return f"{mean}, {each.missed} of {len(each.delays)} missed" if each.missed else mean


def _window(proposals: Proposals, known: Known, spec: SpamModelSpec, *, breaches: int, within_hours: float) -> None:
    rate, count = known.messages_per_hour, len(known.past.windows)
    title = f"Window: {rate:.0f} messages an hour"
    if count < thresholds.LEAST_WINDOWS or not rate:
        missing = f"too little history: {count} windows, need {thresholds.LEAST_WINDOWS}"
        proposals.parts.append(Part(title=title, missing=missing))
        return
    sizes = sorted({*SIZES, spec.monitoring.window_size})
    in_time = [size for size in sizes if breaches * size / rate <= within_hours and size in SIZES]
    chosen = max(in_time, default=min(SIZES))
    rows = []
    for size in sizes:
        floor = known.floors.get(size)
        marks = ["proposed"] if size == chosen else []
        marks += ["in force"] if size == spec.monitoring.window_size else []
        rows.append(
            (
                str(size),
                f"{size / rate:.1f}",
                f"{breaches * size / rate:.1f}",
                "-" if floor is None else f"{floor:.3f}",
                ", ".join(marks),
            )
        )
    note = f"proposed is the largest that detects within {within_hours:g} hours; a larger one sees smaller changes"
    header = ("messages", "hours to fill", f"hours to {breaches} breaches", "noise floor (tfidf_drift)", "")
    proposals.parts.append(Part(title=title, header=header, rows=tuple(rows), notes=(note,)))
    least = f", minSamples: {chosen}" if spec.monitoring.min_samples > chosen else ""
    proposals.window = f"window: {{size: {chosen}{least}}}"


def _accuracy(proposals: Proposals, known: Known, spec: SpamModelSpec) -> None:
    quiet, others, policy = known.quiet_labels, known.other_labels, spec.triggers.performance
    title = f"Accuracy: {len(quiet)} quiet windows of {policy.min_labels} audit labels, {len(others)} others"
    if len(quiet) < thresholds.LEAST_LABEL_WINDOWS:
        missing = f"too little history: {len(quiet)} windows of labels, need {thresholds.LEAST_LABEL_WINDOWS}"
        proposals.parts.append(Part(title=title, missing=missing))
        return
    # A document whose floor is above what a promotion needs is refused.
    most = spec.promotion.min_accuracy
    floors = sorted({floor for floor in (*thresholds.FLOORS, policy.min_accuracy) if floor <= most})
    found = [thresholds.floor_trade(quiet, others, floor=floor) for floor in floors]
    chosen = thresholds.choose_floor(found, current=policy.min_accuracy)
    rows = []
    for each in found:
        marks = ["proposed"] if each is chosen else []
        marks += ["in force"] if each.floor == policy.min_accuracy else []
        other = f"{each.other_alarms} of {len(others)}" if others else "-"
        rows.append((number(each.floor), f"{each.quiet_alarms} of {len(quiet)}", other, ", ".join(marks)))
    mean = sum(window.accuracy.value for window in quiet) / len(quiet)
    note = f"mean accuracy of the quiet windows {mean:.3f}, lowest {min(w.accuracy.value for w in quiet):.3f}"
    header = ("minAccuracy", "quiet windows that ask for a run", "others that do", "")
    proposals.parts.append(Part(title=title, header=header, rows=tuple(rows), notes=(note,)))
    proposals.triggers.append(f'performance: {{minAccuracy: "{number(chosen.floor)}"}}')


def _cooldown(proposals: Proposals, known: Known, spec: SpamModelSpec) -> None:
    policy, runs = spec.triggers, known.runs
    title = f"Cooldown and budget: {len(runs)} runs, {known.labels_per_hour:.1f} new labels an hour"
    if len(runs) < LEAST_RUNS or not known.labels_per_hour:
        missing = f"too little history: {len(runs)} runs, need {LEAST_RUNS}"
        proposals.parts.append(Part(title=title, missing=missing))
        return
    spam_hours = policy.min_new_spam_labels / known.spam_labels_per_hour if known.spam_labels_per_hour else math.inf
    needed = max(policy.min_new_labels / known.labels_per_hour, spam_hours, spec.guard.duration_seconds / 3600)
    hours = math.ceil(min(LONGEST_COOLDOWN_HOURS, max(1, needed)))
    gaps = [(later - run).total_seconds() / 3600 for run, later in pairwise(runs)]
    rows = []
    for each in sorted({*COOLDOWN_HOURS, hours, policy.cooldown_seconds / 3600}):
        marks = ["proposed"] if each == hours else []
        marks += ["in force"] if each * 3600 == policy.cooldown_seconds else []
        held = sum(gap < each for gap in gaps)
        rows.append((f"{each:g}", f"{each * known.labels_per_hour:.0f}", f"{held} of {len(gaps)}", ", ".join(marks)))
    per_day = _runs_per_day(hours)
    notes = (
        f"a run before {policy.min_new_labels} new labels with {policy.min_new_spam_labels} of spam would be refused; "
        f"they take {needed:.1f} hours"
        if math.isfinite(needed)
        else "no label is spam, so none would start",
        f"at most {per_day} runs a day then fit",
    )
    header = ("cooldown hours", "new labels by then", "runs seen that it holds back", "")
    proposals.parts.append(Part(title=title, header=header, rows=tuple(rows), notes=notes))
    proposals.triggers += [f"cooldownSeconds: {hours * 3600}", f"maxRunsPerDay: {per_day}"]


def _runs_per_day(cooldown_hours: int) -> int:
    return max(1, min(MOST_RUNS_PER_DAY, 24 // cooldown_hours))


def render_text(parts: Sequence[Part]) -> str:
    """Return the parts with their tables aligned."""
    return "\n\n".join("\n".join(_lines(part)) for part in parts) + "\n"


def _lines(part: Part) -> list[str]:
    if part.missing:
        return [part.title, f"  {part.missing}"]
    table = [part.header, *part.rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(part.header))]
    aligned = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    return [part.title, *aligned, *(f"  {note}" for note in part.notes)]
