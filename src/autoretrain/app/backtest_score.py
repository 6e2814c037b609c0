"""How good were the answers over time? F1 by windows of messages, and how long it took to get back after a fall."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from autoretrain.domain.messages import Label

USUAL_WINDOWS: Final = 3
"""The first windows of a history, whose mean F1 is taken as usual."""

FALL: Final = 0.10
BACK: Final = 0.05
"""A fall is F1 by so much under the usual; it is over once F1 is less than that under it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWindow:
    """`messages` from the `start`-th on; `f1` is None where no spam was sent or found among those with a label."""

    start: int
    messages: int
    started_at: datetime
    ended_at: datetime
    f1: float | None


@dataclass(slots=True)
class _Counts:
    start: int
    started_at: datetime
    ended_at: datetime
    messages: int = 0
    hits: float = 0.0
    errors: float = 0.0

    @property
    def f1(self) -> float | None:
        total = self.hits + self.errors / 2
        return self.hits / total if total else None


@dataclass(slots=True)
class WindowScorer:
    """Counts by windows of `size` messages. A last window of less than half is added to the one before it."""

    size: int
    _counts: list[_Counts] = field(default_factory=list)
    _taken: int = 0

    def add(self, at: datetime, label: Label | None, predicted: Label, *, weight: float) -> None:
        """Count an answer; one without a label belongs to its window and measures nothing."""
        if self._taken % self.size == 0:
            self._counts.append(_Counts(start=self._taken, started_at=at, ended_at=at))
        counts = self._counts[-1]
        self._taken += 1
        counts.messages += 1
        counts.ended_at = at
        if label is predicted is Label.SPAM:
            counts.hits += weight
        elif label is not None and label is not predicted:
            counts.errors += weight

    def windows(self) -> tuple[ScoredWindow, ...]:
        counts = list(self._counts)
        if len(counts) > 1 and counts[-1].messages < self.size / 2:
            rest, last = counts.pop(), counts.pop()
            counts.append(
                _Counts(
                    start=last.start,
                    started_at=last.started_at,
                    ended_at=rest.ended_at,
                    messages=last.messages + rest.messages,
                    hits=last.hits + rest.hits,
                    errors=last.errors + rest.errors,
                )
            )
        return tuple(
            ScoredWindow(
                start=each.start,
                messages=each.messages,
                started_at=each.started_at,
                ended_at=each.ended_at,
                f1=each.f1,
            )
            for each in counts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The longest fall: `messages` until F1 was back, or until the end where it was not `back`."""

    messages: int
    back: bool

    def __str__(self) -> str:
        return str(self.messages) if self.back else f"> {self.messages}"


def mean_f1(windows: Sequence[ScoredWindow]) -> float | None:
    known = [window.f1 for window in windows if window.f1 is not None]
    return sum(known) / len(known) if known else None


def worst_f1(windows: Sequence[ScoredWindow]) -> float | None:
    return min((window.f1 for window in windows if window.f1 is not None), default=None)


def longest_fall(windows: Sequence[ScoredWindow]) -> Recovery | None:
    """Return the longest fall under what was usual at the beginning; None where there was none, or nothing is usual."""
    usual = mean_f1(windows[:USUAL_WINDOWS])
    if usual is None:
        return None
    falls: list[Recovery] = []
    fell_at: int | None = None
    for window in windows[USUAL_WINDOWS:]:
        if window.f1 is None:
            continue
        if fell_at is None and window.f1 < usual - FALL:
            fell_at = window.start
        elif fell_at is not None and window.f1 >= usual - BACK:
            falls.append(Recovery(messages=window.start - fell_at, back=True))
            fell_at = None
    if fell_at is not None:
        falls.append(Recovery(messages=windows[-1].start + windows[-1].messages - fell_at, back=False))
    return max(falls, key=lambda fall: (not fall.back, fall.messages), default=None)
