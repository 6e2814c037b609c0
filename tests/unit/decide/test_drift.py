"""What the drift check concludes from which windows."""

import math
from dataclasses import replace

import pytest

from autoretrain.decide.drift import read_drift
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from tests.unit.decide.builders import NOW, but, minutes, quiet, window

CASES = {
    "two quiet windows pass": ((window(1, 0.02), window(2, 0.03)), Verdict.PASSED, Reason.DRIFT_BELOW_THRESHOLD),
    "two windows above trigger": (
        (window(1, 0.2), window(2, 0.3)),
        Verdict.TRIGGERED,
        Reason.DRIFT_THRESHOLD_EXCEEDED,
    ),
    "exactly at the threshold is not above it": (
        (window(1, 0.15), window(2, 0.15)),
        Verdict.PASSED,
        Reason.DRIFT_BELOW_THRESHOLD,
    ),
    "a breach after a quiet window is not persistent": (
        (window(1, 0.02), window(2, 0.3)),
        Verdict.PASSED,
        Reason.DRIFT_NOT_PERSISTENT,
    ),
    "a breach before a quiet window is not persistent": (
        (window(1, 0.3), window(2, 0.02)),
        Verdict.PASSED,
        Reason.DRIFT_NOT_PERSISTENT,
    ),
    "only the last windows count": (
        (window(1, 0.3), window(2, 0.3), window(3, 0.02)),
        Verdict.PASSED,
        Reason.DRIFT_NOT_PERSISTENT,
    ),
    "one window seen twice counts once": (
        (window(2, 0.3), window(2, 0.3)),
        Verdict.INCONCLUSIVE,
        Reason.WINDOW_TOO_SMALL,
    ),
    "one breach of two needed is not known yet": ((window(1, 0.3),), Verdict.INCONCLUSIVE, Reason.WINDOW_TOO_SMALL),
    "one quiet window can't trigger any more": ((window(1, 0.03),), Verdict.PASSED, Reason.DRIFT_BELOW_THRESHOLD),
    "no window is inconclusive, not quiet": ((), Verdict.INCONCLUSIVE, Reason.WINDOW_TOO_SMALL),
    "windows that can't be read are inconclusive": (None, Verdict.INCONCLUSIVE, Reason.EVIDENCE_MISSING),
    "windows of another version say nothing": (
        (window(1, 0.3, model_version="2"), window(2, 0.3, model_version="2")),
        Verdict.INCONCLUSIVE,
        Reason.WINDOW_TOO_SMALL,
    ),
    "a stale last window says nothing": (
        (window(1, 0.3), window(2, 0.3, ended_at=NOW - minutes(24 * 60 + 1))),
        Verdict.INCONCLUSIVE,
        Reason.EVIDENCE_MISSING,
    ),
    "a window below minSamples says nothing": (
        (window(1, 0.3), window(2, 0.3, size=199)),
        Verdict.INCONCLUSIVE,
        Reason.WINDOW_TOO_SMALL,
    ),
    "a score that is not a number says nothing": (
        (window(1, 0.3), window(2, math.nan)),
        Verdict.INCONCLUSIVE,
        Reason.EVIDENCE_MISSING,
    ),
    "a moved spam share alone is a prior shift": (
        (window(1, 0.3, prior_shift=True), window(2, 0.3, prior_shift=True)),
        Verdict.PASSED,
        Reason.PRIOR_SHIFT,
    ),
    "a prior shift between breaches breaks the row": (
        (window(1, 0.3, prior_shift=True), window(2, 0.3)),
        Verdict.PASSED,
        Reason.DRIFT_NOT_PERSISTENT,
    ),
}


@pytest.mark.parametrize(("windows", "verdict", "reason"), CASES.values(), ids=CASES.keys())
def test_drift_finding(windows, verdict, reason):
    finding = read_drift(but(quiet(), drift=windows))
    assert (finding.verdict, finding.reason) == (verdict, reason)


def test_a_finding_carries_its_numbers():
    assert read_drift(but(quiet(), drift=(window(1, 0.2), window(2, 0.3)))) == Finding(
        check="drift",
        verdict=Verdict.TRIGGERED,
        reason=Reason.DRIFT_THRESHOLD_EXCEEDED,
        message="2 windows in a row are above the threshold, the last is w2",
        value=0.3,
        threshold=0.15,
        comparison=">",
    )


def test_an_inconclusive_finding_says_what_is_missing():
    assert read_drift(but(quiet(), drift=())) == Finding(
        check="drift",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.WINDOW_TOO_SMALL,
        message="no complete window of this champion yet; 37 of 500 messages are in the first",
    )


def test_without_a_champion_there_is_nothing_to_measure():
    assert read_drift(but(quiet(), status__champion=None)).reason is Reason.EVIDENCE_MISSING


def test_more_windows_can_be_asked_for():
    observation = but(quiet(), model__spec__triggers__drift__consecutive_breaches=3)
    three = (window(1, 0.2), window(2, 0.2), window(3, 0.2))
    assert read_drift(replace(observation, drift=three[:2])).verdict is Verdict.INCONCLUSIVE
    assert read_drift(replace(observation, drift=three)).verdict is Verdict.TRIGGERED
