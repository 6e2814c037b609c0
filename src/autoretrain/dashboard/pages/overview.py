"""The first page: what needs a person, how the model stands in figures, and how it came to that."""

from typing import Any

import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import plain, told_age
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.masking import words_of
from autoretrain.dashboard.pages.overview_figures import NO_STORE, show_figures
from autoretrain.dashboard.pages.overview_history import show_history
from autoretrain.dashboard.queries import overview as queries
from autoretrain.dashboard.queries.standing import Urgency, read_standing
from autoretrain.domain.messages import Prediction

KEPT_SECONDS = 60
MOST_LINKS = 10
STATES = {
    Urgency.NEEDS_PERSON: (st.error, ":material/error:", "needs a person"),
    Urgency.WORKING: (st.info, ":material/autorenew:", "working"),
    Urgency.HEALTHY: (st.success, ":material/check_circle:", "healthy"),
}


@st.fragment(run_every=REFRESH_SECONDS)
def show() -> None:
    asked = visit()
    if len(asked.fleet) > 1:
        show_fleet(asked)
    st.title(asked.seen.model.name)
    show_standing(asked)
    with part():
        show_data(asked)
    with part():
        show_figures(asked)
    show_run(asked)
    with part():
        show_history(asked)
    with part():
        show_spam(asked)


def show_fleet(asked: Visit) -> None:
    """Draw all models, those that need a person first and as links."""
    rows = queries.fleet_rows(asked.fleet, now=asked.now)
    urgent = [row for row in rows if row["urgency"] is Urgency.NEEDS_PERSON]
    st.subheader(
        f"{len(rows)} models, {len(urgent) or 'none'} of which {'need' if len(urgent) != 1 else 'needs'} a person"
    )
    for row in urgent[:MOST_LINKS]:
        label = f"{row['model']}: {plain(row['state'])}"
        home = st.Page(show, title="Overview", default=True)
        st.page_link(home, label=label, icon=":material/error:", query_params={"model": row["model"]})
    table = pd.DataFrame(
        [{**row, "urgency": STATES[row["urgency"]][2], "open": f"?model={row['model']}"} for row in rows]
    )
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_order=("model", "open", "urgency", "champion", "live accuracy", "drift", "threshold", "state"),
        column_config={
            "open": st.column_config.LinkColumn("", display_text="open"),
            "live accuracy": st.column_config.NumberColumn(format="%.3f"),
            "drift": st.column_config.NumberColumn(format="%.3f"),
            "threshold": st.column_config.NumberColumn(format="%.2f"),
        },
    )


def show_standing(asked: Visit) -> None:
    """Draw what the model needs a person for; where it needs nobody, its state."""
    standing = read_standing(asked.seen, now=asked.now)
    draw_state, icon, _ = STATES[standing.urgency]
    if not standing.needs:
        draw_state(standing.sentence, icon=icon)
    for need in standing.needs:
        st.error(f"{plain(need.what)}  \n**{need.do}**", icon=icon)
    changed = queries.last_change(asked.seen.status)
    if changed is not None:
        st.caption(f"As its status was left at {told_age(changed, asked.now)}.")


def show_data(asked: Visit) -> None:
    """Say what the champion was trained on."""
    champion = asked.seen.status.champion
    card = read_card(asked.key, champion.digest, asked) if champion else {}
    note = str(card.get("data_source", ""))
    if card.get("generated_sample", False):
        st.warning("Trained on generated sample messages, not on real ones: its figures say nothing about yours.")
    elif note:
        st.caption(f"Trained on {plain(note)}")


@st.cache_resource(ttl=KEPT_SECONDS, max_entries=32, show_spinner=False)
def read_card(key: str, digest: str, _asked: Visit) -> dict[str, Any]:
    store = _asked.reach.store
    return queries.read_card(store, digest) if store else {}


def show_run(asked: Visit) -> None:
    run = asked.seen.status.active_run
    if run is None:
        return
    st.subheader("Training")
    deadline = asked.seen.model.spec.training.active_deadline_seconds
    progress = queries.run_progress(run, deadline_seconds=deadline, now=asked.now)
    st.progress(progress.share, text=plain(progress.sentence))
    log = asked.reach.log_of(run.name)
    if log:
        with st.expander("What it has said so far"):
            st.code(log, language=None)


@st.cache_resource(ttl=REFRESH_SECONDS, max_entries=32, show_spinner=False)
def read_spam(key: str, _asked: Visit) -> list[Prediction]:
    """Where little of much traffic is spam the store looks through a whole day of it; once for all who look."""
    store = _asked.reach.store
    return queries.recent_spam(store, now=_asked.now) if store else []


def show_spam(asked: Visit) -> None:
    st.subheader("Spam of the last 24 hours")
    store, champion = asked.reach.store, asked.seen.status.champion
    if store is None:
        st.caption(NO_STORE.format("messages"))
        return
    may_read = asked.show_messages or asked.may_act
    known = None if may_read else words_of(asked.reach, champion.digest if champion else "")
    rows = queries.spam_rows(read_spam(asked.key, asked), known=known)
    if not rows:
        st.info("No message of the last 24 hours was spam.")
        return
    if not may_read:
        st.caption("Words that the model does not know from several messages are hidden.")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        column_config={"score": st.column_config.NumberColumn(format="%.3f")},
    )
