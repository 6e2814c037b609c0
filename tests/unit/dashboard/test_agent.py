"""The page of the agent says what was advised beside what the rules did, or how an agent is switched on."""

from dataclasses import replace

import pytest

from autoretrain.dashboard.queries.agent import advice_rows, agreement, read_advised
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome
from autoretrain.domain.status import Condition, Status
from tests.spec_cases import VALID_TEXT
from tests.unit.dashboard.world import NOW, page_of, write_status

RETRAIN = Advice(
    at=NOW,
    situation_id="1",
    situation_at=NOW,
    outcome=AdviceOutcome.ANSWERED,
    choice=AdviceChoice.RETRAIN,
    reason="drift is high",
    rules="RETRAIN",
    allowed=True,
    chat_model="openai:test",
    prompt_version="1",
    findings=("drift",),
    decisions=(7,),
    calls=2,
    input_tokens=900,
    output_tokens=100,
    cost=0.25,
    seconds=1.5,
)
SILENT = replace(RETRAIN, outcome=AdviceOutcome.TOO_SLOW, choice=None, rules="NO_ACTION")
SWITCHED_ON = VALID_TEXT + '  agent: {mode: Advise, model: "openai:test"}\n'


@pytest.mark.parametrize(
    ("advice", "together"),
    [
        (RETRAIN, "agree"),
        (replace(RETRAIN, rules="NO_ACTION"), "differ"),
        (replace(RETRAIN, rules="NO_ACTION", allowed=False), "not allowed: nothing came of it"),
        (replace(RETRAIN, rules="PROMOTE"), "the rules did what no adviser may"),
        (SILENT, "the rules decided alone"),
    ],
    ids=["the same", "another", "illegal", "not comparable", "no answer"],
)
def test_each_piece_of_advice_says_how_it_stands_to_the_rules(advice, together):
    [row] = advice_rows([advice])
    assert row["together"] == together


def test_a_row_tells_on_what_the_advice_rests_and_why_there_is_none():
    said, silent = advice_rows([RETRAIN, SILENT])
    assert (said["advised"], said["rests on"], said["tokens"]) == ("RETRAIN", "drift, decision 7", 1000)
    assert silent["advised"] == "too slow"


def test_agreement_counts_only_what_can_be_compared(store):
    for advice in (RETRAIN, SILENT, replace(RETRAIN, rules="NO_ACTION"), replace(RETRAIN, rules="PROMOTE")):
        store.add_advice(advice)
    advised = read_advised(store, now=NOW)
    assert [each.rules for each in advised.advice] == ["PROMOTE", "NO_ACTION", "NO_ACTION", "RETRAIN"]
    assert agreement(advised.totals).value == 0.5
    assert agreement(replace(advised.totals, compared=0, agreed=0)) is None


def test_without_an_agent_the_page_says_how_one_is_switched_on(settings, store):
    assert any("spec:\n  agent:" in text.value for text in page_of("agent").markdown)


def test_an_agent_that_was_not_heard_yet_is_not_explained_again(settings, store):
    settings.spec.write_text(SWITCHED_ON)
    texts = [text.value for text in page_of("agent").markdown]
    assert "Nothing was advised yet." in texts
    assert any("written down and does nothing" in text for text in texts)


def test_advice_is_shown_with_its_totals_and_an_agent_that_is_silent_is_said(settings, store):
    settings.spec.write_text(SWITCHED_ON)
    silent = Condition(
        type="AgentAvailable",
        status=False,
        reason="AgentSilent",
        message="TooSlow",
        observed_generation=1,
        last_transition_at=NOW,
    )
    write_status(settings, Status(conditions=(silent,)))
    store.add_advice(RETRAIN)
    store.add_advice(SILENT)
    app = page_of("agent")
    assert {metric.label: metric.value for metric in app.metric} == {
        "Asked": "2",
        "Answered": "50%",
        "Agrees with the rules": "100%",
        "Not allowed": "0",
        "Cost": "$0.50",
    }
    assert list(app.dataframe[0].value["advised"]) == ["too slow", "RETRAIN"]
    assert [warning.value for warning in app.warning] == ["It does not answer: TooSlow."]
