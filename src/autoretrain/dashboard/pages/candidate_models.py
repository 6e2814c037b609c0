"""What candidate and champion say: their curves, and the labelled messages that they call differently."""

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import BLUE, GREY, VERMILION, draw, tips
from autoretrain.dashboard.frame import Visit
from autoretrain.dashboard.masking import mask, words_of
from autoretrain.dashboard.queries import candidate as queries
from autoretrain.dashboard.queries.dispute import Dispute
from autoretrain.dashboard.queries.dispute import read_dispute as score_again
from autoretrain.domain.training import TrainingSummary
from autoretrain.ml.curves import RunCurves

KEPT_SECONDS = 600
RECENT, HELD_OUT = "Recent rows", "Held-out rows"
NAMES = [queries.CHAMPION, queries.CANDIDATE]
COLOUR = alt.Color("model:N", title=None, scale=alt.Scale(domain=NAMES, range=[BLUE, VERMILION]))
# A condition and not a scale, since a scale would have a legend of its own beside that of the marks.
DASHES = alt.condition(f"datum.model == '{queries.CANDIDATE}'", alt.value([5, 3]), alt.value([1, 0]))
SHAPE = alt.Shape("model:N", title=None, scale=alt.Scale(domain=NAMES, range=["circle", "triangle-up"]))


@st.cache_data(ttl=KEPT_SECONDS, max_entries=8, show_spinner="Reading the run's curves from MLflow")
def read_curves(key: str, run_id: str, _asked: Visit) -> RunCurves | None:
    return queries.read_curves(_asked.reach.registry, run_id)


def show_curves(asked: Visit, summary: TrainingSummary, rows: str) -> None:
    st.subheader("At other thresholds")
    found = read_curves(asked.key, summary.run_id, asked)
    curves = (found.recent if rows == RECENT else found.holdout) if found else None
    if curves is None:
        st.info("The run left no curves in MLflow: an earlier release trained it, or it was deleted there.")
        return
    points, chosen = (pd.DataFrame(each) for each in queries.curve_rows(curves))
    rates = alt.Axis(format="%")
    near_nothing = alt.Axis(format="%", values=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1])
    pairs = (("spam caught", "precision", 1.0, rates), ("ham flagged", "spam caught", 0.5, near_nothing))
    for column, (x, y, power, axis) in zip(st.columns(2), pairs, strict=True):
        across = alt.X(f"{x}:Q", axis=axis, scale=alt.Scale(type="pow", exponent=power, domain=[0, 1]))
        upwards = alt.Y(f"{y}:Q", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
        figures = ("spam caught", "ham flagged", "precision")
        told = tips("model", *(alt.Tooltip(f"{name}:Q", format=".2%") for name in figures))
        line = alt.Chart(points).mark_line(strokeWidth=2)
        line = line.encode(across, upwards, COLOUR, strokeDash=DASHES, order=alt.Order("order:Q"), tooltip=told)
        marks = alt.Chart(chosen).mark_point(size=110, filled=True, opacity=1, stroke=GREY)
        draw(line + marks.encode(across, upwards, COLOUR, SHAPE, tooltip=told), column)
    st.caption(
        "The marks are the models' own thresholds. Ham flagged is drawn by its square root: what matters is near 0."
    )


@st.cache_data(ttl=KEPT_SECONDS, max_entries=8, show_spinner="Scoring the labels again with both models")
def read_dispute(key: str, digest: str, champion: str | None, _asked: Visit, _of: TrainingSummary) -> Dispute | None:
    store = _asked.reach.store
    return score_again(store, _of) if store else None


def show_dispute(asked: Visit, summary: TrainingSummary) -> None:
    if summary.champion_digest is None:
        return
    st.subheader("Labelled messages that they call differently")
    if asked.reach.store is None:
        st.info("This dashboard was not given the store of this namespace, so its messages can't be shown here.")
        return
    dispute = read_dispute(asked.key, summary.digest, summary.champion_digest, asked, summary)
    if dispute is None:
        st.info("One of the two models is no longer kept, so that the labels can't be scored again.")
        return
    if not dispute.rows:
        st.info(f"None of the {dispute.labels:,} labels that neither had learnt from.")
        return
    rows = pd.DataFrame(dispute.rows)
    readable = asked.show_messages or asked.may_act
    if not readable:
        known = words_of(asked.reach, summary.champion_digest)
        rows["message"] = [mask(text, known) for text in rows["message"]]
    st.dataframe(
        rows, hide_index=True, width="stretch", column_config={"message": st.column_config.TextColumn(width="large")}
    )
    hidden = "" if readable else " Words that the champion does not know are hidden."
    st.caption(
        f"{len(rows):,} of the {dispute.labels:,} labels that neither had learnt from when it was judged, "
        "with the spam score that each gave. "
        f"The comparison counts fewer where the base data has the same message.{hidden}"
    )
