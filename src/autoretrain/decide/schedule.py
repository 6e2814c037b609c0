"""When is the schedule due? As a CronJob means it: time zone, starting deadline, at most one catch-up.

croniter does the arithmetic. Only the latest due time after the base counts, so a controller that was away for a week
starts one run, not seven; and a due time that is older than the starting deadline is missed, not made up for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import croniter

from autoretrain.domain.spec import ScheduleTrigger, TriggerMode

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReading:
    """`due_at` is a due time that may still start a run, `missed_at` one that came too late; at most one is set."""

    due_at: datetime | None
    missed_at: datetime | None
    next_at: datetime


# One pass asks several times for the same answer, and cron arithmetic is most of its cost.
@lru_cache(maxsize=16)
def read_schedule(trigger: ScheduleTrigger, *, base: datetime | None, now: datetime) -> ScheduleReading | None:
    """Compare the schedule with `base`, the last due time that was dealt with; None where nothing is scheduled.

    Without a base the schedule is seen for the first time: only due times from now on count.
    """
    if trigger.mode is TriggerMode.DISABLED or not trigger.cron:
        return None
    local = now.astimezone(ZoneInfo(trigger.time_zone))
    # get_prev is strictly before its start: an instant later makes a time that is due exactly now count.
    latest = croniter(trigger.cron, local + INSTANT).get_prev(datetime).astimezone(UTC)
    upcoming = croniter(trigger.cron, local).get_next(datetime).astimezone(UTC)
    if base is None or latest <= base:
        return ScheduleReading(due_at=None, missed_at=None, next_at=upcoming)
    if now - latest > timedelta(seconds=trigger.starting_deadline_seconds):
        return ScheduleReading(due_at=None, missed_at=latest, next_at=upcoming)
    return ScheduleReading(due_at=latest, missed_at=None, next_at=upcoming)
