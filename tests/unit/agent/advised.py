"""Advice on the quiet world of `tests.unit.decide.builders`, and that world with an adviser."""

from dataclasses import replace

from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome
from autoretrain.domain.observation import Observation
from autoretrain.domain.spec import AgentSpec, TriggerMode
from tests.unit.decide.builders import NOW, but, minutes, quiet

MODEL = "openai:test"


def advice(**changes: object) -> Advice:
    """Retrain, said half a minute ago on figures of a minute ago; it was allowed."""
    made = Advice(
        at=NOW - minutes(0.5),
        situation_id="s1",
        situation_at=NOW - minutes(1),
        outcome=AdviceOutcome.ANSWERED,
        choice=AdviceChoice.RETRAIN,
        reason="",
        rules="NO_ACTION",
        allowed=True,
        chat_model=MODEL,
        prompt_version="1",
        sequence=12,
    )
    return replace(made, **changes)


def asking(observation: Observation | None = None, *, mode: TriggerMode = TriggerMode.ACT) -> Observation:
    """The same world under a document that asks an adviser."""
    return but(observation or quiet(), model__spec__agent=AgentSpec(mode=mode, model=MODEL))
