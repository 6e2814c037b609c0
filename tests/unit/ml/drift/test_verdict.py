import pytest

from autoretrain.domain.drift import MetricDrift
from autoretrain.ml.drift.verdict import WindowVerdict, judge


def metrics(score):
    return [MetricDrift(name="tfidf_drift", raw=0.0, median=0.0, upper=1.0, score=score)]


@pytest.mark.parametrize(
    ("classes", "suspects", "whole", "moved", "score", "prior_shift"),
    [
        (0.05, 0.04, 0.06, 0.02, 0.06, False),
        (0.30, 0.04, 0.06, 0.02, 0.30, False),
        (0.05, 0.20, 0.06, 0.02, 0.20, False),
        (0.05, 0.04, 0.25, 0.02, 0.25, False),
        (0.05, 0.20, 0.25, 0.40, 0.05, True),
        (0.30, 0.20, 0.25, 0.40, 0.30, False),
        (0.05, 0.04, 0.25, 0.10, 0.05, True),
        (0.05, 0.20, 0.25, 0.10, 0.25, False),
        (0.05, 0.04, 0.06, 0.10, 0.06, False),
    ],
    ids=[
        "all is quiet",
        "a class drifts",
        "the suspects drift",
        "only the whole drifts",
        "the share moved and the classes are quiet",
        "the share moved and a class drifts",
        "a share half-way up explains the whole",
        "a share half-way up does not explain the suspects",
        "a share half-way up is nothing by itself",
    ],
)
def test_the_class_mix_is_told_from_drift(classes, suspects, whole, moved, score, prior_shift):
    found = judge(classes=metrics(classes), suspects=metrics(suspects), whole=metrics(whole), moved=moved, history=[])
    assert found == WindowVerdict(score=score, accumulated=0.0, prior_shift=prior_shift)


def test_a_window_too_small_for_any_view_is_quiet():
    found = judge(classes=[], suspects=[], whole=[], moved=0.0, history=[])
    assert found == WindowVerdict(score=0.0, accumulated=0.0, prior_shift=False)
