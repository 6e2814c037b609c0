"""Quiet hours are read as people write them, and cover the night by the clock of their zone."""

from datetime import UTC, datetime

import pytest

from autoretrain.adapters.alert_hours import QuietHours
from autoretrain.domain.errors import AutoRetrainError


@pytest.mark.parametrize(
    ("written", "moment", "covered"),
    [
        ("22:00-07:00", "2026-03-02 21:59:59", False),
        ("22:00-07:00", "2026-03-02 22:00:00", True),
        ("22:00-07:00", "2026-03-03 06:59:59", True),
        ("22:00-07:00", "2026-03-03 07:00:00", False),
        ("12:30-13:00", "2026-03-02 12:45:00", True),
        ("12:30-13:00", "2026-03-02 23:00:00", False),
        ("22:00-07:00 Europe/Berlin", "2026-03-02 21:30:00", True),
        ("22:00-07:00 Europe/Berlin", "2026-03-02 06:30:00", False),
        # The clock goes forward on 29 March: seven o'clock comes an hour earlier.
        ("22:00-07:00 Europe/Berlin", "2026-03-28 05:30:00", True),
        ("22:00-07:00 Europe/Berlin", "2026-03-29 05:30:00", False),
    ],
)
def test_a_moment_is_covered_or_not(written, moment, covered):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert QuietHours.parse(written).cover(at) is covered


@pytest.mark.parametrize(
    "written", ["22-7", "22:00-25:00", "22:00-07:00 Mars/Base", "22:00-07:00 ../etc", "x", "29:00-07:00"]
)
def test_what_is_no_time_is_refused_with_an_example(written):
    with pytest.raises(AutoRetrainError, match="they are not written as 22:00-07:00 Europe/Berlin"):
        QuietHours.parse(written)


def test_hours_that_begin_and_end_at_once_are_refused():
    with pytest.raises(AutoRetrainError, match="begin and end at once"):
        QuietHours.parse("07:00-07:00")
