"""What audit labels say about the floors."""

import math

import pytest

from autoretrain.decide.performance import read_performance
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from tests.unit.decide.builders import but, estimate, label_window, performance, quiet

LOW, LOW_FOR_CERTAIN, HIGH = label_window(0.92), label_window(0.90), label_window(0.98)

CASES = {
    "quality above the floor passes": (performance(HIGH), Verdict.PASSED, Reason.PERFORMANCE_ABOVE_FLOORS),
    "an upper bound under the floor triggers": (
        performance(LOW_FOR_CERTAIN),
        Verdict.TRIGGERED,
        Reason.ACCURACY_BELOW_FLOOR,
    ),
    "a point estimate under the floor alone is uncertain": (
        performance(LOW),
        Verdict.INCONCLUSIVE,
        Reason.PERFORMANCE_UNCERTAIN,
    ),
    "two disjoint windows under the floor trigger": (
        performance(LOW, windows=(HIGH, LOW, LOW)),
        Verdict.TRIGGERED,
        Reason.ACCURACY_BELOW_FLOOR,
    ),
    "windows at the floor are not under it": (
        performance(LOW, windows=(label_window(0.93), label_window(0.93))),
        Verdict.INCONCLUSIVE,
        Reason.PERFORMANCE_UNCERTAIN,
    ),
    "one of the last two windows is not enough": (
        performance(LOW, windows=(LOW, HIGH, LOW)),
        Verdict.INCONCLUSIVE,
        Reason.PERFORMANCE_UNCERTAIN,
    ),
    "one window is not two": (performance(LOW, windows=(LOW,)), Verdict.INCONCLUSIVE, Reason.PERFORMANCE_UNCERTAIN),
    "a window with too few labels is not counted": (
        performance(LOW, windows=(LOW, label_window(0.92, labels=99))),
        Verdict.INCONCLUSIVE,
        Reason.PERFORMANCE_UNCERTAIN,
    ),
    "labels that can't be read are inconclusive": (None, Verdict.INCONCLUSIVE, Reason.EVIDENCE_MISSING),
    "no labels are inconclusive, not good": (
        but(performance(), labels=0, overall=None),
        Verdict.INCONCLUSIVE,
        Reason.NO_AUDIT_LABELS,
    ),
    "too few labels are inconclusive, however bad": (
        performance(label_window(0.5, labels=99)),
        Verdict.INCONCLUSIVE,
        Reason.TOO_FEW_LABELS,
    ),
    "labels of another version say nothing": (
        but(performance(LOW_FOR_CERTAIN), model_version="2"),
        Verdict.INCONCLUSIVE,
        Reason.EVIDENCE_MISSING,
    ),
    "an estimate that is not a number says nothing": (
        performance(label_window(math.nan)),
        Verdict.INCONCLUSIVE,
        Reason.EVIDENCE_MISSING,
    ),
}


@pytest.mark.parametrize(("evidence", "verdict", "reason"), CASES.values(), ids=CASES.keys())
def test_accuracy_finding(evidence, verdict, reason):
    finding = read_performance(but(quiet(), performance=evidence))[0]
    assert (finding.check, finding.verdict, finding.reason) == ("accuracy", verdict, reason)


def test_accuracy_is_blind_to_missed_spam_which_has_a_floor_of_its_own():
    blind = performance(but(HIGH, spam_recall=estimate(0.6)))
    accuracy, recall = read_performance(but(quiet(), performance=blind))
    assert accuracy.verdict is Verdict.PASSED
    assert (recall.verdict, recall.reason) == (Verdict.TRIGGERED, Reason.SPAM_RECALL_BELOW_FLOOR)


def test_f1_has_a_floor_only_where_the_document_gives_one():
    observation = but(quiet(), performance=performance(but(HIGH, f1=estimate(0.5))))
    assert len(read_performance(observation)) == 2
    f1 = read_performance(but(observation, model__spec__triggers__performance__min_f1=0.9))[2]
    assert (f1.check, f1.verdict, f1.reason) == ("f1", Verdict.TRIGGERED, Reason.F1_BELOW_FLOOR)


def test_what_was_not_measured_for_want_of_spam_never_triggers():
    no_spam = but(label_window(), spam_recall=None, f1=None)
    evidence = performance(no_spam, windows=(no_spam, no_spam))
    observation = but(quiet(), performance=evidence, model__spec__triggers__performance__min_f1=0.9)
    accuracy, recall, f1 = read_performance(observation)
    assert accuracy.verdict is Verdict.PASSED
    assert recall == Finding(
        check="spam recall",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.TOO_FEW_LABELS,
        message="none of the 200 audit labels is spam",
        threshold=0.80,
        comparison="<",
    )
    assert (f1.verdict, f1.reason) == (Verdict.INCONCLUSIVE, Reason.TOO_FEW_LABELS)


def test_a_window_without_spam_is_not_one_of_two_under_the_floor():
    under, no_spam = but(HIGH, spam_recall=estimate(0.79)), but(HIGH, spam_recall=None, f1=None)
    overall = but(HIGH, spam_recall=estimate(0.79, 0.05))
    for windows, verdict in (((under, under), Verdict.TRIGGERED), ((under, no_spam), Verdict.INCONCLUSIVE)):
        recall = read_performance(but(quiet(), performance=performance(overall, windows=windows)))[1]
        assert recall.verdict is verdict


def test_two_windows_under_the_floor_are_shown_by_their_own_number_not_by_that_of_all_labels():
    worse, bad = (but(HIGH, spam_recall=estimate(recall)) for recall in (0.71, 0.74))
    overall = but(HIGH, spam_recall=estimate(0.89, 0.03))
    recall = read_performance(but(quiet(), performance=performance(overall, windows=(worse, bad))))[1]
    assert (recall.verdict, recall.value, recall.threshold) == (Verdict.TRIGGERED, 0.74, 0.80)
    said = "at most, in each of the last 2 label windows; over all 0.890 [0.860, 0.920] from 200 audit labels"
    assert recall.message == said


def test_that_no_label_counts_says_of_which_version_and_since_when():
    empty = but(performance(), labels=0, overall=None)
    finding = read_performance(but(quiet(), performance=empty))[0]
    assert finding.message == (
        "no audited prediction of version 3 since its promotion, within spec.monitoring.window.maxAgeSeconds, "
        "has a label yet"
    )


def test_without_a_champion_there_is_nothing_to_measure():
    assert read_performance(but(quiet(), status__champion=None))[0].reason is Reason.EVIDENCE_MISSING


def test_a_finding_carries_its_numbers():
    low, unknown = (
        read_performance(but(quiet(), performance=evidence))[0] for evidence in (performance(LOW_FOR_CERTAIN), None)
    )
    assert low == Finding(
        check="accuracy",
        verdict=Verdict.TRIGGERED,
        reason=Reason.ACCURACY_BELOW_FLOOR,
        message="[0.890, 0.910] from 200 audit labels",
        value=0.90,
        threshold=0.93,
        comparison="<",
    )
    assert unknown == Finding(
        check="accuracy",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.EVIDENCE_MISSING,
        message="the audit labels could not be read",
        threshold=0.93,
        comparison="<",
    )
