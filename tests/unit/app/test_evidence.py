"""A latency counts as somebody feels it, and not at all where it was not measured."""

import pytest

from autoretrain.adapters.live_figures import FELT_SECONDS, LiveFigures, latency_ratio


def figures(p95):
    return LiveFigures(requests=1000, errors=0, p95_seconds=p95)


def test_a_latency_that_nobody_feels_counts_as_the_least_that_one_does():
    assert figures(0.0004).felt_seconds == figures(0.002).felt_seconds == FELT_SECONDS
    assert latency_ratio(figures(0.02), figures(0.0001)) == 1.0


def test_a_slow_model_is_seen_as_slow():
    assert latency_ratio(figures(0.2), figures(0.01)) == pytest.approx(8.0)


@pytest.mark.parametrize("nothing", [None, figures(None)], ids=["no figures", "too few requests"])
def test_what_was_not_measured_is_no_evidence(nothing):
    assert latency_ratio(nothing, figures(0.1)) is None
    assert latency_ratio(figures(0.1), nothing) is None
