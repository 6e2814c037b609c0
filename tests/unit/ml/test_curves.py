"""The curves of a comparison are exact counts, and small."""

import json

import pytest

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.comparison import compare
from autoretrain.ml.curves import MOST_POINTS, Curve, Curves, RunCurves, curves_of
from autoretrain.ml.evaluation import curve_of

WORDS = ("apple", "river", "seven", "stone", "quiet", "lamp", "yellow", "train", "window", "coffee", "marble", "garden")


def row(number, label):
    a, b, c = (WORDS[(number * step + number // 12) % len(WORDS)] for step in (1, 5, 7))
    return LabelledMessage(text=f"{a} {b} {number} words {c} of message {WORDS[number % 12]}{number}", label=label)


def rows_of(letters):
    return [row(number, Label.SPAM if letter == "s" else Label.HAM) for number, letter in enumerate(letters)]


def test_a_curve_starts_with_nothing_flagged_and_ends_with_everything():
    found = curves_of(rows_of("sshs"), ([0.9, 0.8, 0.7, 0.1], 0.75), ([0.1, 0.2, 0.3, 0.4], 0.5))
    assert found == Curves(
        ham=1,
        spam=3,
        candidate=Curve(points=((0, 0), (0, 2), (1, 2), (1, 3)), chosen=(0, 2)),
        champion=Curve(points=((0, 0), (0, 1), (1, 1), (1, 3)), chosen=(0, 0)),
    )


def test_rows_of_one_score_are_flagged_together_and_the_threshold_itself_flags():
    found = curves_of(rows_of("shs"), ([0.5, 0.5, 0.2], 0.5), None)
    assert found == Curves(
        ham=1, spam=2, candidate=Curve(points=((0, 0), (1, 1), (1, 2)), chosen=(1, 1)), champion=None
    )


def test_the_counts_give_every_attainable_pair_of_precision_and_recall():
    letters, scores = "shshhsshhs", [0.9, 0.85, 0.8, 0.8, 0.6, 0.55, 0.4, 0.3, 0.2, 0.1]
    rows = rows_of(letters)
    expected = curve_of([each.label for each in rows], scores)
    points = curves_of(rows, (scores, 0.5), None).candidate.points
    attainable = set(zip(expected.recall, expected.precision, strict=True))
    assert {(caught / 5, caught / (caught + alarms)) for alarms, caught in points[1:]} <= attainable


def test_the_counts_at_the_models_own_thresholds_are_those_of_the_comparison_copies_capped():
    rows = [*rows_of("sshhs"), *[LabelledMessage(text=f"win {n} now at site", label=Label.SPAM) for n in range(9)]]
    ours = [0.9, 0.2, 0.6, 0.1, 0.7, *[0.9] * 9]
    theirs = [0.1, 0.9, 0.1, 0.1, 0.2, *[0.3] * 9]
    compared = compare(rows, ours, theirs, candidate_threshold=0.5, champion_threshold=0.5, seed=1)
    curves = curves_of(rows, (ours, 0.5), (theirs, 0.5))
    assert (curves.ham + curves.spam, curves.spam) == (compared.rows, compared.spam_rows)
    assert curves.candidate.chosen[1] / curves.spam == pytest.approx(compared.candidate.recall)
    assert curves.champion.chosen[0] / curves.ham == pytest.approx(compared.champion.false_positive_rate)


def test_a_curve_of_many_rows_keeps_both_ends_and_is_small():
    rows = rows_of("sh" * 2000)
    found = curves_of(rows, ([1 - number / 4000 for number in range(4000)], 0.5), None)
    points = found.candidate.points
    assert (len(points), points[0], points[-1]) == (MOST_POINTS, (0, 0), (2000, 2000))
    text = json.dumps(dump_record(RunCurves(holdout=found, recent=None)), separators=(",", ":"))
    assert len(text) < 4096
    assert load_record(RunCurves, json.loads(text)).holdout == found


def test_without_rows_there_is_no_curve():
    assert curves_of([], ([], 0.5), None) is None
