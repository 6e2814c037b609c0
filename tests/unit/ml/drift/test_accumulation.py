import doctest
from datetime import UTC, datetime

import pytest

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.ml.drift import accumulation, calibration, corpus, metrics
from autoretrain.ml.drift.accumulation import accumulated_score

AT = datetime(2026, 1, 1, tzinfo=UTC)


def metric(excess, name="tfidf_drift_spam"):
    return MetricDrift(name=name, raw=0.1 + excess * 0.2, median=0.1, upper=0.3, score=0.0)


def windows(*excesses, name="tfidf_drift_spam"):
    return [
        DriftReport(
            window_id=str(n),
            model_version="v1",
            started_at=AT,
            ended_at=AT,
            size=250,
            score=0.0,
            metrics=(metric(e, name),),
        )
        for n, e in enumerate(excesses)
    ]


@pytest.mark.parametrize(
    ("past", "now", "score"),
    [
        ((), 0.9, 0.0),
        ((0.0, 0.0, 0.0), 1.0, 0.06),
        ((0.7, 0.7, 0.7), 0.7, 0.168),
        ((5.0, 5.0, 5.0), 0.6, 0.216),
        ((5.0, 5.0, 5.0), 0.4, 0.0),
        ((-1.0, 0.7, 0.7), 0.7, 0.066),
        ((9.0, 0.7, 0.7, 0.7), 0.7, 0.168),
    ],
    ids=[
        "no history", "one loud window", "four weak windows", "a loud past counts as one each", "over is over",
        "quiet windows take back", "only the last three count",
    ],
)  # fmt: skip
def test_small_changes_add_up(past, now, score):
    assert accumulated_score([metric(now)], history=windows(*past)) == pytest.approx(score)


def test_metrics_add_up_each_for_itself():
    assert accumulated_score([metric(0.9)], history=windows(0.9, 0.9, name="term_drift_spam")) == 0.0


@pytest.mark.parametrize("module", [accumulation, calibration, corpus, metrics], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
