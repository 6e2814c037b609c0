"""The dashboard's first page: champion, live quality, drift against its threshold, decisions, versions, labelling."""

import re
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from autoretrain.adapters.settings import Settings
from autoretrain.app.label_queue import StoreQueue
from autoretrain.app.local import LocalWorld
from autoretrain.dashboard import queries
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.metrics import Estimate

REFRESH_SECONDS = 5
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


@st.cache_resource
def open_world() -> LocalWorld:
    return LocalWorld.open(Settings(), expect_serving=False)


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is: what others wrote must not load a picture or draw a link."""
    return _PUNCTUATION.sub(r"\\\1", text)


def show() -> None:
    """Draw the whole page; called by Streamlit on every interaction."""
    st.set_page_config(page_title="AutoRetrain", layout="wide")
    try:
        world = open_world()
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        return
    watch, label = st.tabs(["Watch", "Label"])
    with watch:
        show_overview(world)
    with label:
        show_label_queue(world)


@st.fragment(run_every=REFRESH_SECONDS)
def show_overview(world: LocalWorld) -> None:
    try:
        overview = queries.read_overview(world, now=datetime.now(UTC))
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        return
    st.title(overview.model.name)
    if overview.sample:
        st.warning(f"Trained on generated sample messages, not on real ones: {plain(overview.data_note)}")
    elif overview.data_note:
        st.caption(f"Trained on {plain(overview.data_note)}")
    for condition in overview.status.conditions:
        if condition.type == "Stalled" and condition.status:
            st.error(f"Stalled ({condition.reason}): {plain(condition.message)}")
    show_figures(overview)
    show_drift(overview)
    st.subheader("Decisions")
    st.dataframe(pd.DataFrame(queries.decision_rows(overview.decisions)), hide_index=True, width="stretch")
    st.subheader("Versions")
    st.dataframe(pd.DataFrame(queries.version_rows(overview.status)), hide_index=True, width="stretch")


def show_figures(overview: queries.Overview) -> None:
    status, live = overview.status, overview.performance
    champion, messages, accuracy, recall, f1 = st.columns(5)
    champion.metric("Champion", f"v{status.champion.version}" if status.champion else "none yet")
    messages.metric("Messages answered", f"{overview.messages:,}")
    whole = live.overall if live else None
    show_estimate(accuracy, "Live accuracy", whole.accuracy if whole else None)
    show_estimate(recall, "Live spam recall", whole.spam_recall if whole else None)
    show_estimate(f1, "Live F1", whole.f1 if whole else None)
    labels = live.labels if live else 0
    without_spam = ", none of which is spam" if whole and whole.spam_recall is None else ""
    st.caption(f"Live figures rest on {labels} labels of the audit sample{without_spam}.")


def show_estimate(column: "st.delta_generator.DeltaGenerator", title: str, estimate: Estimate | None) -> None:
    if estimate is None:
        column.metric(title, "not measured")
    else:
        column.metric(title, f"{estimate.value:.3f}", help=f"95 % interval {estimate.low:.3f} to {estimate.high:.3f}")


def show_drift(overview: queries.Overview) -> None:
    st.subheader("Drift")
    rows = queries.drift_rows(overview.reports, threshold=overview.model.spec.triggers.drift.threshold)
    if not rows:
        st.info("No window is complete yet.")
        return
    st.line_chart(pd.DataFrame(rows), x="time (UTC)", y=["score", "threshold"])
    last = overview.reports[-1]
    if last.new_spam_patterns:
        st.caption(f"The last window is driven by: {plain(', '.join(last.new_spam_patterns))}")


def show_label_queue(world: LocalWorld) -> None:
    """Ask for the labels of the audit sample; the model's verdict is not shown, since it would bias the answer."""
    # What was handed out once is leased to this session, so it is kept until it is answered.
    waiting: list[Prediction] = st.session_state.setdefault("waiting", [])
    if not waiting:
        waiting += queries.next_to_label(world)
    if not waiting:
        st.info(StoreQueue(world.store).explain_none())
        return

    def answer(prediction: Prediction, label: Label) -> None:
        queries.store_label(world, prediction.prediction_id, label)
        waiting.remove(prediction)

    for prediction in waiting:
        text, *buttons = st.columns([8, 1, 1])
        text.text(prediction.text)  # as it was sent: Markdown would draw formulas and load pictures
        for column, label in zip(buttons, (Label.SPAM, Label.HAM), strict=True):
            key = f"{prediction.prediction_id}-{label.value}"
            column.button(label.value, key=key, on_click=answer, args=(prediction, label))


if __name__ == "__main__":
    show()
