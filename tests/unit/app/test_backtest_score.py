"""F1 by windows, and how long a fall lasted."""

from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.app.backtest_score import Recovery, ScoredWindow, WindowScorer, longest_fall, mean_f1, worst_f1
from autoretrain.domain.messages import Label

AT = datetime(2026, 3, 2, tzinfo=UTC)
HAM, SPAM = Label.HAM, Label.SPAM


def windows(*f1s):
    return tuple(
        ScoredWindow(start=100 * number, messages=100, started_at=AT, ended_at=AT, f1=f1)
        for number, f1 in enumerate(f1s)
    )


def test_f1_is_counted_by_windows_and_a_short_rest_joins_the_last():
    scorer = WindowScorer(4)
    answers = [(SPAM, SPAM), (SPAM, HAM), (HAM, SPAM), (None, SPAM)] + [(HAM, HAM)] * 4 + [(SPAM, SPAM)]
    for number, (label, predicted) in enumerate(answers):
        scorer.add(AT + timedelta(minutes=number), label, predicted, weight=1.0)
    assert [(w.start, w.messages, w.f1, w.ended_at) for w in scorer.windows()] == [
        (0, 4, 0.5, AT + timedelta(minutes=3)),
        (4, 5, 1.0, AT + timedelta(minutes=8)),
    ]


def test_a_sampled_answer_counts_for_those_it_stands_for():
    scorer = WindowScorer(10)
    scorer.add(AT, SPAM, SPAM, weight=1.0)
    scorer.add(AT, SPAM, HAM, weight=10.0)
    assert scorer.windows()[0].f1 == pytest.approx(1 / 6)


def test_a_window_without_spam_has_no_f1_and_counts_in_no_mean():
    scorer = WindowScorer(2)
    scorer.add(AT, HAM, HAM, weight=1.0)
    assert scorer.windows()[0].f1 is None
    known = windows(None, 0.9, 0.7)
    assert (mean_f1(known), worst_f1(known), mean_f1(known[:1])) == (pytest.approx(0.8), 0.7, None)


@pytest.mark.parametrize(
    ("f1s", "fall"),
    [
        ((0.95, 0.96, 0.94, 0.90, 0.86, 0.95), None),
        ((0.95, 0.95, 0.95, 0.80, 0.89, 0.91), Recovery(messages=200, back=True)),
        ((0.95, 0.95, 0.95, 0.80, 0.95, 0.60, None, 0.70, 0.92), Recovery(messages=300, back=True)),
        ((0.95, 0.95, 0.95, 0.10, 0.20, 0.95, 0.80), Recovery(messages=100, back=False)),
        ((None, None, None, 0.1), None),
    ],
    ids=["within the noise", "back", "the longest", "not back at the end", "nothing is usual"],
)
def test_the_longest_fall_is_told_and_one_that_lasts_before_all(f1s, fall):
    assert longest_fall(windows(*f1s)) == fall


def test_a_fall_that_lasts_is_marked():
    assert [str(Recovery(messages=500, back=back)) for back in (True, False)] == ["500", "> 500"]
