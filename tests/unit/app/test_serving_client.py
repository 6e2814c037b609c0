"""The live counters are read by version, and a quantile is none where there is too little to go by."""

import pytest

from autoretrain.app.serving_client import LiveFigures, parse_figures, quantile

TEXT = """\
# TYPE autoretrain_prediction_duration_seconds histogram
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="0.001"} 90
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="0.002"} 190
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="+Inf"} 200
# TYPE autoretrain_prediction_errors counter
autoretrain_prediction_errors_total{spammodel="default.sms",model_version="v2"} 4
"""


def test_requests_errors_and_p95_are_read_by_version():
    assert parse_figures(TEXT) == {"2": LiveFigures(requests=200, errors=4, p95_seconds=pytest.approx(0.002))}


def test_a_quantile_of_few_observations_is_none():
    assert quantile([(0.1, 5), (float("inf"), 9)], 0.95) is None


def test_a_quantile_beyond_the_last_bucket_is_its_lower_edge():
    assert quantile([(0.1, 10), (float("inf"), 200)], 0.95) == 0.1


def test_an_interpolated_quantile_lies_within_its_bucket():
    assert quantile([(1.0, 0), (2.0, 1000), (float("inf"), 1000)], 0.5) == pytest.approx(1.5)
