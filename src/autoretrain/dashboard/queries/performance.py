"""What is answered, how fast, and what is lost? Tables of it, out of the store's counts and serving's own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from autoretrain.adapters.store.labels import SourceLabels
from autoretrain.adapters.store.predictions import Traffic
from autoretrain.adapters.store.spans import Span
from autoretrain.dashboard.drawing import clock_time
from autoretrain.dashboard.queries.serving_figures import PERCENTILES, ServingFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How far back is looked, and in which steps."""

    name: str
    length: timedelta
    span: Span
    step: timedelta

    def since(self, now: datetime) -> datetime:
        return now - self.length


PERIODS: Final = (
    Period(name="hour", length=timedelta(hours=1), span="minute", step=timedelta(minutes=1)),
    Period(name="24 hours", length=timedelta(days=1), span="hour", step=timedelta(hours=1)),
    Period(name="7 days", length=timedelta(days=7), span="hour", step=timedelta(hours=1)),
    Period(name="30 days", length=timedelta(days=30), span="day", step=timedelta(days=1)),
)
DAY: Final = PERIODS[1]


def traffic_rows(traffic: Sequence[Traffic], *, by: str) -> list[dict[str, Any]]:
    """One row a step and label, or a step and version: `by` says which."""
    counted: Counter[tuple[datetime, str]] = Counter()
    for each in traffic:
        counted[each.started_at, each.label.value if by == "label" else f"v{each.version}"] += each.messages
    return [
        {"time (UTC)": clock_time(at), by: name, "messages": messages}
        for (at, name), messages in sorted(counted.items())
    ]


def spam_share(traffic: Sequence[Traffic]) -> float | None:
    total = sum(each.messages for each in traffic)
    return sum(each.messages for each in traffic if each.label == "spam") / total if total else None


def version_rows(figures: ServingFigures) -> list[dict[str, Any]]:
    """A row a version; times in milliseconds."""
    return [
        {
            "version": each.version,
            "messages": round(each.requests),
            "errors": round(each.errors),
            **{
                f"p{q * 100:.0f} (ms)": None if seconds is None else 1000 * seconds
                for q, seconds in zip(PERCENTILES, each.percentiles, strict=True)
            },
        }
        for each in figures.versions
    ]


def slowest_p95(figures: ServingFigures) -> float | None:
    """The largest p95 of a version, in milliseconds; None where none is known."""
    known = [seconds for each in figures.versions if (seconds := each.percentiles[1]) is not None]
    return 1000 * max(known) if known else None


def label_rows(sources: Sequence[SourceLabels]) -> list[dict[str, Any]]:
    return [
        {
            "source": each.source,
            "kind": each.kind.value,
            "labels": each.labels,
            "spam": each.spam,
            "trusted": each.trusted,
        }
        for each in sources
    ]
