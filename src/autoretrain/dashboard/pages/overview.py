"""The first page: champion, live quality, drift against its threshold, decisions, versions."""

import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import plain, show_estimate
from autoretrain.dashboard.frame import REFRESH_SECONDS, visit
from autoretrain.dashboard.queries import overview as queries
from autoretrain.domain.errors import AutoRetrainError


@st.fragment(run_every=REFRESH_SECONDS)
def show() -> None:
    asked = visit()
    try:
        overview = queries.read_overview(asked.reach, asked.seen, now=asked.now)
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
