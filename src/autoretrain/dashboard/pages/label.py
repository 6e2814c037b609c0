"""The audit sample, one message after another: what live accuracy rests on."""

import streamlit as st

from autoretrain.app.label_queue import StoreQueue
from autoretrain.dashboard.frame import visit
from autoretrain.dashboard.queries import label as queries
from autoretrain.domain.messages import Label, Prediction


def show() -> None:
    """Ask for the labels of the audit sample; the model's verdict is not shown, since it would bias the answer."""
    asked = visit()
    store = asked.reach.store
    if store is None:
        st.info("This dashboard was not given the store of this namespace, so its messages can't be labelled here.")
        return
    if not asked.may_act:
        st.info("Labelling needs the operator's key.")
        return
    # What was handed out once is leased to this session, so it is kept until it is answered.
    waiting: list[Prediction] = st.session_state.setdefault("waiting", [])
    if not waiting:
        waiting += queries.next_to_label(store)
    if not waiting:
        st.info(StoreQueue(store).explain_none())
        return

    def answer(prediction: Prediction, label: Label) -> None:
        queries.store_label(store, prediction.prediction_id, label)
        waiting.remove(prediction)

    for prediction in waiting:
        text, *buttons = st.columns([8, 1, 1])
        text.text(prediction.text)  # as it was sent: Markdown would draw formulas and load pictures
        for column, label in zip(buttons, (Label.SPAM, Label.HAM), strict=True):
            key = f"{prediction.prediction_id}-{label.value}"
            column.button(label.value, key=key, on_click=answer, args=(prediction, label))
