"""How is something asked for on a page? A button, a dialog that says what will happen, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from autoretrain.app.manual_verbs import SWITCHES, Foreseen, Verb, is_handled
from autoretrain.dashboard.drawing import plain
from autoretrain.dashboard.frame import Visit, visit
from autoretrain.dashboard.queries import acting
from autoretrain.dashboard.queries.versions import Version
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import HistoryEntry

NAMES = {
    Verb.RETRAIN: "Retrain",
    Verb.ROLLBACK: "Roll back",
    Verb.APPROVE: "Approve",
    Verb.PROMOTE: "Promote",
    Verb.SUSPEND: "Suspend",
    Verb.RESUME: "Resume",
}
MOST_REASON_CHARACTERS = 500  # as many as the controller keeps
SILENCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """What this person is about to ask for; `version` is that of a promotion."""

    key: str
    verb: Verb
    version: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What this person asked for last of a model, and what had happened before."""

    verb: Verb
    changes: Mapping[str, Any]
    at: datetime
    before: frozenset[HistoryEntry]


def offer(key: str, offered: Mapping[Verb, Foreseen]) -> None:
    """Draw a button for each verb that the rules allow now, and say why not of the others."""
    with st.container(horizontal=True):
        for verb, foreseen in offered.items():
            if foreseen.allowed:
                st.button(f"{NAMES[verb]} …", key=f"open-{verb.value}", on_click=begin, args=(key, verb))
    refused = [f"{NAMES[verb]} ({each.message})" for verb, each in offered.items() if not each.allowed]
    if refused:
        st.caption(f"Not possible now: {plain('; '.join(refused))}.")


def begin(key: str, verb: Verb, version: Version | None = None) -> None:
    st.session_state["confirming"] = Confirming(key=key, verb=verb, version=version)


def forget() -> None:
    st.session_state.pop("confirming", None)
    st.session_state.pop("told-before", None)


def confirm_what_was_begun(asked: Visit) -> None:
    """Open a dialog that says what will happen and asks for the reason; it stays until it is answered or closed."""
    confirming: Confirming | None = st.session_state.get("confirming")
    if confirming is None or confirming.key != asked.key:
        return
    of = f" v{plain(confirming.version.number)}" if confirming.version else ""
    st.dialog(f"{NAMES[confirming.verb]}{of}?", on_dismiss=forget)(ask_in_dialog)(confirming)


def ask_in_dialog(confirming: Confirming) -> None:
    verb, version = confirming.verb, confirming.version
    asked = visit()  # as it is now: much may have happened since the button was drawn
    if asked.key != confirming.key:
        st.warning(f"{plain(confirming.key)} is no longer here.")
        return
    if version:
        foreseen = acting.promotable(asked.seen, version, now=asked.now)
    else:
        foreseen = acting.possible(asked.seen, now=asked.now).get(verb, Foreseen(allowed=False, message="it is done"))
    will = acting.consequence(verb, asked.seen, foreseen=foreseen, version=version, now=asked.now)
    st.markdown(plain(will))
    told_before = st.session_state.get("told-before", will)
    st.session_state["told-before"] = will
    reason = ""
    if verb not in SWITCHES:
        needed = " (needed)" if verb is Verb.PROMOTE else ""
        reason = st.text_input(f"Reason{needed}", max_chars=MOST_REASON_CHARACTERS, help="Kept in the record.").strip()
    with st.container(horizontal=True):
        agreed = st.button(NAMES[verb], type="primary", key="agreed")
        cancelled = st.button("Cancel", key="cancelled")
    if cancelled:
        forget()
        st.rerun()
    if not agreed or not asked.may_act:
        return
    if foreseen.allowed and will != told_before:
        st.warning("What would happen has changed since you read it. Nothing was asked for: read it again.")
        return
    number = version.number if version else ""
    try:
        changes = acting.ask(asked.reach, asked.seen, verb, foreseen=foreseen, version=number, reason=reason)
    except AutoRetrainError as error:
        st.error(plain(str(error)))
        return
    before = frozenset(asked.seen.status.history)
    st.session_state.setdefault("asked", {})[asked.key] = Asked(verb=verb, changes=changes, at=asked.now, before=before)
    forget()
    st.rerun()


def tell_answer(asked: Visit) -> None:
    """Say what became of what this person asked for last."""
    request: Asked | None = st.session_state.get("asked", {}).get(asked.key)
    if request is None:
        return
    name, status = NAMES[request.verb], asked.seen.status
    if request.verb in SWITCHES:
        done = asked.seen.model.spec.suspend is request.changes["suspend"]
    else:
        done = is_handled(status.handled, request.changes)
    if not done:
        late = " Nothing has acted on it so far: does its controller run?" if asked.now - request.at > SILENCE else ""
        st.info(f"{name} was asked for at {request.at:%H:%M:%S} UTC; the next pass acts on it.{late}")
        return
    since = [entry for entry in status.history if entry not in request.before]
    lines = [f"{each.at:%H:%M:%S} {plain(f'{each.decision} ({each.reason}): {each.message}')}" for each in since]
    st.success("  \n".join([f"{name} was acted on.", *lines]))
