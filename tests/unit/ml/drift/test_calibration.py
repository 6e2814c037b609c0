import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoretrain.ml.drift.calibration import FALSE_ALARMS, Floor, calibrated, floors_of

unit = st.floats(0.0, 1.0)


@given(first=unit, second=unit, median=st.floats(0.0, 0.4), width=st.floats(0.001, 0.5))
def test_the_score_rises_with_the_metric_and_stays_in_the_unit_interval(first, second, median, width):
    low, high = sorted((first, second))
    scores = [calibrated(raw, median=median, upper=median + width, largest=1.0) for raw in (low, high)]
    assert 0.0 <= scores[0] <= scores[1] <= 1.0


def test_the_threshold_stands_at_the_upper_quantile():
    assert calibrated(0.3, median=0.1, upper=0.3, largest=1.0) == pytest.approx(0.15)
    assert calibrated(0.300001, median=0.1, upper=0.3, largest=1.0) > 0.15


def test_floors_are_interpolated_over_the_square_root_of_the_size_and_kept_beyond_the_ends():
    floor = Floor((25, 100), (0.0, 0.0), (0.4, 0.2))
    assert floor.at(25) == (0.0, 0.4)
    assert floor.at(400 / 9) == pytest.approx((0.0, 0.3))  # 1/sqrt is 0.15, half-way between 0.2 and 0.1
    assert (floor.at(5), floor.at(1000)) == ((0.0, 0.4), (0.0, 0.2))


def test_the_upper_quantile_is_exceeded_about_as_seldom_as_all_metrics_together_may():
    rng = np.random.default_rng(0)
    fresh = rng.normal(size=1_000_000)
    floors = [floors_of({100: {"score_drift": rng.normal(size=2000)}}, metrics=5)["score_drift"] for _ in range(20)]
    exceeded = np.mean([(fresh > floor.uppers[0]).mean() for floor in floors])
    assert FALSE_ALARMS / 10 / 4 < exceeded <= FALSE_ALARMS / 10


def test_where_all_resamplings_agree_half_a_message_is_the_least_that_counts():
    floor = floors_of({50: {"vocabulary_drift": np.zeros(2000)}}, metrics=5)["vocabulary_drift"]
    assert floor == Floor((50,), (0.0,), (0.01,))


def test_a_floor_survives_json():
    floor = Floor((10, 20), (0.1, 0.2), (0.3, 0.4))
    assert Floor.from_json(floor.as_json()) == floor
