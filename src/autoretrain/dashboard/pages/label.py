"""The audit sample, one message after another by keyboard: what live accuracy rests on."""

from datetime import datetime

import streamlit as st

from autoretrain.app.label_queue import LabelQueue, StoreQueue
from autoretrain.dashboard.drawing import plain
from autoretrain.dashboard.frame import Visit, part, visit
from autoretrain.dashboard.queries import label as queries
from autoretrain.dashboard.queries.label import Desk, Progress
from autoretrain.domain.messages import Label


def show() -> None:
    """Ask for the labels of the audit sample; the model's verdict is not shown, since it would bias the answer."""
    st.title("Label")
    asked = visit()
    store = asked.reach.store
    if store is None:
        st.info(
            "This dashboard was not given the store of this namespace, so its messages can't be labelled here. "
            f"`autoretrain label {asked.seen.model.name}` does it from a terminal."
        )
        return
    desk: Desk = st.session_state.setdefault(f"desk-{asked.key}", Desk())
    # The figures stand above the message and are read after it: thousands of labels take a second, and nobody waits.
    above = st.container()
    if asked.may_act:
        with part():
            ask(desk, StoreQueue(store, source=queries.SOURCE), now=asked.now)
    else:
        st.info("Labelling needs the operator's key.")
    with above, part():
        show_progress(asked, desk)


def ask(desk: Desk, queue: LabelQueue, *, now: datetime) -> None:
    """Draw the message that lies before this person, and what became of the last answer where that is no good news."""
    desk.next(queue, now=now)
    if desk.problem:
        st.error(plain(desk.problem))
        desk.problem = ""
    show_message(desk, queue)


def show_progress(asked: Visit, desk: Desk) -> None:
    """Draw what the labels so far say, and what more of them would do."""
    progress = queries.read_progress(asked.reach, asked.seen, now=asked.now)
    now = progress.accuracy
    if now is None:
        st.info("No label of the champion's audit sample yet, so its live accuracy is not known.")
        return
    before = desk.accuracy_before = desk.accuracy_before or now
    accuracy, margin, labelled = st.columns(3)
    accuracy.metric("Live accuracy", f"{now.value:.1%}", help=f"95 % interval {now.low:.1%} to {now.high:.1%}")
    gained = queries.margin(now) - queries.margin(before)
    since = f"{gained * 100:+.2f} points since you began" if desk.answered else None
    margin.metric("Margin", f"± {queries.margin(now):.2%}", since, delta_color="inverse")
    labelled.metric("Labelled", f"{progress.labelled:,}")
    show_way_to_go(progress)


def show_way_to_go(progress: Progress) -> None:
    wanted, waiting = f"± {queries.WANTED_MARGIN:.0%}", f"{progress.waiting:,} of the sample wait for a label."
    if not progress.to_go:
        st.caption(f"The margin is within {wanted}: more labels narrow it only slowly. {waiting}")
        return
    share = progress.labelled / (progress.labelled + progress.to_go)
    st.progress(share, f"About {progress.to_go:,} more labels until the margin is {wanted}. {waiting}")


def show_message(desk: Desk, queue: LabelQueue) -> None:
    """Draw the message with its buttons. A key of its own for each message: no press is meant for the next one."""
    message = desk.message
    if message is None:
        st.info(queue.explain_none())
    else:
        if desk.was:
            st.caption(f"You answered {desk.was.value}. Another answer replaces it.")
        with st.container(border=True):
            st.text(message.text)  # as it was sent: Markdown would draw formulas and load pictures
    with st.container(horizontal=True):
        if message is not None:
            for label, key in ((Label.SPAM, "S"), (Label.HAM, "H")):
                name = f"{label.value}-{message.prediction_id}"
                st.button(
                    label.value.capitalize(), key=name, shortcut=key, on_click=desk.answer, args=(queue, message, label)
                )
            st.button("Skip", key=f"skip-{message.prediction_id}", shortcut="K", on_click=desk.skip)
        st.button("Undo", key="undo", shortcut="U", on_click=desk.undo, disabled=not desk.answered)
    if message is not None:
        st.caption("What the model said is not shown: it would sway you. What you skip comes back after ten minutes.")
    if desk.answered:
        st.caption(f"{len(desk.answered):,} answered since you began; each is stored at once.")
