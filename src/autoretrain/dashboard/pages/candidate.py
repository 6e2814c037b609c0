"""A candidate beside its champion: the verdict with each gate, and what the new model does differently."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import BLUE, draw, plain, tips, told_age
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.pages.candidate_models import HELD_OUT, RECENT, show_curves, show_dispute
from autoretrain.dashboard.pages.decisions import heads_of
from autoretrain.dashboard.queries import candidate as queries
from autoretrain.dashboard.queries.decisions import Head, decision_link, read_record
from autoretrain.domain.training import TrainingSummary

ABOUT = {
    RECENT: "Labels of traffic that came after everything that either model learnt from: what the gain is judged on.",
    HELD_OUT: "Base data that never trains anything: the candidate may not lose on it.",
}


@st.fragment(run_every=REFRESH_SECONDS)
def show() -> None:
    asked = visit()
    st.title("Candidate and champion")
    with part():
        judged = choose(asked)
        if judged is None:
            return
        show_verdict(asked, judged)
        summary = judged.summary
        rows = RECENT
        if summary.recent is not None and summary.holdout is not None:
            rows = st.segmented_control("Rows", [RECENT, HELD_OUT], default=RECENT, key="candidate-rows") or RECENT
        elif summary.recent is None:
            rows = HELD_OUT
        st.caption(ABOUT[rows])
        show_comparison(summary, rows)
        with part():
            show_curves(asked, summary, rows)
        with part():
            show_dispute(asked, summary)


def choose(asked: Visit) -> queries.Judged | None:
    """The candidate that the person asks for, the newest one first; what is missing is said."""
    by_number = {head.sequence: head for head in queries.judged_heads(heads_of(asked, asked.key))}
    if not by_number:
        waiting = queries.waiting_candidate(asked.seen)
        if waiting is None:
            st.info("No candidate has been judged yet. One is, as soon as a training run has ended.")
        return waiting
    asked_for = st.query_params.get("id", "")
    numbers = list(by_number)
    first = numbers.index(int(asked_for)) if asked_for.isdecimal() and int(asked_for) in by_number else 0
    number = st.selectbox("Verdict", numbers, index=first, format_func=lambda each: titled(by_number[each]))
    judged = queries.judged_of(read_record(asked.reach, number))
    if judged is None:
        link = decision_link(asked.key, number)
        st.info(f"With this decision no comparison was recorded. [Decision {number}]({link}) says what it rests on.")
    return judged


def titled(head: Head) -> str:
    return f"{head.entry.at:%Y-%m-%d %H:%M} UTC: {head.entry.decision} ({head.entry.reason})"


def show_verdict(asked: Visit, judged: queries.Judged) -> None:
    summary = judged.summary
    against = f"against champion v{plain(summary.champion_version)}" if summary.champion_version else "the first model"
    told = f"{plain(judged.decision)}, {plain(judged.reason)}"
    st.subheader(f"v{plain(summary.version)}, {against}: {told}")
    st.markdown(plain(judged.message))
    more = f" [Decision {judged.sequence}]({decision_link(asked.key, judged.sequence)})" if judged.sequence else ""
    st.caption(
        f"Judged {told_age(judged.at, asked.now)}. {plain(summary.algorithm)}, {summary.training_rows:,} rows, "
        f"trained in {summary.seconds:.0f} s, run {plain(summary.run_name)}.{more}"
    )
    if judged.gates:
        st.dataframe(pd.DataFrame(judged.gates), hide_index=True, width="stretch")
    if summary.expected is not None:
        said = summary.expected
        st.caption(
            f"Of the {said.messages:,} messages before it, unlabelled, it calls {said.spam_share:.1%} spam, and "
            f"{said.disagreement:.1%} differently from the champion. The guard holds live traffic against that."
        )


def show_comparison(summary: TrainingSummary, rows: str) -> None:
    compared = summary.recent if rows == RECENT else summary.holdout
    ours = compared.candidate if compared else summary.holdout_metrics
    theirs = compared.champion if compared else None
    st.caption(f"{ours.rows:,} rows, {ours.spam_rows:,} of them spam; at most three copies of a campaign count.")
    if compared is not None:
        for column, (title, figure, about) in zip(st.columns(5), queries.paired_rows(compared), strict=True):
            column.metric(title, figure, help=about)
    table, matrices = st.columns(2)
    shown = {name: st.column_config.NumberColumn(format="%.4f") for name in (queries.CHAMPION, queries.CANDIDATE)}
    shown["difference"] = st.column_config.NumberColumn(format="%+.4f")
    figures = pd.DataFrame(queries.metric_rows(ours, theirs))
    table.dataframe(figures, hide_index=True, width="stretch", column_config=shown)
    with matrices:
        sides = [(queries.CHAMPION, theirs), (queries.CANDIDATE, ours)]
        measured = [(name, metrics) for name, metrics in sides if metrics is not None]
        for column, (name, metrics) in zip(st.columns(len(measured)), measured, strict=True):
            column.markdown(f"**{name}**")
            draw_matrix(pd.DataFrame(queries.confusion_rows(metrics, model=name)), column)


def draw_matrix(rows: pd.DataFrame, place: Any) -> None:
    cells = alt.Chart(rows).encode(
        alt.X("called:N", title="called", axis=alt.Axis(labelAngle=0)),
        alt.Y("is:N", title="is"),
        tooltip=tips("model", "is", "called", "messages", alt.Tooltip("share:Q", format=".1%")),
    )
    shade = alt.Color("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=["#DCE9F3", BLUE]))
    ink = alt.condition("datum.share > 0.5", alt.value("white"), alt.value("black"))
    counts = cells.mark_text(fontSize=15).encode(text=alt.Text("messages:Q"), color=ink)
    draw(cells.mark_rect().encode(shade) + counts, place)
