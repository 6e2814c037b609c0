"""The schedule means what a CronJob's means."""

from datetime import UTC, datetime

import pytest

from autoretrain.decide.schedule import ScheduleReading, read_schedule
from autoretrain.domain.spec import TriggerMode
from tests.unit.decide.builders import but, spec

WEEKLY = but(spec().triggers.schedule, mode=TriggerMode.ACT)


def at(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


MONDAY, NEXT_MONDAY, LAST_MONDAY = at(9, 3), at(16, 3), at(2, 3)


def reading(*, due=None, missed=None, following=NEXT_MONDAY) -> ScheduleReading:
    return ScheduleReading(due_at=due, missed_at=missed, next_at=following)


CASES = {
    "first sight waits for the next time": (None, at(9, 3, 5), reading()),
    "before the time nothing is due": (LAST_MONDAY, at(9, 2, 59), reading(following=MONDAY)),
    "on the second it is due": (LAST_MONDAY, MONDAY, reading(due=MONDAY)),
    "until the starting deadline it is due": (LAST_MONDAY, at(9, 4), reading(due=MONDAY)),
    "after the starting deadline it is missed": (LAST_MONDAY, at(9, 4, 1), reading(missed=MONDAY)),
    "a time that was dealt with is not due again": (MONDAY, at(9, 3, 30), reading()),
    "weeks away are caught up by one run at most": (at(2, 3, month=2), at(9, 3, 30), reading(due=MONDAY)),
    "a clock set back makes nothing due": (NEXT_MONDAY, at(9, 3, 30), reading()),
}


@pytest.mark.parametrize(("base", "now", "wanted"), CASES.values(), ids=CASES.keys())
def test_weekly_schedule(base, now, wanted):
    assert read_schedule(WEEKLY, base=base, now=now) == wanted


def test_the_time_zone_is_that_of_the_document():
    berlin = but(WEEKLY, time_zone="Europe/Berlin")
    assert read_schedule(berlin, base=LAST_MONDAY, now=at(9, 2)) == reading(due=at(9, 2), following=at(16, 2))


def test_summer_time_moves_the_schedule_in_utc():
    berlin = but(WEEKLY, time_zone="Europe/Berlin", cron="0 3 * * *")
    assert read_schedule(berlin, base=at(28, 12), now=at(30, 0)) == reading(missed=at(29, 1), following=at(30, 1))


def test_macros_work():
    weekly = but(WEEKLY, cron="@weekly")
    assert read_schedule(weekly, base=at(7, 0), now=at(8, 0)) == reading(due=at(8, 0), following=at(15, 0))


@pytest.mark.parametrize(
    "off", [but(WEEKLY, mode=TriggerMode.DISABLED), but(WEEKLY, cron="")], ids=["disabled", "none"]
)
def test_nothing_is_scheduled(off):
    assert read_schedule(off, base=None, now=MONDAY) is None
