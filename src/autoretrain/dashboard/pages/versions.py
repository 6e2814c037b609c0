"""Which versions there are, what each came from, and what may be done with them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from autoretrain.adapters.settings import Settings
from autoretrain.app.fleet import Reach
from autoretrain.app.manual_verbs import Verb
from autoretrain.dashboard.asking import begin, confirm_what_was_begun, offer, tell_answer
from autoretrain.dashboard.drawing import plain
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, visit
from autoretrain.dashboard.queries import acting, overview
from autoretrain.dashboard.queries import versions as queries
from autoretrain.dashboard.queries.registered import Registered, RegistryReader, registry_reader
from autoretrain.dashboard.queries.versions import Version
from autoretrain.domain.errors import AutoRetrainError


def show() -> None:
    st.title("Versions")
    told = st.empty()
    with told.container():
        asked = visit()
    told.empty()  # what a visit has to say, the live part says below, and takes back when it is over
    offered = acting.possible(asked.seen, now=asked.now)
    show_live(tuple(verb for verb, foreseen in offered.items() if foreseen.allowed))
    _, versions = read(asked)
    if asked.may_act:
        offer(asked.key, offered)
    else:
        st.caption("To promote, roll back, approve, retrain or suspend, give the operator's key.")
    show_one(asked, versions)
    confirm_what_was_begun(asked)


@st.fragment(run_every=REFRESH_SECONDS)
def show_live(offered: tuple[Verb, ...]) -> None:
    """Draw what changes by itself. The buttons stand outside: no refresh is to move them under somebody's finger."""
    asked = visit()
    now_offered = tuple(v for v, foreseen in acting.possible(asked.seen, now=asked.now).items() if foreseen.allowed)
    if now_offered != offered:
        st.rerun()
    tell_answer(asked)
    registered, versions = read(asked)
    if registered.problem:
        kept = "status and store know" if registered.as_of is None else f"it said at {registered.as_of:%H:%M:%S} UTC"
        st.warning(f"{plain(registered.problem.rstrip('.'))}. Shown is what {kept}.")
    if differing := queries.differing_aliases(asked.seen.status, registered.versions):
        st.info(plain(differing))
    if not versions:
        st.info("No version is registered yet. The first training run makes one.")
        return
    columns = {
        "role": st.column_config.TextColumn(width="medium"),
        "accuracy": st.column_config.NumberColumn(format="%.3f"),
        "F1": st.column_config.NumberColumn(format="%.3f"),
    }
    st.dataframe(pd.DataFrame(queries.table_rows(versions)), hide_index=True, width="stretch", column_config=columns)
    st.caption("Accuracy and F1 are of the held-out rows of each version's own training run.")


def read(asked: Visit) -> tuple[Registered, list[Version]]:
    """Return what the registry says, and with it what status and store know."""
    registered = reader_of(asked.key, asked.seen.model.spec.registered_model_name, asked.reach).look()
    card_of = partial(read_card, asked.key, _reach=asked.reach)
    return registered, queries.read_versions(asked.seen.status, registered.versions, card_of=card_of)


@st.cache_resource(show_spinner=False, max_entries=100)
def reader_of(key: str, registered_name: str, _reach: Reach) -> RegistryReader:
    return registry_reader(_reach, Settings())


@st.cache_data(show_spinner=False, ttl=60, max_entries=100)
def read_card(key: str, digest: str, *, _reach: Reach) -> dict[str, Any]:
    try:
        return overview.read_card(_reach.store, digest) if _reach.store else {}
    except AutoRetrainError:
        return {}  # the table says less then; every other part of this page says that the store is away


def show_one(asked: Visit, versions: Sequence[Version]) -> None:
    """Draw one version's lineage and figures."""
    if not versions:
        return
    by_name = {f"v{version.number}": version for version in versions}
    roles = {name: f"{name} ({version.role})" if version.role else name for name, version in by_name.items()}
    st.subheader("One version")
    version = by_name[st.selectbox("Version", list(by_name), format_func=roles.__getitem__)]
    st.markdown("**What it came from**")
    # Hashes are there to be copied, and a st.table cuts them off.
    narrow = {"what": st.column_config.TextColumn(width="small")}
    facts = pd.DataFrame(queries.lineage_rows(version))
    st.dataframe(facts, hide_index=True, width="stretch", column_config=narrow)
    st.markdown("**How good it was on held-out rows of its own run**")
    measured = queries.metric_rows(version)
    if measured:
        st.table(pd.DataFrame(measured).set_index("figure"), width="content")
    else:
        st.caption("Nobody wrote its figures down.")
    if not asked.may_act:
        return
    foreseen = acting.promotable(asked.seen, version, now=asked.now)
    if not foreseen.allowed:
        st.caption(f"It can't be promoted now: {plain(foreseen.message)}.")
    else:
        to = (asked.key, Verb.PROMOTE, version)
        st.button(f"Promote v{plain(version.number)} …", key="open-promote", on_click=begin, args=to)
