"""Evidence says what a user would feel, and nothing where nothing was measured."""

import pytest

from autoretrain.app.evidence import FELT_SECONDS, felt_seconds
from autoretrain.app.serving_client import LiveFigures


def figures(p95):
    return LiveFigures(requests=1000, errors=0, p95_seconds=p95)


def test_a_latency_that_nobody_feels_counts_as_the_least_that_one_does():
    assert felt_seconds(figures(0.0004)) == felt_seconds(figures(0.002)) == FELT_SECONDS


def test_a_slow_model_is_seen_as_slow():
    assert felt_seconds(figures(0.2)) / felt_seconds(figures(0.01)) == pytest.approx(8.0)


@pytest.mark.parametrize("nothing", [None, figures(None)], ids=["no figures", "too few requests"])
def test_what_was_not_measured_is_no_evidence(nothing):
    assert felt_seconds(nothing) is None
