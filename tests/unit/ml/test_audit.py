"""Which predictions go to the labelling queue: known chances, the intended number, no choice for the sender."""

import pytest

from autoretrain.domain.messages import Label
from autoretrain.ml.audit import audit_probability, draw_for_audit


def test_spam_and_unsure_ham_are_drawn_oftener_than_sure_ham():
    assert audit_probability(Label.SPAM, 0.99, rate=0.01) == pytest.approx(0.03)
    assert audit_probability(Label.HAM, 0.60, rate=0.01) == pytest.approx(0.03)
    assert audit_probability(Label.HAM, 0.99, rate=0.01) == pytest.approx(0.0056, abs=1e-4)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2, 0.5, 1.0])
def test_the_mean_chance_is_the_rate_where_traffic_is_as_assumed(rate):
    boosted = audit_probability(Label.SPAM, 1.0, rate=rate)
    plain = audit_probability(Label.HAM, 1.0, rate=rate)
    assert 0 < plain <= boosted <= 1
    assert 0.18 * boosted + 0.82 * plain == pytest.approx(rate)


@pytest.mark.parametrize("boosted_share", [0.05, 0.10, 0.25, 0.30])
def test_the_mean_chance_stays_near_the_rate_where_traffic_differs(boosted_share):
    boosted = audit_probability(Label.SPAM, 1.0, rate=0.01)
    plain = audit_probability(Label.HAM, 1.0, rate=0.01)
    assert 0.65 < (boosted_share * boosted + (1 - boosted_share) * plain) / 0.01 < 1.3


def test_nothing_is_drawn_at_rate_zero_and_everything_at_rate_one():
    ids = [f"p{number}" for number in range(200)]
    for label in Label:
        assert {draw_for_audit(i, label, confidence=0.99, rate=0.0, seed=1) for i in ids} == {None}
        assert {draw_for_audit(i, label, confidence=0.99, rate=1.0, seed=1) for i in ids} == {1.0}


def test_the_draw_is_by_the_id_and_repeats():
    ids = [f"p{number}" for number in range(20_000)]
    first = [draw_for_audit(i, Label.SPAM, confidence=0.9, rate=0.02, seed=1) for i in ids]
    again = [draw_for_audit(i, Label.SPAM, confidence=0.9, rate=0.02, seed=1) for i in ids]
    other = [draw_for_audit(i, Label.SPAM, confidence=0.9, rate=0.02, seed=2) for i in ids]
    assert first == again
    assert first != other
    assert {p for p in first if p is not None} == {audit_probability(Label.SPAM, 0.9, rate=0.02)}
    # 1,200 are expected, with a standard deviation of 34.
    assert abs(sum(p is not None for p in first) - 1200) < 140
