"""The schedule trigger as a process: APScheduler wakes it, croniter decides when; the pass is the same as always."""

import sys
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.blocking import BlockingScheduler

from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import PassResult, run_pass
from autoretrain.domain.errors import AutoRetrainError

BUSY_SECONDS = 2.0
RETRY_SECONDS = 5.0
LONGEST_SLEEP = timedelta(hours=1)

log = structlog.get_logger("autoretrain.schedule")


def run_schedule(world: LocalWorld) -> None:
    """Make a pass whenever one is due, until a signal. A pass that comes late still sees that the schedule was due."""
    scheduler = BlockingScheduler(timezone="UTC")

    def wake() -> None:
        scheduler.add_job(
            wake,
            "date",
            run_date=pass_and_next_wake(world),
            id="pass",
            replace_existing=True,
            misfire_grace_time=None,
            coalesce=True,
        )

    scheduler.add_job(wake, "date", run_date=utc_now(), id="pass", misfire_grace_time=None)
    try:
        scheduler.start()
    finally:
        if scheduler.running:
            scheduler.shutdown(wait=False)


def pass_and_next_wake(world: LocalWorld) -> datetime:
    """Make a pass and say so; return when to make the next one. An outage is logged and waited out."""
    try:
        result = run_pass(world, utc_now())
        world.tidy_when_due(utc_now())
        wake_at = next_wake(result)
        if result.changed or not is_busy(result):
            plan = result.plan
            sys.stdout.write(
                f"{plan.at:%Y-%m-%d %H:%M:%S} UTC {plan.decision} ({plan.reason}): {plan.message};"
                f" next look at {wake_at:%Y-%m-%d %H:%M:%S} UTC\n"
            )
            sys.stdout.flush()
        return wake_at
    except AutoRetrainError as error:
        log.warning("pass failed, will be tried again", error=str(error))
        return utc_now() + timedelta(seconds=RETRY_SECONDS)


def next_wake(result: PassResult) -> datetime:
    """Return when to look next: soon while a run or rollout is under way, else when the schedule is due."""
    status, now = result.status, result.plan.at
    if is_busy(result):
        return now + timedelta(seconds=BUSY_SECONDS)
    due = status.next_schedule_at or now + LONGEST_SLEEP
    return max(now + timedelta(seconds=BUSY_SECONDS), min(due, now + LONGEST_SLEEP))


def is_busy(result: PassResult) -> bool:
    return result.status.active_run is not None or result.status.rollout is not None
