"""Live quality from audit labels: unbiased where reports are not, and intervals that hold."""

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from scipy.stats import binomtest

from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import LabelWindow, Performance
from autoretrain.ml.audit import draw_for_audit
from autoretrain.ml.performance import measure_performance, score_interval, wilson

START = datetime(2026, 11, 1, tzinfo=UTC)
HAM, SPAM = Label.HAM, Label.SPAM


def rows(*cells, version="7", start=0):
    """Cells are (count, predicted, true, probability)."""
    flat = [cell[1:] for cell in cells for _ in range(cell[0])]
    return [
        AuditedPrediction(
            text=distinct(start + number),
            predicted=predicted,
            label=label,
            probability=probability,
            model_version=version,
            predicted_at=START + timedelta(minutes=start + number),
        )
        for number, (predicted, label, probability) in enumerate(flat)
    ]


def distinct(number):
    """A message of its own: no two share a pair of words, since digits would be folded."""
    letters = "".join(chr(97 + int(digit)) for digit in str(number))
    return f"{letters}x {letters}y {letters}z"


def measured(audited, *, pending=0, window_labels=1000):
    return measure_performance(audited, model_version="7", pending=pending, window_labels=window_labels)


def test_without_audit_labels_nothing_is_claimed():
    assert measured([], pending=12) == Performance(
        model_version="7", labels=0, overall=None, windows=(), precision=None, matured_ratio=0.0
    )


def test_labels_of_another_version_say_nothing_about_this_one():
    other = rows((30, SPAM, HAM, 1.0), version="6")
    assert measured(other).labels == 0
    assert measured([*other, *rows((5, HAM, HAM, 1.0), start=100)]).overall.accuracy.value == 1.0


def test_equal_chances_give_the_plain_shares_with_wilsons_interval():
    audited = rows((6, SPAM, SPAM, 0.5), (2, HAM, SPAM, 0.5), (1, SPAM, HAM, 0.5), (41, HAM, HAM, 0.5))

    def as_wilson(right, total):
        reference = binomtest(right, total).proportion_ci(method="wilson")
        return Estimate(
            value=pytest.approx(right / total), low=pytest.approx(reference.low), high=pytest.approx(reference.high)
        )

    found = measured(audited, pending=50)
    assert found.overall == LabelWindow(
        started_at=min(row.predicted_at for row in audited),
        labels=50,
        accuracy=as_wilson(47, 50),
        spam_recall=as_wilson(6, 8),
        f1=found.overall.f1,
    )
    assert found.precision == as_wilson(6, 7)
    assert found.overall.f1.value == pytest.approx(2 * 6 / (2 * 6 + 2 + 1))
    assert found.matured_ratio == 0.5


def test_rows_weigh_the_inverse_of_their_chance():
    found = measured(rows((30, SPAM, SPAM, 0.5), (10, HAM, SPAM, 0.1), (100, HAM, HAM, 0.1)))
    assert found.overall.spam_recall.value == pytest.approx(60 / (60 + 100))
    assert found.overall.accuracy.value == pytest.approx((60 + 1000) / 1160)


def test_perfect_answers_do_not_make_a_perfect_interval():
    found = measured(rows((20, SPAM, SPAM, 0.03), (80, HAM, HAM, 0.0056))).overall
    assert (found.accuracy.value, found.accuracy.high) == (1.0, 1.0)
    assert 0.93 < found.accuracy.low < 0.97
    # No miss was seen, but one would weigh five times what a caught message does: 20 catches prove less than 20.
    assert found.spam_recall.low < wilson(20, 20).low < 0.85


@pytest.mark.parametrize("audited", [((40, HAM, HAM, 0.5),), ((40, HAM, HAM, 0.5), (9, SPAM, HAM, 0.5))])
def test_without_a_spam_label_recall_and_f1_are_not_measured_rather_than_good_or_bad(audited):
    found = measured(rows(*audited)).overall
    assert (found.spam_recall, found.f1) == (None, None)
    assert found.accuracy.value == pytest.approx(40 / sum(count for count, *_ in audited))


def test_a_single_label_gives_a_wide_interval():
    found = measured(rows((1, HAM, HAM, 0.01))).overall.accuracy
    assert found.value == 1.0
    assert found.low < 0.25


def test_windows_are_disjoint_from_the_oldest_on_and_newest_last():
    audited = rows((10, HAM, HAM, 1.0), (10, HAM, SPAM, 1.0), (7, HAM, HAM, 1.0))
    random.Random(1).shuffle(audited)
    found = measured(audited, window_labels=10)
    assert [(window.labels, window.accuracy.value) for window in found.windows] == [(10, 1.0), (10, 0.0)]
    assert found.overall.labels == 27


def test_copies_of_one_campaign_widen_the_interval_and_keep_the_value():
    alone = rows((95, HAM, HAM, 1.0), (5, HAM, SPAM, 1.0))
    copies = [
        AuditedPrediction(
            text=f"Your account {n} is locked, verify at https://bank-{n}.example within {n} hours",
            predicted=HAM,
            label=SPAM,
            probability=1.0,
            model_version="7",
            predicted_at=START,
        )
        for n in range(40)
    ]
    unlike = rows((40, HAM, SPAM, 1.0), start=500)
    flooded, spread = measured([*alone, *copies]).overall.accuracy, measured([*alone, *unlike]).overall.accuracy
    assert flooded.value == spread.value == pytest.approx(95 / 140)
    assert flooded.low < spread.low
    assert flooded.high > spread.high


@pytest.mark.parametrize("trials", [1, 7, 100])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_wilson_agrees_with_scipy(trials, share):
    successes = round(trials * share)
    reference = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == Estimate(
        value=successes / trials, low=pytest.approx(reference.low, abs=1e-12), high=pytest.approx(reference.high)
    )


def test_a_share_of_nothing_is_unknown():
    assert wilson(0, 0) == Estimate(value=0.0, low=0.0, high=1.0)
    assert score_interval([], [], heaviest_error=1.0, evidence=1.0) == Estimate(value=1.0, low=0.0, high=1.0)


def traffic(rng, *, messages, recall, false_alarms):
    """Messages as (predicted, true, confidence): spam is 14 %, half of the misses are answered with confidence."""
    for _ in range(messages):
        label = SPAM if rng.random() < 0.14 else HAM
        flagged = rng.random() < (recall if label is SPAM else false_alarms)
        unsure = not flagged and rng.random() < (0.5 if label is SPAM else 0.03)
        yield (SPAM if flagged else HAM, label, 0.7 if unsure else 0.98)


def audit(messages, *, rate, seed):
    """The stratified sample, as the queue would be labelled."""
    for number, (predicted, label, confidence) in enumerate(messages):
        chance = draw_for_audit(f"p{number}", predicted, confidence=confidence, rate=rate, seed=seed)
        if chance is not None:
            yield (1, predicted, label, chance)


def test_intervals_cover_the_truth_about_95_times_in_100_under_the_stratified_audit():
    """250 samples of about 95 labels. A coverage of 0.95 has a standard deviation of 0.014 here; Wilson's own coverage
    swings by some points with the share, so 0.91 to 0.996 is what is asked."""
    recall, false_alarms, spam = 0.85, 0.01, 0.14
    accuracy = spam * recall + (1 - spam) * (1 - false_alarms)
    f1 = 2 * spam * recall / (spam * recall + (1 - spam) * false_alarms + spam)
    rng = random.Random(11)
    covered = dict.fromkeys(("accuracy", "spam_recall", "f1"), 0)
    values = dict.fromkeys(covered, 0.0)
    samples = 250
    for seed in range(samples):
        cells = audit(traffic(rng, messages=1000, recall=recall, false_alarms=false_alarms), rate=0.1, seed=seed)
        window = measured(rows(*cells)).overall
        for name, truth in (("accuracy", accuracy), ("spam_recall", recall), ("f1", f1)):
            estimate = getattr(window, name)
            covered[name] += estimate.low <= truth <= estimate.high
            values[name] += estimate.value / samples
    assert values["accuracy"] == pytest.approx(accuracy, abs=0.005)
    assert values["spam_recall"] == pytest.approx(recall, abs=0.02)
    assert all(0.91 <= count / samples <= 0.996 for count in covered.values()), covered


def test_reports_make_an_accuracy_of_99_percent_look_like_a_third_and_the_audit_does_not():
    """Users report 20 % of the errors and 0.1 % of the rest; the same traffic is audited at 1 %."""
    rng = random.Random(3)
    messages = list(traffic(rng, messages=100_000, recall=0.95, false_alarms=0.0035))
    truth = sum(predicted is label for predicted, label, _ in messages) / len(messages)
    assert truth == pytest.approx(0.99, abs=0.001)
    reports = [
        predicted is label for predicted, label, _ in messages if rng.random() < (0.001 if predicted is label else 0.2)
    ]
    assert sum(reports) / len(reports) == pytest.approx(0.33, abs=0.06)
    found = measured(rows(*audit(messages, rate=0.01, seed=4)), window_labels=10_000).overall.accuracy
    assert found.low <= truth <= found.high
    assert found.value == pytest.approx(truth, abs=0.01)


def test_serving_can_measure_without_the_training_libraries():
    program = (
        "import sys, autoretrain.ml.performance, autoretrain.ml.audit;"
        "print(sorted({'numpy', 'scipy', 'sklearn', 'pandas', 'mlflow'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == "[]"
