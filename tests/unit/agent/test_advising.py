"""The adviser asks about each new situation once, within its budget, and keeps what was said beside the rules' word."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from autoretrain.adapters.chat_model import Exchange
from autoretrain.adapters.settings import Settings
from autoretrain.app.advising import Advised, Adviser, one_line
from autoretrain.app.ledger_advice import look
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceTotals
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import Requests
from tests.unit.agent.test_situation import record
from tests.unit.decide.builders import NOW, but, drifted, minutes, quiet

RETRAIN = Exchange(
    outcome=AdviceOutcome.ANSWERED,
    said=Advised(advice="RETRAIN", reason="drift", findings=["drift", "made up"], decisions=[1, 99]),
    calls=2,
    input_tokens=100,
    output_tokens=10,
    cost=0.5,
    seconds=1.5,
)


@dataclass
class Memory:
    """Records in memory, as the store gives them."""

    ledger: list = field(default_factory=list)
    kept: list[Advice] = field(default_factory=list)

    def decisions(self, *, limit):
        return self.ledger[-limit:]

    def advice(self, *, limit):
        return self.kept[-limit:]

    def advice_totals(self, *, since=None):
        kept = [each for each in self.kept if since is None or each.at >= since]
        sums = {name: sum(getattr(each, name) for each in kept) for name in ("calls", "input_tokens", "output_tokens")}
        return AdviceTotals(asked=len(kept), answered=0, compared=0, agreed=0, illegal=0, cost=0.0, **sums)

    def add_advice(self, advice):
        self.kept.append(replace(advice, sequence=len(self.kept) + 1))
        return len(self.kept)


@dataclass
class Chat:
    """A chat model that always says the same."""

    exchange: Exchange = RETRAIN
    name: str = "openai:test"
    questions: list[str] = field(default_factory=list)

    def ask(self, question, **_):
        self.questions.append(question)
        return self.exchange


class Clock:
    def __init__(self):
        self.now = NOW + minutes(0.1)

    def __call__(self):
        return self.now


class Asking(Adviser):
    """An adviser over a ledger in memory, which it looks at."""

    def look(self):
        return look(self.records, self)


def adviser(*observations, exchange=RETRAIN, **settings):
    made = [record(each, sequence=number) for number, each in enumerate(observations, start=1)]
    return Asking(Memory(made), Chat(exchange), Settings(**settings), Clock())


def test_advice_is_kept_beside_what_the_rules_decided():
    asking = adviser(quiet(), drifted())
    assert asking.look() == Advice(
        at=NOW + minutes(0.1),
        situation_id="decision-2",
        situation_at=NOW,
        outcome=AdviceOutcome.ANSWERED,
        choice=AdviceChoice.RETRAIN,
        reason="drift",
        rules="RETRAIN",
        allowed=True,
        chat_model="openai:test",
        prompt_version="1",
        findings=("drift",),
        decisions=(1,),
        calls=2,
        input_tokens=100,
        output_tokens=10,
        cost=0.5,
        seconds=1.5,
        sequence=1,
    )
    assert asking.records.kept == [asking.records.advice(limit=1)[0]]


def test_what_is_not_allowed_is_kept_as_such():
    assert adviser(but(drifted(), model__spec__suspend=True)).look().allowed is False


@pytest.mark.parametrize("outcome", [each for each in AdviceOutcome if each is not AdviceOutcome.ANSWERED])
def test_a_failure_is_kept_as_what_it_was(outcome):
    kept = adviser(quiet(), exchange=Exchange(outcome=outcome, detail="HTTP 500")).look()
    assert (kept.outcome, kept.choice, kept.allowed, kept.reason) == (outcome, None, False, "HTTP 500")


def test_a_situation_is_asked_about_once_also_after_a_restart():
    asking = adviser(quiet())
    asking.look()
    asking.clock.now += timedelta(hours=1)
    again = Asking(asking.records, Chat(), Settings(), asking.clock)
    assert (asking.look(), again.look(), again.chat.questions) == (None, None, [])


def test_a_new_situation_is_asked_about_after_the_interval():
    asking = adviser(quiet(), agent_interval_seconds=60)
    asking.look()
    asking.records.ledger.append(record(drifted(), sequence=2))
    asking.clock.now += timedelta(seconds=59)
    assert asking.look() is None
    asking.clock.now += timedelta(seconds=1)
    assert asking.look().situation_id == "decision-2"


@pytest.mark.parametrize(
    ("outcome", "minutes_later", "asks"),
    [
        (AdviceOutcome.UNREACHABLE, 2, True),
        (AdviceOutcome.TOO_SLOW, 2, True),
        (AdviceOutcome.UNREACHABLE, 11, False),
        (AdviceOutcome.REFUSED, 2, False),
        (AdviceOutcome.MALFORMED, 2, False),
        (AdviceOutcome.OVER_BUDGET, 2, False),
    ],
)
def test_where_nobody_answered_it_asks_again_until_the_situation_is_old(outcome, minutes_later, asks):
    asking = adviser(quiet(), exchange=Exchange(outcome=outcome))
    asking.look()
    asking.clock.now += minutes(minutes_later)
    assert (asking.look() is not None) is asks


@pytest.mark.parametrize("budget", [{"agent_calls_per_day": 2}, {"agent_tokens_per_day": 110}])
def test_a_spent_budget_is_told_and_nothing_is_asked_until_a_day_has_passed(budget):
    asking = adviser(quiet(), **budget)
    asking.look()
    asking.records.ledger.append(record(drifted(), sequence=2))
    asking.clock.now += timedelta(hours=23)
    kept = asking.look()
    assert (kept.outcome, kept.reason, kept.calls) == (
        AdviceOutcome.OVER_BUDGET,
        "2 calls and 110 tokens within a day",
        0,
    )
    asking.records.ledger.append(record(drifted(), sequence=3))
    asking.clock.now += timedelta(hours=2)
    assert asking.look().outcome is AdviceOutcome.ANSWERED


def test_nothing_is_asked_where_nothing_was_decided():
    asking = adviser()
    assert (asking.look(), asking.chat.questions) == (None, [])


def test_nothing_is_asked_about_what_is_the_gates_and_the_guards_alone():
    asking = adviser(but(quiet(), model__requests=Requests(rollback="t")))
    assert (asking.look(), asking.chat.questions) == (None, [])


def test_a_record_that_can_not_be_read_is_said_so():
    asking = adviser(quiet())
    asking.records.ledger[0]["observation"] = {"now": "?"}
    with pytest.raises(AutoRetrainError, match="decision 1 was recorded by a release"):
        asking.look()


def test_what_a_model_wrote_is_one_line_without_anything_that_a_terminal_obeys():
    assert one_line("a\x1b[2J\n\tb\u202ec\x00") == "a [2J b c"


def test_an_answer_that_could_not_be_kept_is_kept_before_anything_is_asked_again():
    asking = adviser(quiet())
    keep = asking.records.add_advice

    def full(_):
        raise AutoRetrainError("disk full")

    asking.records.add_advice = full
    for _ in range(3):
        with pytest.raises(AutoRetrainError, match="disk full"):
            asking.look()
    assert len(asking.chat.questions) == 1
    asking.records.add_advice = keep
    assert (asking.look().calls, len(asking.chat.questions)) == (2, 1)
    asking.clock.now += timedelta(hours=1)
    assert asking.look() is None


def test_a_clock_that_was_set_back_far_does_not_silence_the_adviser():
    asking = adviser(quiet())
    asking.look()
    asking.records.ledger.append(record(drifted(), sequence=2))
    asking.clock.now -= timedelta(hours=5)
    assert asking.look().situation_id == "decision-2"


def test_nobody_is_asked_again_and_again_about_figures_that_lie_far_ahead():
    asking = adviser(quiet(), exchange=Exchange(outcome=AdviceOutcome.UNREACHABLE))
    asking.look()
    asking.clock.now -= timedelta(hours=5)
    assert asking.look() is None
