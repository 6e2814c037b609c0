"""Schedules mean here what they mean to a CronJob."""

import pytest

from autoretrain.adapters.cron import MACROS, cron_problem, zone_problem


@pytest.mark.parametrize(
    "expression",
    [
        *sorted(MACROS),
        "0 3 * * 1",
        "*/5 0-6,12 1,15 jan-mar MON",
        "0  3 * * 0-6",
        "0 0 29 2 1",
        "0 0 ? * 5",
        "7/20 * * * *",
    ],
)
def test_accepts_what_a_cronjob_accepts(expression):
    assert cron_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 3 * *", "has 4 fields; five are needed"),
        ("0 0 3 * * 1", "has 6 fields; five are needed"),
        ("@Weekly", "has 1 fields"),
        ("@every 1h", "has 2 fields"),
        ("TZ=UTC 0 3 * * 1", "has 6 fields"),
        ("0 3 * * 7", "weekdays go from 0 (Sunday) to 6"),
        ("0 3 * * 1-7", "weekdays go from 0 (Sunday) to 6"),
        ("0 3 L * *", "only digits, names such as MON and JAN"),
        ("0 3 1W * *", "only digits, names such as MON and JAN"),
        ("0 3 * * 5#2", "only digits, names such as MON and JAN"),
        ("0 3 * * monday", "only digits, names such as MON and JAN"),
        ("H 3 * * *", "only digits, names such as MON and JAN"),
        ("50-10 * * * *", "the range 50-10 runs backwards; write two ranges"),
        ("0 3 * dec-jan *", "the range dec-jan runs backwards"),
        ("0 3 31 2 *", "that date never comes"),
        ("60 3 * * *", "is not a schedule"),
        ("*/0 3 * * *", "is not a schedule"),
        ("0 3 1,,2 * *", "is not a schedule"),
    ],
)
def test_refuses_what_a_cronjob_refuses_or_never_runs(expression, says):
    assert says in (cron_problem(expression) or "")


@pytest.mark.parametrize("name", ["Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_knows_time_zones(name):
    assert zone_problem(name) is None


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Local", "America", "../etc/passwd", "", "\x00"])
def test_refuses_what_is_no_time_zone(name):
    assert f'no time zone is called "{name}"' in (zone_problem(name) or "")
