"""The ledger: every decision, and each with all that it rests on at an address of its own (`?model=…&id=…`)."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from autoretrain.dashboard import frame
from autoretrain.dashboard.drawing import plain, told_age
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.queries import decisions as queries
from autoretrain.domain.plan import Decision

KEPT_SECONDS = 60
NUMBER = re.compile("[0-9]{1,18}")  # what a database takes for a whole number
UNTOLD = "`NO_ACTION` is told where another window was judged or something ended, not at every pass."


def show() -> None:
    asked = visit()
    st.title("Decisions")
    sequence = asked_for()
    with part():
        if sequence is None:
            show_all()
        else:
            show_one(asked, sequence)


def asked_for() -> int | None:
    """The decision that the address names."""
    wanted = st.query_params.get("id", "")
    return int(wanted) if NUMBER.fullmatch(wanted) else None


@st.cache_resource(ttl=KEPT_SECONDS, max_entries=32, show_spinner=False)
def read_heads(key: str, newest: datetime | None, window_id: str) -> Sequence[queries.Head]:
    """Records are only added, and with each the history or the window of the status is another."""
    return queries.read_heads(frame.open_fleet().reach(key))


def heads_of(asked: Visit, key: str) -> Sequence[queries.Head]:
    status = asked.fleet[key].status
    newest = status.history[-1].at if status.history else None
    return read_heads(key, newest, status.drift.window_id if status.drift else "")


@st.fragment(run_every=REFRESH_SECONDS)
def show_all() -> None:
    if asked_for() is not None:
        st.rerun()  # one was chosen here, and the whole page is about it from now on
    asked = visit()
    chosen = st.pills("Kind", [each.value for each in Decision], selection_mode="multi", key="decision-kinds")
    days, number = st.columns([2, 1])
    between = days.date_input("Days (UTC)", value=[], key="decision-days")
    number.number_input("Number", min_value=0, value=None, step=1, key="decision-number", on_change=open_typed)
    models = [asked.key]
    if len(asked.fleet) > 1:
        models = st.multiselect("Models", sorted(asked.fleet), default=models, key="decision-models") or models
    with part():
        heads = [head for key in models for head in heads_of(asked, key)]
        found = queries.select(heads, kinds=chosen, days=between if isinstance(between, tuple) else ())
        if not heads:
            st.info("Nothing has been decided yet.")
            return
        rows = pd.DataFrame(queries.head_rows(found))
        if rows.empty:
            st.info(f"None of the newest {len(heads):,} decisions is of that kind and time.")
            return
        st.caption(f"{len(rows):,} of the newest {len(heads):,} decisions. Tick one to see all of it. {UNTOLD}")
        st.dataframe(
            rows,
            hide_index=True,
            width="stretch",
            height=min(600, 38 + 35 * len(rows)),
            column_config={
                "number": st.column_config.NumberColumn(width="small"),
                "time (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
                "reason": st.column_config.TextColumn(width="medium"),
                "why": st.column_config.TextColumn(width="large"),
            },
            column_order=[str(name) for name in rows if name != "model" or len(models) > 1],
            on_select=lambda: open_chosen(rows),
            selection_mode="single-row",
            key="decision-table",
        )


def open_typed() -> None:
    if st.session_state["decision-number"] is not None:
        step_to(st.session_state["decision-number"])


def open_chosen(rows: pd.DataFrame) -> None:
    for row in st.session_state["decision-table"]["selection"]["rows"]:
        st.session_state["model"] = rows["model"][row]
        step_to(int(rows["number"][row]))


def close() -> None:
    st.query_params.pop("id", None)


def step_to(sequence: int) -> None:
    st.query_params["id"] = str(sequence)


def show_one(asked: Visit, sequence: int) -> None:
    show_steps(asked, sequence)
    record = queries.read_record(asked.reach, sequence)
    st.subheader(f"{plain(record['decision'])}: {plain(record['reason'])}")
    st.markdown(plain(record["message"]))
    st.caption(f"Decision {sequence} of {plain(asked.key)}, {told_age(queries.at_of(record), asked.now)}.")
    st.code(address_of(asked.key, sequence), language=None, wrap_lines=True)
    story, findings, changes, replayed, rest = st.tabs(["Story", "Findings", "Changes", "Decide it again", "Record"])
    with story, part():
        show_chain(asked, sequence)
    with findings:
        show_rows(queries.finding_rows(record), otherwise="The record keeps only what was decided.")
    with changes:
        show_rows(queries.outcome_rows(record), otherwise="Nothing was to be done.")
        show_rows(queries.change_rows(record), otherwise="The status stayed as it was.")
    with replayed, part():
        show_replay(record)
    with rest:
        st.json(dict(record), expanded=1)


def show_rows(rows: list[dict[str, Any]], *, otherwise: str) -> None:
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height="content")
    else:
        st.caption(otherwise)


def show_steps(asked: Visit, sequence: int) -> None:
    """Buttons to the list and to the decisions beside this one."""
    numbers = sorted(head.sequence for head in heads_of(asked, asked.key))
    before = max((number for number in numbers if number < sequence), default=None)
    after = min((number for number in numbers if number > sequence), default=None)
    with st.container(horizontal=True):
        st.button("All decisions", icon=":material/list:", on_click=close)
        for title, number in (("Earlier", before), ("Later", after)):
            st.button(title, on_click=step_to, args=(number,), disabled=number is None)


def address_of(key: str, sequence: int) -> str:
    """The link to share: with the dashboard's own address, where the browser says it."""
    base = (st.context.url or "").rpartition("/")[0]
    return f"{base}/{queries.decision_link(key, sequence)}"


def show_chain(asked: Visit, sequence: int) -> None:
    chain = queries.read_chain(asked.reach, sequence)
    for step in chain.steps:
        link = queries.decision_link(asked.key, step.sequence)
        whose = "this decision" if step.sequence == sequence else f"[decision {step.sequence}]({link})"
        details = "".join(f"\n  - {plain(detail)}" for detail in step.details)
        st.markdown(f"**{step.name}** ({whose}, {plain(step.time)})\n- {plain(step.text)}{details}")
    for unknown in chain.unknown:
        st.caption(f"Not known: {plain(unknown)}")


def show_replay(record: Any) -> None:
    again = queries.replay(record)
    if not again.differences:
        st.success(f"Decided again from the recorded observation: {again.decision}, identical in every field.")
        return
    same = again.decision == f"{record['decision']} ({record['reason']})"
    told = "the same decision, though not in every field" if same else "another decision"
    st.warning(f"Decided again by the rules of this release: {plain(again.decision)}, {told}.")
    rows = pd.DataFrame(again.differences).rename(columns={"before": "recorded", "after": "decided again"})
    st.dataframe(rows, hide_index=True, width="stretch")
