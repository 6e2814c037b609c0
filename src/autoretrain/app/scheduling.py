"""The schedule trigger as a process: APScheduler wakes it, croniter decides when; the pass is the same as always."""

from datetime import datetime, timedelta

from apscheduler.schedulers.blocking import BlockingScheduler

from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import PassResult, run_pass

BUSY_SECONDS = 2.0
LONGEST_SLEEP = timedelta(hours=1)


def run_schedule(world: LocalWorld) -> None:
    """Make a pass whenever one is due, until a signal. A pass that comes late still sees that the schedule was due."""
    scheduler = BlockingScheduler(timezone="UTC")

    def wake() -> None:
        result = run_pass(world, utc_now())
        scheduler.add_job(
            wake,
            "date",
            run_date=next_wake(result),
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


def next_wake(result: PassResult) -> datetime:
    """Return when to look next: soon while a run or rollout is under way, else when the schedule is due."""
    status, now = result.status, result.plan.at
    if status.active_run is not None or status.rollout is not None:
        return now + timedelta(seconds=BUSY_SECONDS)
    due = status.next_schedule_at or now + LONGEST_SLEEP
    return max(now + timedelta(seconds=BUSY_SECONDS), min(due, now + LONGEST_SLEEP))
