"""What every database must do for the agent's advice: keep it beside the rules' verdict and count agreement."""

from dataclasses import replace

import pytest

from autoretrain.adapters.store import Store
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceTotals
from tests.contract.store_records import after


def advice(number: int, **changes: object) -> Advice:
    made = Advice(
        at=after(number),
        situation_id=f"s{number}",
        situation_at=after(number - 1),
        outcome=AdviceOutcome.ANSWERED,
        choice=AdviceChoice.RETRAIN,
        reason="drift stands",
        rules="RETRAIN",
        allowed=True,
        chat_model="openai:test",
        prompt_version="1",
        findings=("drift", "new labels"),
        decisions=(7,),
        calls=2,
        input_tokens=1000,
        output_tokens=50,
        cost=0.25,
        seconds=1.5,
    )
    return replace(made, **changes)


UNANSWERED = {"outcome": AdviceOutcome.TOO_SLOW, "choice": None, "allowed": False, "cost": None, "decisions": ()}


def test_advice_comes_back_as_it_was_given_oldest_first(store: Store, other_store: Store) -> None:
    given = [advice(1), advice(2, **UNANSWERED)]
    kept = [replace(each, sequence=store.add_advice(each)) for each in given]
    assert (store.advice(limit=9), store.advice(limit=1), other_store.advice(limit=9)) == (kept, kept[1:], [])
    assert kept[0].sequence < kept[1].sequence


def test_agreement_counts_what_the_rules_could_be_compared_with(store: Store) -> None:
    store.add_advice(advice(1))
    store.add_advice(advice(2, rules="NO_ACTION", allowed=False))
    store.add_advice(advice(3, rules="PROMOTE"))
    store.add_advice(advice(4, **UNANSWERED))
    assert store.advice_totals() == AdviceTotals(
        asked=4, answered=3, compared=2, agreed=1, illegal=1, calls=8, input_tokens=4000, output_tokens=200, cost=0.75
    )


def test_totals_can_begin_at_a_time(store: Store) -> None:
    for number in range(3):
        store.add_advice(advice(number))
    assert [store.advice_totals(since=after(number)).asked for number in (0, 1, 3)] == [3, 2, 0]


def test_nothing_advised_is_zeros(store: Store) -> None:
    assert store.advice_totals() == AdviceTotals(
        asked=0, answered=0, compared=0, agreed=0, illegal=0, calls=0, input_tokens=0, output_tokens=0, cost=0.0
    )


def test_advice_outlives_the_retention_of_messages(store: Store) -> None:
    store.add_advice(advice(1))
    store.purge(now=after(1_000_000), retention_seconds=1)
    assert len(store.advice(limit=9)) == 1


def test_the_longest_name_that_a_document_may_give_a_model_is_kept(store: Store) -> None:
    store.add_advice(advice(1, chat_model="x" * 253))
    assert store.advice(limit=1)[0].chat_model == "x" * 253


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="time zone"):
        store.add_advice(advice(1, at=after(1).replace(tzinfo=None)))
