"""What the guard makes of the evidence, and how it ends."""

import math

import pytest

from autoretrain.decide.guard import GuardEnd, judge_evidence, read_guard
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from tests.unit.decide.builders import NOW, but, estimate, guard_evidence, guard_state, label_window, minutes, quiet

GUARDED = but(quiet(), status__guard=guard_state(age=10), guard=guard_evidence())

BREACHES = {
    "nearly everything is flagged, on few messages": (
        {"messages": 40, "spam_share": estimate(0.9, 0.1)},
        Reason.SPAM_SHARE_TOO_HIGH,
    ),
    "more spam than the candidate predicted": ({"spam_share": estimate(0.25)}, Reason.SPAM_SHARE_UNEXPECTED),
    "less spam than the candidate predicted": ({"spam_share": estimate(0.04, 0.01)}, Reason.SPAM_SHARE_UNEXPECTED),
    "other scores than expected": ({"score_shift": 0.11}, Reason.SCORES_UNEXPECTED),
    "it differs from the previous model more than expected": (
        {"disagreement": estimate(0.2)},
        Reason.DISAGREEMENT_UNEXPECTED,
    ),
    "it flags more golden ham than at training": ({"golden_ham_flagged": 0.014}, Reason.GOLDEN_HAM_FLAGGED),
    "it flags absurdly much golden ham, as promised": (
        {"golden_ham_flagged": 1.0, "golden_ham_expected": 1.0},
        Reason.GOLDEN_HAM_FLAGGED,
    ),
    "errors": ({"error_ratio": 0.011}, Reason.ERRORS_TOO_MANY),
    "errors without one answer": ({"messages": 0, "requests": 50, "error_ratio": 1.0}, Reason.ERRORS_TOO_MANY),
    "slow": ({"latency_ratio": 2.1}, Reason.LATENCY_TOO_HIGH),
    "audit labels say that it is bad": ({"audit": label_window(0.85)}, Reason.AUDIT_QUALITY_LOW),
    "audit labels say that it is bad, and the previous version was better": (
        {"audit": label_window(0.85), "audit_previous": label_window(0.9)},
        Reason.AUDIT_QUALITY_LOW,
    ),
    "audit labels say that it misses spam": (
        {"audit": but(label_window(), spam_recall=estimate(0.7))},
        Reason.AUDIT_QUALITY_LOW,
    ),
}


@pytest.mark.parametrize(("evidence", "reason"), BREACHES.values(), ids=BREACHES.keys())
def test_breach(evidence, reason):
    reading = read_guard(but(GUARDED, guard=guard_evidence(**evidence)))
    assert (reading.end, reading.reason) == (GuardEnd.BREACHED, reason)
    assert reason in [finding.reason for finding in reading.findings if finding.verdict is Verdict.TRIGGERED]


HARMLESS = {
    "errors on too few requests": {"messages": 49, "error_ratio": 0.5},
    "errors on too few requests of many messages": {"requests": 49, "error_ratio": 0.5},
    "slow on too few requests": {"messages": 49, "latency_ratio": 9.0},
    "scores on too few messages": {"messages": 49, "score_shift": 0.5},
    "audit labels under a floor that the previous version is further under": {
        "audit": label_window(0.85),
        "audit_previous": label_window(0.6),
    },
    "audit labels that leave it open": {"audit": label_window(0.92)},
    "figures that are not numbers": {
        "spam_share": estimate(math.nan),
        "error_ratio": math.nan,
        "golden_ham_flagged": math.nan,
        "audit": label_window(math.nan),
    },
}


@pytest.mark.parametrize("evidence", HARMLESS.values(), ids=HARMLESS.keys())
def test_no_breach_without_proof(evidence):
    reading = read_guard(but(GUARDED, guard=guard_evidence(**evidence)))
    assert (reading.end, reading.reason) == (None, Reason.GUARD_ACTIVE)


@pytest.mark.parametrize(
    ("figure", "check"),
    [
        ("spam_share", "spam share"),
        ("disagreement", "disagreement"),
        ("golden_ham_flagged", "golden ham flagged"),
        ("error_ratio", "error ratio"),
        ("latency_ratio", "latency ratio"),
        ("score_shift", "score shift"),
        ("audit", "guard accuracy"),
    ],
)
def test_what_was_not_measured_is_inconclusive(figure, check):
    reading = read_guard(but(GUARDED, guard=guard_evidence(**{figure: None})))
    found = {finding.check: finding.verdict for finding in reading.findings}
    assert found[check] is Verdict.INCONCLUSIVE


def test_a_finding_carries_its_numbers():
    found = {finding.check: finding for finding in read_guard(GUARDED).findings}
    assert found["spam share shift"] == Finding(
        check="spam share shift",
        verdict=Verdict.PASSED,
        reason=Reason.WITHIN_LIMITS,
        message="0.140 [0.120, 0.160], expected 0.130",
        value=pytest.approx(0.01),
        threshold=0.05,
    )
    assert found["guard accuracy"] == Finding(
        check="guard accuracy",
        verdict=Verdict.PASSED,
        reason=Reason.WITHIN_LIMITS,
        message="0.980 [0.970, 0.990], floor 0.930",
        value=0.98,
        threshold=0.93,
        comparison="<",
    )
    unlabelled = read_guard(but(GUARDED, guard=guard_evidence(audit=None))).findings[-1]
    assert unlabelled == Finding(
        check="guard spam recall",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.NO_AUDIT_LABELS,
        message="no audit labels since the promotion",
        threshold=0.80,
        comparison="<",
    )


def test_a_forced_promotion_without_expectations_keeps_the_limits_that_need_none():
    forced = but(GUARDED, status__guard__expected=None, guard=guard_evidence(spam_share=estimate(0.9)))
    assert read_guard(forced).reason is Reason.SPAM_SHARE_TOO_HIGH
    open_yet = read_guard(but(forced, guard=guard_evidence(spam_share=estimate(0.62, 0.05))))
    assert open_yet.end is None


ENDS = {
    "before its time it goes on": (29, guard_evidence(), None, Reason.GUARD_ACTIVE),
    "with enough good messages it passes": (30, guard_evidence(500), GuardEnd.PASSED, Reason.GUARD_PASSED),
    "with too few messages it is extended": (30, guard_evidence(499), None, Reason.GUARD_EXTENDED),
    "without evidence it is extended": (30, None, None, Reason.GUARD_EXTENDED),
    "evidence about another version is none": (
        30,
        guard_evidence(model_version="2"),
        None,
        Reason.GUARD_EXTENDED,
    ),
    "messages without a measured share are no evidence": (
        30,
        guard_evidence(spam_share=None),
        None,
        Reason.GUARD_EXTENDED,
    ),
    "extended for long enough it ends unproven": (
        24 * 60,
        guard_evidence(499),
        GuardEnd.UNPROVEN,
        Reason.GUARD_UNPROVEN,
    ),
    "extended without any evidence it ends unproven": (24 * 60, None, GuardEnd.UNPROVEN, Reason.GUARD_UNPROVEN),
}


@pytest.mark.parametrize(("age", "evidence", "end", "reason"), ENDS.values(), ids=ENDS.keys())
def test_how_the_guard_ends(age, evidence, end, reason):
    reading = read_guard(but(GUARDED, status__guard=guard_state(age=age), guard=evidence))
    assert (reading.end, reading.reason) == (end, reason)


def test_a_promotion_round_the_comparison_is_proven_by_audit_labels_only():
    """A model that lets all spam through keeps every limit that does not come from what was expected of it."""
    state = but(guard_state(age=30), expected=None)
    blind = guard_evidence(audit=None, spam_share=estimate(0.0, 0.0))
    reading = read_guard(but(GUARDED, status__guard=state, guard=blind))
    assert (reading.end, reading.reason) == (GuardEnd.UNPROVEN, Reason.GUARD_UNPROVEN)
    assert "promoted round the comparison" in reading.message
    assert read_guard(but(GUARDED, status__guard=state, guard=guard_evidence())).end is GuardEnd.PASSED
    first = but(GUARDED, status__guard=state, status__previous=None, guard=guard_evidence(audit=None))
    assert read_guard(first).end is GuardEnd.PASSED


def test_a_champion_that_fails_every_request_is_convicted_though_none_of_them_was_recorded():
    failing = guard_evidence(0, requests=5000, error_ratio=1.0, spam_share=None, audit=None, score_shift=None)
    assert read_guard(but(GUARDED, guard=failing)).reason is Reason.ERRORS_TOO_MANY


def test_the_guard_says_when_it_may_end_next():
    assert read_guard(GUARDED).ends_at == NOW + minutes(20)
    extended = but(GUARDED, status__guard=guard_state(age=40), guard=None)
    assert read_guard(extended).ends_at == NOW + minutes(24 * 60 - 40)


def test_audit_labels_without_spam_leave_recall_unmeasured_and_breach_nothing():
    audit = but(label_window(), spam_recall=None, f1=None)
    accuracy, recall = judge_evidence(guard_evidence(audit=audit), guard=guard_state(), spec=quiet().model.spec)[-2:]
    assert accuracy.verdict is Verdict.PASSED
    assert (recall.check, recall.verdict, recall.message) == (
        "guard spam recall",
        Verdict.INCONCLUSIVE,
        "none of the 200 audit labels since the promotion is spam",
    )


@pytest.mark.parametrize(
    "unguarded",
    [
        quiet(),
        but(GUARDED, status__guard__ended="Passed"),
        but(GUARDED, status__guard=guard_state("2")),
        but(GUARDED, status__champion=None),
    ],
    ids=["never guarded", "ended", "of another version", "no champion"],
)
def test_nothing_is_guarded(unguarded):
    assert read_guard(unguarded) is None
