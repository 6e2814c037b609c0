"""The gates of a candidate: each alone decides, and nothing is promoted without proof."""

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoretrain.decide.promotion import Judgement, SignificanceTest, judge, next_test
from autoretrain.domain.plan import Decision, Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.training import PairedComparison
from tests.unit.decide.builders import but, comparison, metrics, spec, status, summary

PROMOTE, HOLD, REJECT = Decision.PROMOTE, Decision.HOLD, Decision.REJECT
FIRST = summary(champion_version=None, champion_digest=None, holdout=None, recent=None)


def judged(candidate, *, champion="digest-3", quarantined=(), alpha=0.05, policy=None) -> Judgement:
    return judge(
        candidate,
        spec=policy or spec().promotion,
        alpha=alpha,
        champion_digest=champion,
        quarantined=quarantined,
    )


CASES = {
    "better on the recent rows and no worse on the holdout": (summary(), PROMOTE, Reason.BETTER_ON_RECENT_ROWS),
    "accuracy at the margin of non-inferiority": (
        summary(holdout__accuracy_gain=-0.005),
        PROMOTE,
        Reason.BETTER_ON_RECENT_ROWS,
    ),
    "accuracy worse on the holdout": (
        summary(holdout__accuracy_gain=-0.0051, holdout__p_worse=0.1),
        REJECT,
        Reason.HOLDOUT_REGRESSION,
    ),
    "accuracy beyond the margin by what may be chance": (
        summary(holdout__accuracy_gain=-0.0051, holdout__p_worse=0.21),
        PROMOTE,
        Reason.BETTER_ON_RECENT_ROWS,
    ),
    "more ham flagged on the holdout, though F1 is better": (
        summary(holdout__ham_false_positive_increase=0.0031, holdout__p_more_ham_flagged=0.1, holdout__f1_gain=0.05),
        REJECT,
        Reason.HAM_FALSE_POSITIVES,
    ),
    "two more of 500 ham messages flagged": (
        summary(holdout__ham_false_positive_increase=0.004, holdout__p_more_ham_flagged=0.25),
        PROMOTE,
        Reason.BETTER_ON_RECENT_ROWS,
    ),
    "how far chance explains a loss was not measured": (
        summary(holdout__p_worse=math.nan),
        HOLD,
        Reason.EVIDENCE_MISSING,
    ),
    "accuracy below the floor": (summary(holdout_metrics=metrics(0.949)), REJECT, Reason.BELOW_FLOORS),
    "F1 below the floor": (summary(holdout_metrics=metrics(f1=0.899)), REJECT, Reason.BELOW_FLOORS),
    "no recent rows": (summary(recent=None), HOLD, Reason.TOO_FEW_LABELS),
    "too few recent rows": (summary(recent__rows=149), HOLD, Reason.TOO_FEW_LABELS),
    "too little recent spam": (summary(recent__spam_rows=19), HOLD, Reason.TOO_FEW_LABELS),
    "too few rows do not hide a regression": (
        summary(recent=None, holdout__accuracy_gain=-0.1, holdout__p_worse=0.001),
        REJECT,
        Reason.HOLDOUT_REGRESSION,
    ),
    "no gain": (summary(recent__accuracy_gain=0.009, recent__f1_gain=0.01), HOLD, Reason.NO_GAIN),
    "a gain in F1 alone": (summary(recent__accuracy_gain=0.0), PROMOTE, Reason.BETTER_ON_RECENT_ROWS),
    "a gain in F1 that may be none": (
        summary(recent__accuracy_gain=0.0, recent__f1_gain_low=0.0),
        HOLD,
        Reason.NO_GAIN,
    ),
    "a gain that may be chance": (summary(recent__p_value=0.051), HOLD, Reason.NOT_SIGNIFICANT),
    "a gain at alpha": (summary(recent__p_value=0.05), PROMOTE, Reason.BETTER_ON_RECENT_ROWS),
    "one campaign is most of what was fixed": (
        summary(recent__largest_cluster_share=0.51),
        HOLD,
        Reason.SINGLE_CAMPAIGN,
    ),
    "the comparison with the holdout is missing": (summary(holdout=None), HOLD, Reason.EVIDENCE_MISSING),
    "the candidate is the champion itself": (summary(digest="digest-3"), HOLD, Reason.SAME_DIGEST),
    "the champion has changed since": (summary(champion_digest="digest-2"), HOLD, Reason.STALE_COMPARISON),
    "compared with nothing although there is a champion": (FIRST, HOLD, Reason.STALE_COMPARISON),
}


@pytest.mark.parametrize(("candidate", "decision", "reason"), CASES.values(), ids=CASES.keys())
def test_judgement(candidate, decision, reason):
    judgement = judged(candidate)
    assert (judgement.decision, judgement.reason) == (decision, reason)


def test_a_model_that_was_rolled_back_is_never_promoted_again():
    judgement = judged(summary(), quarantined=("digest-9", "digest-4"))
    assert (judgement.decision, judgement.reason) == (REJECT, Reason.QUARANTINED)


def test_the_first_model_needs_only_the_floors():
    judgement = judged(FIRST, champion=None)
    assert (judgement.decision, judgement.reason) == (PROMOTE, Reason.FIRST_MODEL)
    assert [finding.verdict for finding in judgement.findings] == [Verdict.PASSED] * 2
    low = judged(but(FIRST, holdout_metrics=metrics(0.9)), champion=None)
    assert (low.decision, low.reason) == (REJECT, Reason.BELOW_FLOORS)


def test_every_gate_is_reported_not_only_the_first():
    judgement = judged(summary(holdout__accuracy_gain=-0.1, holdout__p_worse=0.001, recent__p_value=0.5))
    assert {finding.check: finding.verdict for finding in judgement.findings} == {
        "holdout accuracy": Verdict.PASSED,
        "holdout f1": Verdict.PASSED,
        "holdout accuracy loss": Verdict.TRIGGERED,
        "holdout ham false positive increase": Verdict.PASSED,
        "recent accuracy gain": Verdict.PASSED,
        "McNemar p": Verdict.TRIGGERED,
        "share of one campaign": Verdict.PASSED,
    }


def test_no_change_is_no_loss():
    found = {finding.check: finding for finding in judged(summary(holdout__accuracy_gain=0.0)).findings}
    assert "loss 0.0000," in found["holdout accuracy loss"].message


def test_a_gate_carries_its_numbers():
    found = {finding.check: finding for finding in judged(summary(holdout=None)).findings}
    assert found["holdout accuracy"] == Finding(
        check="holdout accuracy",
        verdict=Verdict.PASSED,
        reason=Reason.WITHIN_LIMITS,
        message="holdout accuracy 0.9850, at least 0.9500 is needed",
        value=0.985,
        threshold=0.95,
        comparison="<",
    )
    assert found["McNemar p"] == Finding(
        check="McNemar p",
        verdict=Verdict.PASSED,
        reason=Reason.WITHIN_LIMITS,
        message="McNemar p 0.0009, at most 0.0500 is allowed",
        value=0.0009,
        threshold=0.05,
    )
    assert found["holdout accuracy loss"] == Finding(
        check="holdout accuracy loss",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.EVIDENCE_MISSING,
        message="holdout accuracy loss was not measured",
    )


def test_too_few_rows_are_told_in_numbers():
    assert judged(summary(recent__rows=120)).findings[-1] == Finding(
        check="recent rows",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.TOO_FEW_LABELS,
        message="120 recent rows with 40 of spam; 150 rows with 20 of spam are needed",
        value=120.0,
        threshold=150.0,
        comparison="<",
    )


def test_a_refusal_is_a_finding_too():
    assert judged(summary(digest="digest-3")) == Judgement(
        decision=HOLD,
        reason=Reason.SAME_DIGEST,
        message="version 4 is the champion itself, to the last weight",
        findings=(
            Finding(
                check="comparison",
                verdict=Verdict.INCONCLUSIVE,
                reason=Reason.SAME_DIGEST,
                message="version 4 is the champion itself, to the last weight",
            ),
        ),
    )


def test_a_promotion_says_its_numbers():
    assert judged(summary(), alpha=0.025).message == (
        "accuracy +0.0600 and F1 +0.1000 on 200 recent rows (13 fixed, 1 broken); p = 0.0009 at alpha 0.025"
    )


OF_THE_HOLDOUT = {"ham_false_positive_increase", "p_worse", "p_more_ham_flagged"}
MEASURED = [f.name for f in fields(PairedComparison) if f.type is float and f.name not in OF_THE_HOLDOUT]


@pytest.mark.parametrize("figure", MEASURED)
def test_a_recent_figure_that_is_not_a_number_never_promotes(figure):
    judgement = judged(summary(recent=comparison(**{figure: math.nan})))
    assert (judgement.decision, judgement.reason) == (HOLD, Reason.EVIDENCE_MISSING)


@pytest.mark.parametrize("figure", ["accuracy_gain", *sorted(OF_THE_HOLDOUT)])
def test_a_holdout_figure_that_is_not_a_number_neither_promotes_nor_rejects(figure):
    judgement = judged(summary(holdout=comparison(**{figure: math.nan})))
    assert (judgement.decision, judgement.reason) == (HOLD, Reason.EVIDENCE_MISSING)


@given(
    accuracy_gain=st.floats(allow_nan=True),
    f1_gain=st.floats(allow_nan=True),
    f1_gain_low=st.floats(allow_nan=True),
    p_value=st.floats(allow_nan=True),
    holdout_gain=st.floats(allow_nan=True),
    p_worse=st.floats(allow_nan=True),
    rows=st.integers(0, 1000),
)
def test_what_is_promoted_has_passed_every_gate(**drawn):
    candidate = summary(
        recent=comparison(
            rows=drawn["rows"],
            **{name: drawn[name] for name in ("accuracy_gain", "f1_gain", "f1_gain_low", "p_value")},
        ),
        holdout=comparison(accuracy_gain=drawn["holdout_gain"], p_worse=drawn["p_worse"]),
    )
    if judged(candidate).decision is PROMOTE:
        gained = drawn["accuracy_gain"] >= 0.01 or (drawn["f1_gain"] >= 0.02 and drawn["f1_gain_low"] > 0)
        assert gained
        assert drawn["p_value"] <= 0.05
        assert drawn["holdout_gain"] >= -0.005 or drawn["p_worse"] > 0.1
        assert drawn["rows"] >= 150


ALPHA = {
    "the first test has it all": ({}, 1, 0.05),
    "the second on the same rows has half": ({"candidates_on_rows": 1, "tested_cutoff": 500}, 2, 0.025),
    "the third has a quarter": ({"candidates_on_rows": 2, "tested_cutoff": 400}, 3, 0.0125),
    "149 new rows restore nothing": ({"candidates_on_rows": 2, "tested_cutoff": 350}, 3, 0.0125),
    "150 new rows restore it": ({"candidates_on_rows": 2, "tested_cutoff": 349}, 1, 0.05),
}


@pytest.mark.parametrize(("spent", "number", "alpha"), ALPHA.values(), ids=ALPHA.keys())
def test_alpha_is_spent_and_restored(spent, number, alpha):
    candidate = summary(label_cutoff=500, restores_alpha_from=350)
    assert next_test(but(status(), **spent), candidate, alpha=0.05) == SignificanceTest(number=number, alpha=alpha)


def test_labels_that_nothing_is_judged_on_restore_nothing():
    """Reports of strangers raise the newest label's number and are no evaluation rows."""
    spent = but(status(), candidates_on_rows=1, tested_cutoff=0)
    assert next_test(spent, summary(label_cutoff=9000, restores_alpha_from=None), alpha=0.05).number == 2


@pytest.mark.parametrize(
    ("candidate", "tested"),
    [(summary(), True), (summary(recent__p_value=0.9), True), (summary(recent=None), False)],
    ids=["promoted", "not significant", "no rows"],
)
def test_alpha_is_spent_only_by_a_test(candidate, tested):
    assert judged(candidate).tested is tested
