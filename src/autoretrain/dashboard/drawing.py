"""What several pages draw alike: text of others, times, figures with their intervals."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import altair as alt

from autoretrain.domain.metrics import Estimate

if TYPE_CHECKING:
    import streamlit as st

# Colours that colour-blind people tell apart, by Okabe and Ito; what they mean is said by words or shapes as well.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, GREY = "#56B4E9", "#CC79A7", "#999999"

TIME = "time (UTC)"
# Ticks of half a minute would else stand there twice, with the same minute.
_TICK = "timeFormat(datum.value, seconds(datum.value) ? '%H:%M:%S' : '%d %b %H:%M')"

# Streamlit cuts what is wider than its column, which four of them are on a small window; here it goes on below.
WHOLE_FIGURES = """<style>
[data-testid=stMetric] :is([data-testid=stMetricLabel], [data-testid=stMetricValue], [data-testid=stMetricDelta]) * {
  white-space: normal;
  overflow-wrap: anywhere;
}
</style>"""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_ADDRESS = re.compile(r"https?(?=://)|www(?=\.)|@(?=[-\w])", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is: what others wrote must not load a picture or draw a link."""
    # Bare addresses become links after the backslashes were taken away; a sign that is not seen keeps them apart.
    apart = _ADDRESS.sub(rf"\g<0>{_WORD_JOINER}", text)
    return _PUNCTUATION.sub(r"\\\1", apart)


def clock_time(at: datetime) -> datetime:
    """Return UTC without the zone: tables and charts show it as it is, and the column's name says which it is."""
    return at.astimezone(UTC).replace(tzinfo=None)


def told_age(at: datetime, now: datetime) -> str:
    """Return when that was, and how long ago.

    >>> told_age(datetime(2026, 3, 1, 12, 3, tzinfo=UTC), datetime(2026, 3, 1, 12, 10, tzinfo=UTC))
    '12:03 UTC, 7 min ago'
    """
    clock = f"{at:%H:%M}" if now - at < timedelta(days=1) else f"{at:%Y-%m-%d %H:%M}"
    return f"{clock} UTC, {told_ago(at, now)}"


def told_ago(at: datetime, now: datetime) -> str:
    """Return how long ago that was, where there is room for no more.

    >>> told_ago(datetime(2026, 3, 1, 12, 3, tzinfo=UTC), datetime(2026, 3, 2, 12, 2, tzinfo=UTC))
    '23 h ago'
    """
    minutes = max(0, int((now - at).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 24 else f"{hours // 24} d ago"


def over_time(unit: Any = alt.Undefined) -> alt.X:
    """The axis of a chart whose rows have their time in the column TIME: day and hour of 24, or with seconds.

    With a `unit` of time, in the words of Vega-Lite, bars are as wide as it is.
    """
    axis = alt.Axis(labelExpr=_TICK, labelOverlap=True, labelFlush=True, tickCount=6)
    return alt.X(f"{TIME}:T", axis=axis, title=TIME, timeUnit=unit)


def tips(*columns: "str | alt.Tooltip") -> list[alt.Tooltip]:
    """Return what a chart tells of a mark. For a bare name in place of an object Altair hashes all schemas: 5 ms."""
    return [alt.Tooltip(each) if isinstance(each, str) else each for each in columns]


def draw(chart: alt.Chart | alt.LayerChart, place: Any, *, height: int = 260) -> None:
    """Draw `chart` in `place`, a column or the page: its legend below, where a phone has room for it."""
    placed = chart.properties(height=height).configure_legend(orient="bottom", labelLimit=0)
    place.altair_chart(placed, width="stretch")


def show_estimate(column: "st.delta_generator.DeltaGenerator", title: str, estimate: Estimate | None) -> None:
    if estimate is None:
        column.metric(title, "not measured")
    else:
        column.metric(title, f"{estimate.value:.3f}", help=f"95 % interval {estimate.low:.3f} to {estimate.high:.3f}")
