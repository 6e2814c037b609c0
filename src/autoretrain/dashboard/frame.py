"""What every page stands in: which model is looked at, who looks, and how an error is shown."""

import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from autoretrain.adapters.settings import Settings
from autoretrain.app.cluster_fleet import ClusterFleet
from autoretrain.app.fleet import Fleet, LocalFleet, Reach, Seen
from autoretrain.dashboard.drawing import plain, told_age
from autoretrain.domain.errors import AutoRetrainError

REFRESH_SECONDS: Final = 5
WRONG_KEY_SECONDS: Final = 1.0
_one_key_at_a_time: Final = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look of one person at one model, among those of `fleet`.

    `may_act` says that they may label, promote, roll back and the rest. Whoever may act may read messages.
    """

    reach: Reach
    seen: Seen
    fleet: dict[str, Seen]
    may_act: bool
    show_messages: bool
    now: datetime

    @property
    def key(self) -> str:
        return self.reach.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Every model as it was `at`, or some where `cut` says why. `problem` says why it is not known how they are now."""

    fleet: dict[str, Seen]
    at: datetime
    problem: str = ""
    cut: str = ""


@st.cache_resource(show_spinner=False)
def read_settings() -> Settings:
    """Return the environment's settings; they are of the process, and to read them takes 20 ms."""
    return Settings()


@st.cache_resource(show_spinner=False)
def open_fleet() -> Fleet:
    settings = read_settings()
    return ClusterFleet.open(settings) if settings.dashboard_namespaces else LocalFleet.open(settings)


@st.cache_resource(show_spinner=False)
def _last_looks() -> list[Looked]:
    """The last look that succeeded, for all sessions."""
    return []


def look_at_fleet() -> Looked:
    """Return every model, or where they can't be read, as they were last. Where they never could be, end the page."""
    kept = _last_looks()
    try:
        looked = Looked(fleet=open_fleet().look(), at=datetime.now(UTC), cut=open_fleet().cut)
    except AutoRetrainError as error:
        if not kept:
            st.error(plain(str(error)))
            st.stop()
        return replace(kept[0], problem=str(error))
    kept[:] = [looked]
    return looked


def visit() -> Visit:
    """Return the model that the page is about; where there is none, say so and end the page."""
    looked, now = look_at_fleet(), datetime.now(UTC)
    if looked.problem:
        st.warning(f"As of {told_age(looked.at, now)}: {plain(looked.problem)}")
    if looked.cut:
        st.warning(plain(looked.cut))
    if not looked.fleet:
        st.info("There is no SpamModel yet. `kubectl apply -f manifests/samples/sms-spam.yaml` makes one.")
        st.stop()
    key = st.session_state.get("model")
    if key not in looked.fleet:
        key = next(iter(looked.fleet))
    settings = read_settings()
    try:
        reach = open_fleet().reach(key)
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        st.stop()
    if reach.problem:
        st.warning(plain(reach.problem))
    return Visit(
        reach=reach,
        seen=looked.fleet[key],
        fleet=looked.fleet,
        may_act=may_act(settings),
        show_messages=settings.dashboard_show_messages,
        now=now,
    )


@contextmanager
def part() -> Iterator[None]:
    """Let one part of a page fail alone: what is wrong stands in its place, and the others are drawn."""
    try:
        yield
    except AutoRetrainError as error:
        st.error(plain(str(error)))


def choose_model() -> None:
    """Let the sidebar choose the model; the address of the page carries it, so that a link is about one model."""
    looked = look_at_fleet()
    keys = sorted(looked.fleet)
    asked, state = st.query_params.get("model"), st.session_state
    if asked is not None and asked != state.get("addressed"):
        # Somebody came by a link, or went back; the choice of before stands in an address that we wrote.
        if asked in keys:
            state["model"] = asked
        else:
            if looked.cut:
                st.warning(f"SpamModel {plain(asked)} is not among those that are shown here.")
            else:
                st.warning(f"There is no SpamModel {plain(asked)} here.")
    if not keys:
        return
    if state.get("model") not in keys:
        state["model"] = keys[0]
    if len(keys) > 1:
        st.sidebar.selectbox("Model", keys, key="model")
    st.query_params["model"] = state["addressed"] = state["model"]


def ask_for_key() -> None:
    """Let the sidebar take the operator's key where one is set."""
    key = read_settings().dashboard_key.get_secret_value()
    if not key:
        return
    given = st.sidebar.text_input("Operator's key", type="password", help="Needed to label, promote or roll back.")
    state = st.session_state
    if given != state.get("given-key", ""):
        state["operator"] = False
        state["operator"] = bool(given) and is_key(given, key)
        state["given-key"] = given
    if given and not state["operator"]:
        st.sidebar.error("That is not the key.")


def is_key(given: str, key: str) -> bool:
    """Compare. After a wrong key nobody's is compared for a second, so that keys can't be guessed by the thousand."""
    with _one_key_at_a_time:
        right = hmac.compare_digest(given.encode(), key.encode())
        if not right:
            time.sleep(WRONG_KEY_SECONDS)
    return right


def may_act(settings: Settings) -> bool:
    """Say whether this person may change something; without a key, whoever reaches a machine's own dashboard may."""
    if settings.dashboard_key.get_secret_value():
        return bool(st.session_state.get("operator", False))
    return not settings.dashboard_namespaces
