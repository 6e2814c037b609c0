"""A person's questions count in the same day's budget as advice, and none is asked that can't be counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.chat_model import Exchange
from autoretrain.adapters.settings import Settings
from autoretrain.app.question_budget import BudgetedChat, CountedRecords, Questions
from autoretrain.domain.advice import AdviceOutcome, AdviceTotals

NOTHING = AdviceTotals(
    **dict.fromkeys(("asked", "answered", "compared", "agreed", "illegal"), 0),
    **dict.fromkeys(("calls", "input_tokens", "output_tokens"), 0),
    cost=0.0,
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Advised:
    """Records of advice that used so much within each day."""

    def __init__(self, *, calls=0, tokens=0):
        self.totals = replace(NOTHING, calls=calls, input_tokens=tokens)

    def advice_totals(self, *, since=None):
        return self.totals


class Chat:
    """Uses two calls and 30 tokens a question."""

    name = "openai:test"
    asked = 0

    def ask(self, question, *, instructions, answer, tools):
        self.asked += 1
        return Exchange(outcome=AdviceOutcome.UNREACHABLE, calls=2, input_tokens=20, output_tokens=10)


@pytest.fixture
def clock():
    return [NOON]


@pytest.fixture
def budgeted(tmp_path, clock):
    def build(advised=None, **limits):
        settings = Settings(**{f"agent_{name}_per_day": most for name, most in limits.items()})
        records = CountedRecords(advised or Advised(), Questions(tmp_path / "state" / "questions.json"))
        return BudgetedChat(Chat(), records, settings, lambda: clock[0])

    return build


def ask(chat):
    return chat.ask("why?", instructions="", answer=None, tools={}).outcome


@pytest.mark.parametrize("limits", [{"calls": 4}, {"tokens": 60}], ids=["calls", "tokens"])
def test_questions_are_asked_until_the_days_budget_is_spent_and_again_a_day_later(budgeted, clock, limits):
    chat = budgeted(**limits)
    assert [ask(chat) for _ in range(3)] == [AdviceOutcome.UNREACHABLE] * 2 + [AdviceOutcome.OVER_BUDGET]
    assert ask(budgeted(**limits)) is AdviceOutcome.OVER_BUDGET  # another process, too
    clock[0] += timedelta(days=1, seconds=1)
    assert ask(chat) is AdviceOutcome.UNREACHABLE


def test_what_advice_used_is_not_there_for_questions(budgeted):
    assert ask(budgeted(Advised(calls=500))) is AdviceOutcome.OVER_BUDGET
    assert ask(budgeted(Advised(tokens=1_000_000))) is AdviceOutcome.OVER_BUDGET


def test_what_questions_used_is_in_the_totals_of_a_day_that_the_adviser_goes_by(budgeted):
    chat = budgeted(Advised(calls=5, tokens=100))
    ask(chat)
    totals = chat.records.advice_totals(since=NOON - timedelta(days=1))
    assert (totals.calls, totals.input_tokens, totals.output_tokens) == (7, 120, 10)


@pytest.mark.parametrize("spoil", ["a directory", "no JSON"])
def test_a_question_that_can_not_be_counted_is_not_asked(budgeted, tmp_path, spoil):
    file = tmp_path / "state" / "questions.json"
    if spoil == "a directory":
        file.mkdir(parents=True)
    else:
        file.parent.mkdir()
        file.write_text("[[")
    chat = budgeted()
    assert (ask(chat), chat.chat.asked) == (AdviceOutcome.OVER_BUDGET, 0)
