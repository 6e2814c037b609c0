"""Drift: how far traffic is from what the champion knows, since when, and which words say so."""

from datetime import timedelta

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import BLUE, GREY, ORANGE, TIME, VERMILION, draw, over_time, plain, tips, told_age
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.pages.drift_window import read_reference, show_window
from autoretrain.dashboard.queries import drift as queries
from autoretrain.dashboard.queries.drift_window import SIZES, metric_words, size_rows
from autoretrain.decide.drift import count_breaches
from autoretrain.domain.drift import DriftReport
from autoretrain.ml.drift.calibration import THRESHOLD

KEPT_SECONDS = 30
NO_STORE = "This dashboard was not given the store of this namespace, so only what the status says is shown."
ABOUT = (
    "The score is calibrated: in the grey band lie 199 of 200 windows in which nothing has drifted, at every size. "
    "A retraining needs consecutive windows above the threshold; a drift is over below the clear threshold."
)


@st.fragment(run_every=REFRESH_SECONDS)
def show() -> None:
    asked = visit()
    st.title("Drift")
    with part():
        if asked.reach.store is None:
            st.info(NO_STORE)
            show_status(asked)
            return
        status = asked.seen.status.drift
        windows = read_windows(asked.key, asked.seen.model.generation, status.window_id if status else "", asked)
        if not windows.reports:
            size = asked.seen.model.spec.monitoring.window_size
            st.info(f"No window is complete yet. The first one is as soon as {size:,} messages were answered.")
            return
        show_standing(asked, windows)
        show_scores(windows)
        show_answers(windows)
        show_window(asked, windows)
        show_sizes(asked, windows.reports[-1])


@st.cache_resource(ttl=KEPT_SECONDS, max_entries=8, show_spinner=False)
def read_windows(key: str, generation: int, newest: str, _asked: Visit) -> queries.Windows:
    """Windows do not change, so they need no copy for each drawing; a new one is a new `newest`."""
    return queries.read_windows(_asked.reach, _asked.seen)


def show_status(asked: Visit) -> None:
    drift = asked.seen.status.drift
    if drift is None:
        st.info("No window was checked yet.")
        return
    score, messages, breaches = st.columns(3)
    score.metric(
        "Score", f"{drift.score:.3f}", f"threshold {drift.threshold:.2f}", delta_color="off", delta_arrow="off"
    )
    messages.metric("Messages in the window", f"{drift.window_size:,}")
    breaches.metric("Windows in a row above it", drift.breaches)
    st.caption(f"As of {told_age(drift.checked_at, asked.now)}.")
    columns = ["what moved", "score", "metric"]
    rows = [(metric_words(name), value, name) for name, value in drift.per_metric]
    table = pd.DataFrame(rows, columns=columns).sort_values("score", ascending=False)
    st.dataframe(table, hide_index=True, width="stretch")


def show_standing(asked: Visit, windows: queries.Windows) -> None:
    newest, champion = windows.reports[-1], asked.seen.status.champion
    score, messages, spam, above = st.columns(4)
    told = f"threshold {windows.threshold:.2f}"
    score.metric("Score of the newest window", f"{newest.score:.3f}", told, delta_color="off", delta_arrow="off")
    messages.metric("Messages in it", f"{newest.size:,}")
    answers = windows.answers.get(newest.window_id)
    spam.metric("Called spam", f"{answers.spam / answers.messages:.1%}" if answers else "not kept")
    own = [report for report in windows.reports if report.model_version == newest.model_version]
    breaches = count_breaches(own, threshold=windows.threshold)
    needed = f"{asked.seen.model.spec.triggers.drift.consecutive_breaches} ask for a run"
    above.metric("Windows in a row above it", breaches, needed, delta_color="off", delta_arrow="off")
    longest = timedelta(seconds=asked.seen.model.spec.monitoring.max_age_seconds)
    when = f"The newest window ended {told_age(newest.ended_at, asked.now)}"
    if asked.now - newest.ended_at > longest:
        st.warning(f"{when}. That is too long ago to conclude anything from it.", icon=":material/schedule:")
    elif champion is not None and newest.model_version != champion.version:
        st.caption(f"{when}, and is of v{newest.model_version}; v{champion.version} has no complete window yet.")
    else:
        st.caption(f"{when}. Of what v{newest.model_version} knows, {plain(newest.regime)} is nearest to it.")
    if newest.prior_shift:
        st.info("Only the share of spam moved, not the words: another decision threshold helps here, a new model not.")


def show_scores(windows: queries.Windows) -> None:
    st.subheader("Score of each window")
    rows = pd.DataFrame(queries.score_rows(windows))
    sizes = sorted(rows["messages"].unique())
    if len(sizes) > 1:
        chosen = st.pills(
            "Windows of so many messages", sizes, selection_mode="multi", default=sizes, key="drift-sizes"
        )
        rows = rows[rows["messages"].isin(chosen or sizes)]
    names = [f"threshold {windows.threshold:.2f}", f"clear threshold {windows.clear_threshold:.2f}"]
    levels = pd.DataFrame({"level": [windows.threshold, windows.clear_threshold], "line": names})
    dashes = alt.StrokeDash("line:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [5, 4]]))
    line = alt.Chart(rows).encode(over_time(), alt.Y("score:Q", title="score"))
    marks = list(queries.STANDINGS)
    points = line.mark_point(size=70, filled=True, opacity=1).encode(
        shape=alt.Shape("is:N", title=None, scale=alt.Scale(domain=marks, range=["circle", "triangle-up", "square"])),
        color=alt.Color("is:N", title=None, scale=alt.Scale(domain=marks, range=[BLUE, VERMILION, ORANGE])),
        tooltip=tips(TIME, alt.Tooltip("score:Q", format=".3f"), "is", "version", "messages", "reference", "window"),
    )
    drawn = alt.Chart(levels).encode(y=alt.Y("level:Q"), color=alt.ColorValue(GREY))
    rules = drawn.mark_rule(size=1.5).encode(strokeDash=dashes)
    rules += drawn.mark_text(align="left", dy=-7, fontSize=12).encode(x=alt.value(4), text=alt.Text("line:N"))
    band = alt.Chart(pd.DataFrame([{"low": 0.0, "high": THRESHOLD}])).mark_rect(color=GREY, opacity=0.15)
    lines = line.mark_line(color=BLUE, opacity=0.8).encode(detail=alt.Detail("version:N"))
    draw(band.encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")) + lines + rules + points, st, height=320)
    st.caption(ABOUT)


def show_answers(windows: queries.Windows) -> None:
    rows = pd.DataFrame(queries.answer_rows(windows))
    st.subheader("Spam share and confidence")
    if rows.empty:
        st.info("The messages of these windows are past their retention, so their answers can't be counted any more.")
        return
    for column, name in zip(st.columns(3), (queries.SPAM_SHARE, queries.CONFIDENCE, queries.DOUBTFUL), strict=True):
        share = alt.Y(f"{name}:Q", title=name, axis=alt.Axis(format=".1%"), scale=alt.Scale(zero=False))
        told = tips(TIME, alt.Tooltip(f"{name}:Q", format=".2%"), "window")
        line = alt.Chart(rows).mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE))
        draw(line.encode(over_time(), share, tooltip=told), column)


def show_sizes(asked: Visit, newest: DriftReport) -> None:
    st.subheader("The newest messages, as windows of every size")
    st.caption("Measured when asked for, the window under way included. Nothing is recorded, and nothing acts on it.")
    champion, store = asked.seen.status.champion, asked.reach.store
    version = champion.version if champion else newest.model_version
    if st.button("Measure now", icon=":material/straighten:") and store is not None:
        reference = read_reference(asked.key, version, asked)
        # Kept, since the page is drawn again every few seconds.
        measured = size_rows(store, version, reference) if reference else []
        st.session_state["drift-measured"] = (asked.key, version, asked.now, measured)
    key, version, at, rows = st.session_state.get("drift-measured", ("", "", asked.now, []))
    if key != asked.key:
        return
    if not rows:
        st.info(f"v{version} has answered fewer than {SIZES[0]} messages, or its reference is not kept.")
        return
    scores = {"score": st.column_config.NumberColumn(format="%.3f")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=scores)
    st.caption(f"Messages of v{version} until {told_age(at, asked.now)}.")
