"""Since when traffic is other than what the champion knows."""

import pytest

from autoretrain.decide.change import find_change
from autoretrain.domain.spec import TriggerMode
from tests.unit.decide.builders import NOW, but, label_window, minutes, performance, spec, window

TRIGGERS = spec().triggers


def windows(*scores, **changes):
    """Windows of ten minutes, the first an hour ago."""
    return [
        but(window(number, score), started_at=NOW - minutes(60 - 10 * number), **changes)
        for number, score in enumerate(scores)
    ]


def quality(*accuracies):
    """Label windows of ten minutes, the first an hour ago."""
    found = tuple(
        but(label_window(accuracy), started_at=NOW - minutes(60 - 10 * number))
        for number, accuracy in enumerate(accuracies)
    )
    return performance(windows=found)


DRIFT_CASES = {
    "no window": ((), None),
    "nothing breaches": ((0.05, 0.12, 0.14), None),
    "the first of the breaches": ((0.05, 0.3, 0.4, 0.5), 1),
    "a dip that stays above the level at which drift ends": ((0.05, 0.3, 0.12, 0.5), 1),
    "drift that ended and began anew": ((0.3, 0.3, 0.05, 0.3), 3),
    "drift that has ended": ((0.3, 0.3, 0.05), None),
    "a rise before the first breach": ((0.05, 0.12, 0.3), 2),
    "a score that is no number ends the search": ((0.3, float("nan"), 0.3), 2),
}


@pytest.mark.parametrize(("scores", "first"), DRIFT_CASES.values(), ids=DRIFT_CASES.keys())
def test_drift_tells_of_a_change_from_its_first_breach_on(scores, first):
    expected = None if first is None else NOW - minutes(60 - 10 * first)
    assert find_change(windows(*scores), None, triggers=TRIGGERS) == expected


def test_a_shift_of_the_spam_share_alone_is_no_change():
    assert find_change(windows(0.3, 0.3, prior_shift=True), None, triggers=TRIGGERS) is None


def test_bad_quality_tells_of_a_change_from_the_first_bad_window_on():
    assert find_change((), quality(0.98, 0.8, 0.85), triggers=TRIGGERS) == NOW - minutes(50)
    assert find_change((), quality(0.8, 0.98), triggers=TRIGGERS) is None


def test_the_earlier_sign_counts():
    assert find_change(windows(0.05, 0.05, 0.3), quality(0.98, 0.8, 0.8), triggers=TRIGGERS) == NOW - minutes(50)


def test_a_disabled_trigger_tells_of_nothing():
    off = but(TRIGGERS, drift__mode=TriggerMode.DISABLED, performance__mode=TriggerMode.DISABLED)
    assert find_change(windows(0.3, 0.3), quality(0.8, 0.8), triggers=off) is None
