"""A message in; what each version says of it, how sure it is, and by which words."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from autoretrain.adapters.store import Store
from autoretrain.app.fleet import Reach
from autoretrain.dashboard.drawing import BLUE, VERMILION, plain, tips
from autoretrain.dashboard.frame import Visit, part, visit
from autoretrain.dashboard.masking import common_parts
from autoretrain.dashboard.queries import try_it as queries
from autoretrain.dashboard.queries.try_it import Kept, Opinion
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label
from autoretrain.ml.linear import LinearModel

KEPT_MODELS = 6
BAR_HEIGHT = 26
AXIS_HEIGHT = 80
ANSWERS = {True: "The label that serving would answer.", False: "By what several messages have in common."}
COMMON_ONLY = (
    "This counts only what a model has from at least three messages, so that nobody finds out here what a single "
    "message held. Serving counts all of it and may answer otherwise; the operator's key shows its answer."
)


def show() -> None:
    st.title("Try it")
    asked = visit()
    store = asked.reach.store
    if store is None:
        st.info(
            "This dashboard was not given the store of this namespace, which keeps the models. Ask serving instead."
        )
        return
    with part():
        try_message(asked, store)


def try_message(asked: Visit, store: Store) -> None:
    deployment = store.deployment()
    versions = queries.kept_versions(asked.seen.status, deployment.experiment if deployment else None)
    if not versions:
        st.info("No version is there yet. The first training run makes one.")
        return
    with st.form("message"):
        text = st.text_area(
            "Message", max_chars=queries.MOST_CHARACTERS, placeholder="WINNER! Claim your free prize now"
        )
        chosen = st.multiselect(
            "Versions", versions, default=versions[:3], format_func=lambda kept: kept.name, key=f"versions-{asked.key}"
        )
        submitted = st.form_submit_button("Ask", type="primary")
    st.caption("It is computed here and recorded nowhere: it is no traffic and counts in no window.")
    if submitted:
        st.session_state["tried"] = text.strip()
        st.session_state.pop("told", None)
    tried: str = st.session_state.get("tried", "")
    if not tried:
        return
    for column, kept in zip(st.columns(len(chosen) or 1), chosen, strict=False):
        show_opinion(column.container(border=True), asked, kept, tried)
    st.caption("Words are shown as a model reads them: every number of five digits is 00000.")
    if not may_read(asked):
        st.caption(COMMON_ONLY)
    if asked.may_act:
        take_label(store, asked, tried)


def show_opinion(place: Any, asked: Visit, kept: Kept, text: str) -> None:
    try:
        opinion = queries.opinion_of(model_of(asked.key, kept, whole=may_read(asked), _reach=asked.reach), text)
    except AutoRetrainError as error:
        place.markdown(f"**{plain(kept.name)}**")
        place.error(plain(str(error)))
        return
    place.metric(kept.name, opinion.label.value, help=ANSWERS[may_read(asked)])
    place.markdown(f"{opinion.confidence:.1%} sure")
    show_words(place, opinion)


@st.cache_resource(show_spinner="Loading the model …", max_entries=KEPT_MODELS)
def model_of(key: str, kept: Kept, *, whole: bool, _reach: Reach) -> LinearModel:
    """Return a version's model, whole or what of it several messages have in common.

    Raises AutoRetrainError where the store has another one, or none.
    """
    if _reach.store is None:
        raise AutoRetrainError(f"the store of {key} is out of reach")
    model = queries.open_model(_reach.store, kept)
    return model if whole else LinearModel(common_parts(model.parts))


def may_read(asked: Visit) -> bool:
    """Say whether this person may read messages, and so may find out what a single one of them held."""
    return asked.show_messages or asked.may_act


def show_words(place: Any, opinion: Opinion) -> None:
    """Draw the words that weigh most: to the right what speaks for spam, to the left what speaks for ham."""
    if opinion.words:
        colours = alt.Scale(domain=["spam", "ham"], range=[VERMILION, BLUE])
        chart = (
            alt.Chart(pd.DataFrame(queries.word_rows(opinion)))
            .mark_bar()
            .encode(
                x=alt.X("weight:Q", title="← ham    weight    spam →"),
                y=alt.Y("word:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False)),
                color=alt.Color("speaks for:N", scale=colours, legend=None),
                tooltip=tips("word:N", alt.Tooltip("weight:Q", format="+.2f"), "speaks for:N"),
            )
            .properties(height=max(3, len(opinion.words)) * BAR_HEIGHT + AXIS_HEIGHT)
        )
        place.altair_chart(chart, width="stretch")
    else:
        place.markdown("It knows none of these words.")
    rest = f" All other words weigh {opinion.others:+.2f} together." if opinion.others else ""
    place.caption(f"Without a word that it knows it would say {opinion.without:.1%} spam.{rest}")


def take_label(store: Store, asked: Visit, text: str) -> None:
    """Let an operator say what the message really is."""
    told: dict[str, str] = st.session_state.setdefault("told", {})
    if asked.key in told:
        st.success(f"Kept as {told[asked.key]}: the next run trains with it.")
        return

    def tell(label: Label) -> None:
        try:
            queries.tell_label(store, text, label, now=asked.now)
        except AutoRetrainError as error:
            st.session_state["refused"] = str(error)
        else:
            told[asked.key] = label.value

    st.markdown("What is it really?")
    with st.container(horizontal=True):
        for label in (Label.SPAM, Label.HAM):
            st.button(f"It is {label.value}", key=f"tell-{label.value}", on_click=tell, args=(label,))
    st.caption(
        "The message is then kept with its label as a trusted report of the source `dashboard`. It trains the next run."
    )
    if refused := st.session_state.pop("refused", None):
        st.error(plain(refused))
