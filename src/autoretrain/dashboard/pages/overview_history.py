"""The first page's story: the last decision, runs and promotions over time, and the decisions before."""

from datetime import datetime
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    TIME,
    VERMILION,
    draw,
    over_time,
    plain,
    tips,
    told_age,
)
from autoretrain.dashboard.frame import Visit
from autoretrain.dashboard.queries import overview as queries
from autoretrain.dashboard.queries.standing import sentence
from autoretrain.dashboard.queries.timeline import lanes_of, timeline_rows

KEPT_SECONDS = 60
LANES = {
    "run": (BLUE, "square"),
    "promoted": (GREEN, "triangle-up"),
    "held": (ORANGE, "circle"),
    "rejected": (GREY, "cross"),
    "rolled back": (VERMILION, "triangle-down"),
    "alert": (PURPLE, "diamond"),
    "run failed": (VERMILION, "cross"),
}


def show_history(asked: Visit) -> None:
    status = asked.seen.status
    st.subheader("How it came to that")
    newest = status.history[-1].at if status.history else None
    heads = read_heads(asked.key, newest, status.drift.window_id if status.drift else "", asked)
    if not heads:
        st.info("Nothing has been decided yet.")
        return
    _, last = heads[-1]
    st.markdown(
        f"Last decision, {told_age(last.at, asked.now)}: **{plain(last.decision)}** ({plain(last.reason)}). "
        f"{plain(sentence(last.message))}"
    )
    rows = timeline_rows(heads, running=status.active_run, now=asked.now)
    if rows:
        draw_timeline(rows, now=asked.now)
    st.dataframe(
        pd.DataFrame(queries.decision_rows(heads, key=asked.key)),
        hide_index=True,
        width="stretch",
        column_config={"more": st.column_config.LinkColumn("", display_text="more")},
    )


@st.cache_resource(ttl=KEPT_SECONDS, max_entries=32, show_spinner=False)
def read_heads(key: str, newest: datetime | None, window_id: str, _asked: Visit) -> queries.Heads:
    """The ledger grows when the history does, or when another window was judged."""
    return _asked.reach.place.heads(limit=queries.DECISIONS)


def draw_timeline(rows: list[dict[str, Any]], *, now: datetime) -> None:
    table, lanes = pd.DataFrame(rows), lanes_of(rows)
    colours = alt.Scale(domain=lanes, range=[LANES[lane][0] for lane in lanes])
    shapes = alt.Scale(domain=lanes, range=[LANES[lane][1] for lane in lanes])
    base = alt.Chart(table).encode(
        x=over_time(),
        y=alt.Y("lane:N", sort=lanes, title=None),
        color=alt.Color("lane:N", scale=colours, legend=None),
        tooltip=tips(TIME, "reason", "why"),
    )
    runs = base.transform_filter(alt.datum.lane == "run").mark_bar(height=12).encode(x2=alt.X2("until:T"))
    moments = (
        base.transform_filter(alt.datum.lane != "run")
        .mark_point(filled=True, size=110, opacity=1)
        .encode(shape=alt.Shape("lane:N", scale=shapes, legend=None))
    )
    draw(runs + moments, st)
