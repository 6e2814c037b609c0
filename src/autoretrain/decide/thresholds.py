"""Which thresholds fit a model's own past? For a few of each kind: false alarms on quiet traffic against delay.

What was drift is taken from what came of it: a run that began for a change and whose candidate was promoted. Where the
candidate gained nothing, the change was none; what nobody judged counts neither way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from autoretrain.decide.drift import is_breach
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import LabelWindow

THRESHOLDS: Final = (0.10, 0.15, 0.20, 0.25, 0.30, 0.40)
BREACHES: Final = (1, 2, 3)
FLOORS: Final = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97)
LEAST_WINDOWS: Final = 40
"""Fewer quiet windows can't tell a threshold that is passed once in ten windows from one that never is."""

LEAST_LABEL_WINDOWS: Final = 5
MONTH: Final = timedelta(days=30)
CLEAR_SHARE: Final = 2 / 3
"""clearThreshold is at most this share of the threshold, as the defaults 0.10 and 0.15 are."""

LEAST_CLEAR: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time of one version, by the times of its messages."""

    version: str
    since: datetime
    until: datetime

    def holds(self, version: str, at: datetime) -> bool:
        return version == self.version and self.since <= at <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A model's windows, oldest first, and what their changes turned out to be."""

    windows: tuple[DriftReport, ...]
    drifts: tuple[Span, ...]
    refuted: tuple[Span, ...]
    doubtful: tuple[Span, ...]

    def is_quiet(self, version: str, at: datetime) -> bool:
        def within(spans: Sequence[Span]) -> bool:
            return any(span.holds(version, at) for span in spans)

        return not within(self.drifts) and (within(self.refuted) or not within(self.doubtful))

    def quiet_stretches(self) -> list[list[DriftReport]]:
        """Windows in a row, of one version, in which nothing had changed."""
        stretches: list[list[DriftReport]] = []
        before: DriftReport | None = None
        for window in self.windows:
            if not self.is_quiet(window.model_version, window.started_at):
                before = None
                continue
            if before is None or before.model_version != window.model_version:
                stretches.append([])
            stretches[-1].append(window)
            before = window
        return stretches

    def windows_of(self, drift: Span) -> list[DriftReport]:
        return [window for window in self.windows if drift.holds(window.model_version, window.started_at)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What a threshold with so many `breaches` in a row costs and gives.

    `alarms` on quiet windows; `per_month` is their rate and `at_most` its upper 95 % bound. `delays` are the windows
    until each drift that was seen is detected, None for one that is missed.
    """

    threshold: float
    breaches: int
    alarms: int
    per_month: float
    at_most: float
    delays: tuple[int | None, ...]

    @property
    def missed(self) -> int:
        return self.delays.count(None)

    @property
    def mean_delay(self) -> float | None:
        found = [delay for delay in self.delays if delay is not None]
        return sum(found) / len(found) if found else None


def trade(past: Past, *, threshold: float, breaches: int) -> Trade:
    stretches = past.quiet_stretches()
    alarms = sum(_alarms(stretch, threshold=threshold, breaches=breaches) for stretch in stretches)
    months = sum((w.ended_at - w.started_at for stretch in stretches for w in stretch), timedelta()) / MONTH
    return Trade(
        threshold=threshold,
        breaches=breaches,
        alarms=alarms,
        per_month=alarms / months if months else 0.0,
        at_most=most_expected(alarms) / months if months else math.inf,
        delays=tuple(_delay(past.windows_of(each), threshold=threshold, breaches=breaches) for each in past.drifts),
    )


def trades(past: Past, *, threshold: float, breaches: int) -> list[Trade]:
    """Return the trade of each candidate and of what is in force, by threshold and then by breaches."""
    return [
        trade(past, threshold=each, breaches=count)
        for each in sorted({*THRESHOLDS, threshold})
        for count in sorted({*BREACHES, breaches})
    ]


def choose(found: Sequence[Trade], *, threshold: float, breaches: int, alarms_per_month: float) -> Trade:
    """Return the soonest that keeps to `alarms_per_month`; of equals the one nearest to what is in force.

    Where none keeps to it, that with the fewest alarms.
    """
    within = [each for each in found if each.per_month <= alarms_per_month]

    def soonest(each: Trade) -> tuple[float, ...]:
        change = (abs(each.breaches - breaches), abs(each.threshold - threshold))
        return (each.missed, each.mean_delay or 0.0, *change)

    if within:
        return min(within, key=soonest)
    return min(found, key=lambda each: (each.per_month, *soonest(each)))


def clear_threshold(past: Past, *, threshold: float) -> float:
    """Return the level below which nine in ten quiet windows stay, within its bounds, rounded to hundredths.

    Where a hundredth would not be below `threshold` it is rounded to more places.
    """
    scores = sorted(window.score for stretch in past.quiet_stretches() for window in stretch)
    usual = scores[int(0.9 * (len(scores) - 1))] if scores else 0.0
    level = min(threshold * CLEAR_SHARE, max(usual, LEAST_CLEAR))
    return next((rounded for places in (2, 4) if 0 < (rounded := round(level, places)) < threshold), level)


def most_expected(count: int) -> float:
    """Return the upper 95 % bound (one-sided) of a Poisson mean of which `count` were seen, by Wilson and Hilferty.

    >>> [round(most_expected(count), 1) for count in (0, 1, 10)]
    [3.0, 4.7, 17.0]
    """
    n = count + 1
    return n * (1 - 1 / (9 * n) + 1.6449 / (3 * math.sqrt(n))) ** 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorTrade:
    """How often label windows would have asked for a run under this floor of accuracy: quiet ones, and others."""

    floor: float
    quiet_alarms: int
    other_alarms: int


def floor_trade(quiet: Sequence[LabelWindow], others: Sequence[LabelWindow], *, floor: float) -> FloorTrade:
    return FloorTrade(floor=floor, quiet_alarms=_floor_alarms(quiet, floor), other_alarms=_floor_alarms(others, floor))


def choose_floor(found: Sequence[FloorTrade], *, current: float) -> FloorTrade:
    """Return the highest floor under which quiet traffic never was; the lowest where it was under each.

    What is in force stays where another would have asked for no more runs when something was wrong.
    """
    never = [each for each in found if each.quiet_alarms == 0]
    if not never:
        return min(found, key=lambda each: each.floor)
    best = max(each.other_alarms for each in never)
    kept = [each for each in never if each.floor == current and each.other_alarms == best]
    return kept[0] if kept else max(never, key=lambda each: (each.other_alarms == best, each.floor))


def _alarms(windows: Sequence[DriftReport], *, threshold: float, breaches: int) -> int:
    """Count alarms; one lasts until a window is under the level at which drift ends."""
    alarms = row = 0
    ringing = False
    for window in windows:
        row = row + 1 if is_breach(window, threshold) else 0
        ringing = ringing and window.score >= threshold * CLEAR_SHARE
        if row >= breaches and not ringing:
            alarms, ringing = alarms + 1, True
    return alarms


def _delay(windows: Sequence[DriftReport], *, threshold: float, breaches: int) -> int | None:
    row = 0
    for number, window in enumerate(windows, start=1):
        row = row + 1 if is_breach(window, threshold) else 0
        if row >= breaches:
            return number
    return None


def _floor_alarms(windows: Sequence[LabelWindow], floor: float) -> int:
    """As the trigger has it: the whole interval is under the floor, or two windows in a row are."""
    alarms, before = 0, False
    for window in windows:
        under = window.accuracy.value < floor
        alarms += window.accuracy.high < floor or (under and before)
        before = under
    return alarms
