"""What every page stands in: which model is looked at, who looks, and how an error is shown."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from autoretrain.adapters.settings import Settings
from autoretrain.app.cluster_fleet import ClusterFleet
from autoretrain.app.fleet import Fleet, LocalFleet, Reach, Seen
from autoretrain.dashboard.drawing import plain
from autoretrain.domain.errors import AutoRetrainError

REFRESH_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look of one person at one model. `may_act` says that they may label, promote, roll back and the rest."""

    reach: Reach
    seen: Seen
    may_act: bool
    show_messages: bool
    now: datetime

    @property
    def key(self) -> str:
        return self.reach.key


@st.cache_resource
def open_fleet() -> Fleet:
    settings = Settings()
    return ClusterFleet.open(settings) if settings.dashboard_namespaces else LocalFleet.open(settings)


def look_at_fleet() -> dict[str, Seen]:
    """Return every model; where they can't be read, say so and end the page."""
    try:
        return open_fleet().look()
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        st.stop()


def visit() -> Visit:
    """Return the model that the page is about; where there is none, say so and end the page."""
    fleet = look_at_fleet()
    if not fleet:
        st.info("There is no SpamModel yet. `kubectl apply -f manifests/samples/sms-spam.yaml` makes one.")
        st.stop()
    key = st.session_state.get("model")
    if key not in fleet:
        key = next(iter(fleet))
    settings = Settings()
    try:
        reach = open_fleet().reach(key)
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        st.stop()
    return Visit(
        reach=reach,
        seen=fleet[key],
        may_act=may_act(settings),
        show_messages=settings.dashboard_show_messages,
        now=datetime.now(UTC),
    )


def choose_model() -> None:
    """Let the sidebar choose the model; the address of the page carries it, so that a link is about one model."""
    keys = sorted(look_at_fleet())
    asked = st.query_params.get("model")
    if "model" not in st.session_state and asked in keys:
        st.session_state["model"] = asked
    if len(keys) > 1:
        st.sidebar.selectbox("Model", keys, key="model")
    elif keys:
        st.session_state["model"] = keys[0]
    if keys:
        st.query_params["model"] = st.session_state["model"]


def ask_for_key() -> None:
    """Let the sidebar take the operator's key where one is set."""
    key = Settings().dashboard_key.get_secret_value()
    if not key:
        return
    given = st.sidebar.text_input("Operator's key", type="password", help="Needed to label, promote or roll back.")
    st.session_state["operator"] = hmac.compare_digest(given.encode(), key.encode())
    if given and not st.session_state["operator"]:
        st.sidebar.error("That is not the key.")


def may_act(settings: Settings) -> bool:
    """Say whether this person may change something; without a key, whoever reaches a machine's own dashboard may."""
    if settings.dashboard_key.get_secret_value():
        return bool(st.session_state.get("operator", False))
    return not settings.dashboard_namespaces
