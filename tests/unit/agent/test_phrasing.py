"""A chat model may put an answer about decisions into words; it must name them, and only those that it was shown."""

import json
from dataclasses import dataclass, field

import pytest

from autoretrain.adapters.chat_model import Exchange
from autoretrain.app.agent import answer
from autoretrain.app.phrasing import SHOWN, Phrased, phrase
from autoretrain.domain.advice import AdviceOutcome
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from tests.unit.agent.test_agent import STATUS
from tests.unit.agent.test_citing import LEDGER, kept
from tests.unit.agent.test_situation import HOSTILE, record
from tests.unit.decide.builders import drifted

WHY = "why was version 12 rolled back?"
TEMPLATE = (
    "2026-11-23 19:30:00 UTC: ROLLBACK (SpamShareTooHigh). 0.8; going back from version 12 to version 11. (decision 17)"
)


@dataclass
class Chat:
    said: Phrased | None = None
    outcome: AdviceOutcome = AdviceOutcome.ANSWERED
    name: str = "openai:test"
    asked: list[str] = field(default_factory=list)

    def ask(self, question, **_):
        self.asked.append(question)
        return Exchange(outcome=self.outcome, said=self.said)


def says(text, *decisions, known=True):
    return Chat(Phrased(known=known, answer=text, decisions=list(decisions)))


def told(chat, question=WHY, decisions=LEDGER):
    return phrase(question, answer(question, status=STATUS, decisions=decisions, reports=()), chat)


def test_an_answer_is_told_with_the_records_that_it_names():
    assert told(says("It flagged too much (decision 17).\n\x1b[2J", 17)) == (
        f"It flagged too much (decision 17). [2J\n(openai:test, from:)\n{TEMPLATE}"
    )


@pytest.mark.parametrize(
    "chat",
    [
        says("It flagged too much."),
        says("It flagged too much (decision 16).", 17),
        says("It flagged too much.", 17, 4),
        says("Decisions 17 and 99 say so.", 17),
        says("By decision #18, which was not about it.", 17),
    ],
)
def test_an_answer_that_names_no_decision_or_one_that_was_not_shown_is_refused(chat):
    assert told(chat) == (
        f"{TEMPLATE}\n(openai:test named no decision, or one that it was not shown; this is from the records.)"
    )


def test_a_model_that_does_not_know_says_so():
    assert told(says("", known=False)).endswith(
        "(openai:test finds no answer in these decisions; this is from the records.)"
    )


@pytest.mark.parametrize("outcome", [each for each in AdviceOutcome if each is not AdviceOutcome.ANSWERED])
def test_where_no_model_answers_the_template_does(outcome):
    expected = f"{TEMPLATE}\n(openai:test did not answer: {outcome}; this is from the records.)"
    assert told(Chat(outcome=outcome)) == expected


@pytest.mark.parametrize("question", ["What is the status?", "How good is the model?", "What is the weather?", "help"])
def test_what_rests_on_no_decision_is_not_asked_of_a_model(question):
    chat = says("made up", 17)
    assert told(chat, question) == answer(question, status=STATUS, decisions=LEDGER, reports=()).text
    assert chat.asked == []


def test_a_model_is_shown_figures_and_findings_and_no_sentence_of_a_record():
    chat = says("(decision 3)", 3)
    told(chat, "why did you retrain?", [{**record(drifted(), sequence=3), "message": HOSTILE}])
    assert HOSTILE not in chat.asked[0]
    (shown,) = json.loads(chat.asked[0])["decisions"]
    assert (shown["sequence"], shown["decision"]) == (3, "RETRAIN")
    verdicts = {finding["check"]: finding["verdict"] for finding in shown["findings"]}
    assert (verdicts["drift"], verdicts["manual"]) == ("triggered", "passed")


def test_the_decision_that_the_template_tells_is_shown_however_old():
    many = [kept(number, Decision.HOLD, Reason.NO_GAIN, f"no {number}") for number in range(5, 40)]
    chat = says("x", 2)
    first = {**LEDGER[2], "decision": "RETRAIN", "sequence": 2}
    told(chat, "why did you retrain?", [first, *many])
    sequences = [each["sequence"] for each in json.loads(chat.asked[0])["decisions"]]
    assert (sequences[0], len(sequences)) == (2, SHOWN)
