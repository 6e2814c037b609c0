"""The dashboard: which pages there are. Called by Streamlit on every interaction."""

import streamlit as st

from autoretrain.dashboard.frame import ask_for_key, choose_model
from autoretrain.dashboard.pages import label, overview


def show() -> None:
    """Draw the page that is asked for."""
    st.set_page_config(page_title="AutoRetrain", layout="wide")
    chosen = st.navigation(
        [
            st.Page(overview.show, title="Overview", icon=":material/monitor_heart:", default=True),
            st.Page(label.show, title="Label", icon=":material/label:", url_path="label"),
        ]
    )
    choose_model()
    ask_for_key()
    chosen.run()


if __name__ == "__main__":
    show()
