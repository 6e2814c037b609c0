"""The dashboard: which pages there are. Called by Streamlit on every interaction."""

import gc

import streamlit as st

from autoretrain.dashboard.drawing import WHOLE_FIGURES
from autoretrain.dashboard.frame import ask_for_key, choose_model
from autoretrain.dashboard.pages import (
    agent,
    candidate,
    decisions,
    drift,
    label,
    overview,
    performance,
    try_it,
    versions,
)

# Streamlit collects garbage after every drawing of a page, before the browser is told that it is complete. What the
# libraries brought along is none and never will be; to look through all of it takes a tenth of a second each time.
gc.collect()
gc.freeze()


def show() -> None:
    """Draw the page that is asked for."""
    chosen = st.navigation(
        [
            st.Page(overview.show, title="Overview", icon=":material/monitor_heart:", default=True),
            st.Page(drift.show, title="Drift", icon=":material/ssid_chart:", url_path="drift"),
            st.Page(decisions.show, title="Decisions", icon=":material/gavel:", url_path="decisions"),
            st.Page(
                candidate.show, title="Candidate and champion", icon=":material/compare_arrows:", url_path="candidate"
            ),
            st.Page(versions.show, title="Versions", icon=":material/inventory_2:", url_path="versions"),
            st.Page(try_it.show, title="Try it", icon=":material/science:", url_path="try-it"),
            st.Page(label.show, title="Label", icon=":material/label:", url_path="label"),
            st.Page(performance.show, title="Performance", icon=":material/speed:", url_path="performance"),
            st.Page(agent.show, title="Agent", icon=":material/smart_toy:", url_path="agent"),
        ]
    )
    st.set_page_config(
        page_title=f"{chosen.title} · AutoRetrain", page_icon=":material/mark_email_read:", layout="wide"
    )
    st.html(WHOLE_FIGURES)
    choose_model()
    ask_for_key()
    chosen.run()
