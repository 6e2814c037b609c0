"""One window of the drift page: what each metric measured in it, its terms then and now, its scores."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import BLUE, GREY, ORANGE, TIME, clock_time, draw, over_time, plain, tips
from autoretrain.dashboard.frame import Visit, part
from autoretrain.dashboard.queries import drift_window as queries
from autoretrain.dashboard.queries.drift import Windows, metric_rows
from autoretrain.domain.drift import DriftReport

WORDS_WIDTH = 330  # pixels that the longest name of a metric takes
SHARES = alt.Axis(format="%", values=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1])


@st.cache_resource(max_entries=2, show_spinner="Reading what the version knows")
def read_reference(key: str, version: str, _asked: Visit) -> queries.Reference | None:
    store = _asked.reach.store
    return queries.read_reference(store, version) if store else None


def show_window(asked: Visit, windows: Windows) -> None:
    st.subheader("One window")
    by_id = {report.window_id: report for report in reversed(windows.reports)}
    chosen = st.selectbox("Window", list(by_id), format_func=lambda name: titled(by_id[name]), key="drift-window")
    report = by_id.get(chosen, windows.reports[-1])
    rows = pd.DataFrame(queries.measured_rows(report))
    formats: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.3f", width="small")
        for name in ("score", "value", "usual", "noise floor")
    }
    formats["what moved"] = st.column_config.TextColumn(width=WORDS_WIDTH)
    st.dataframe(rows, hide_index=True, width="stretch", column_config=formats, height=230)
    if not rows.empty:
        show_metric(windows, list(rows["metric"]))
    with part():
        show_distribution(asked, report)


def titled(report: DriftReport) -> str:
    ended = clock_time(report.ended_at)
    return f"{ended:%Y-%m-%d %H:%M:%S} UTC, v{report.model_version}, {report.size} messages: {report.score:.3f}"


def show_metric(windows: Windows, names: list[str]) -> None:
    name = st.selectbox("Metric over time", names, format_func=queries.metric_words, key="drift-metric")
    rows = pd.DataFrame(metric_rows(windows.reports, name or names[0]))
    base = alt.Chart(rows).encode(over_time())
    figures = ("value", "median", "noise floor", "score")
    told = tips(TIME, *(alt.Tooltip(f"{field}:Q", format=".4f") for field in figures))
    band = base.mark_area(color=GREY, opacity=0.25).encode(alt.Y("median:Q", title="value"), y2=alt.Y2("noise floor:Q"))
    line = base.mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE)).encode(y=alt.Y("value:Q"), tooltip=told)
    draw(band + line, st)
    st.caption("The grey band reaches from what is usual without drift to this metric's noise floor.")


def show_distribution(asked: Visit, report: DriftReport) -> None:
    """The terms that drive the window, and its scores beside those of its reference."""
    store = asked.reach.store
    reference = read_reference(asked.key, report.model_version, asked)
    terms, scores = st.columns(2)
    terms.markdown("**Terms that drive it, then and now**")
    rows = queries.term_rows(store, report, reference) if store and reference else []
    if rows:
        table = pd.DataFrame(rows)
        narrow: dict[str, Any] = {str(name): st.column_config.NumberColumn(width="small") for name in table.columns[1:]}
        narrow["times as often"] = st.column_config.NumberColumn(format="%.1f", width="small")
        # A term that was nowhere then has no ratio.
        terms.dataframe(table, hide_index=True, width="stretch", column_config=narrow, placeholder="new")
        terms.caption(f"Messages that hold the term; then is the reference {plain(report.regime)}.")
    elif report.new_spam_patterns:
        terms.write(plain(", ".join(report.new_spam_patterns)))
        terms.caption("Not counted: the window's messages or the reference of that version are no longer kept.")
    else:
        terms.write("No term stands out.")
    scores.markdown("**Spam scores**")
    counted = store.window_scores(report.window_id) if store else ()
    if not any(counted):
        scores.write("The messages of this window are past their retention.")
        return
    bars = pd.DataFrame(queries.distribution_rows(counted, reference.of(report) if reference else None))
    sides = alt.Scale(domain=["this window", "reference"], range=[BLUE, ORANGE])
    chart = alt.Chart(bars).mark_bar()
    chart = chart.encode(
        alt.X("spam score:N", title="spam score"),
        # By the square root, since nearly all lies at the two ends.
        alt.Y("share:Q", title="share of messages", axis=SHARES, scale=alt.Scale(type="sqrt", domain=[0, 1])),
        alt.XOffset("of:N", sort=["reference", "this window"]),
        alt.Color("of:N", title=None, scale=sides),
        tooltip=tips("of", "spam score", alt.Tooltip("share:Q", format=".2%")),
    )
    draw(chart, scores, height=320)
