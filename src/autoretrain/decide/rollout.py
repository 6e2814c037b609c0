"""How the served version changes: begin a rollout, see it complete, go back where it does not become ready.

`status.champion` changes only when serving itself says that the wanted version and digest are ready. Until then going
back means serving the champion again.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from autoretrain.decide.guard import GuardEnd, read_guard
from autoretrain.decide.step import Step
from autoretrain.domain.observation import Observation, Served
from autoretrain.domain.plan import Decision, Deploy, SetAliases
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import GuardState, ModelRef, Rollout, Status
from autoretrain.domain.training import ExpectedLive

ABOUT_CHAMPION = frozenset({"DriftDetected", "PerformanceLow", "NoNewData"})
"""Events of notices that rest on what a champion did with live traffic; they end with it."""

READY_WITHIN_SECONDS = 300.0
LONGEST_UNWATCHED_SECONDS = 30.0
"""A longer gap between two passes counts as this: nobody can say what serving did while no pass looked."""

WATCH_STEP_SECONDS = 10.0
"""The watched time is written this often, not on every pass."""

MAX_QUARANTINED = 50


def is_served(served: Served | None, model: ModelRef) -> bool:
    return served is not None and served.ready and (served.version, served.digest) == (model.version, model.digest)


def waited_seconds(rollout: Rollout, *, now: datetime) -> float:
    """Return for how long passes have watched this rollout."""
    unwatched = (now - (rollout.seen_at or rollout.started_at)).total_seconds()
    return rollout.waited_seconds + min(max(unwatched, 0.0), LONGEST_UNWATCHED_SECONDS)


def is_overdue(rollout: Rollout, *, now: datetime) -> bool:
    return waited_seconds(rollout, now=now) >= READY_WITHIN_SECONDS


def watch(rollout: Rollout, *, now: datetime) -> Rollout:
    """Return the rollout with the time watched so far; an overdue one is left alone."""
    seen = rollout.seen_at or rollout.started_at
    if abs(now - seen) < timedelta(seconds=WATCH_STEP_SECONDS) or rollout.waited_seconds >= READY_WITHIN_SECONDS:
        return rollout
    return replace(rollout, waited_seconds=waited_seconds(rollout, now=now), seen_at=now)


def promote(
    status: Status, to: ModelRef, *, reason: Reason, now: datetime, expected: ExpectedLive | None
) -> tuple[Status, Deploy]:
    """Begin to serve `to`; it becomes the champion, under guard, once it is served."""
    rollout = Rollout(
        from_version=status.champion.version if status.champion else None,
        to=to,
        started_at=now,
        rollback=False,
        reason=reason,
        expected=expected,
    )
    return replace(status, rollout=rollout), Deploy(model=to)


def mirror(status: Status) -> tuple[SetAliases, ...]:
    """Return what lets the registry show `status`. Without a champion the registry is left alone: it may know one."""
    if status.champion is None:
        return ()
    waiting = status.candidate if status.candidate and status.candidate.decision == Decision.HOLD else None
    candidate = waiting.summary.version if waiting else None
    return (SetAliases(champion=status.champion, candidate=candidate, previous=status.previous),)


def follow_rollout(observation: Observation) -> Step | None:
    """Complete the rollout once serving has the version; go back from one that does not become ready in time."""
    status, rollout = observation.status, observation.status.rollout
    if rollout is None:
        return None
    if is_served(observation.served, rollout.to):
        return _complete(status, rollout, now=observation.now)
    champion = status.champion
    can_go_back = champion is not None and champion.digest not in status.quarantined and not rollout.rollback
    if can_go_back and is_overdue(rollout, now=observation.now):
        message = f"version {rollout.to.version} was not ready after {READY_WITHIN_SECONDS:.0f} s"
        return roll_back(observation, reason=Reason.ROLLOUT_TIMED_OUT, message=message)
    return None


def follow_guard(observation: Observation) -> Step | None:
    """End the guard where it is decided; None while it goes on."""
    guard, reading = observation.status.guard, read_guard(observation)
    if guard is None or reading is None or reading.end is None:
        return None
    if reading.end is GuardEnd.BREACHED:
        return roll_back(observation, reason=reading.reason, message=reading.message)
    ended = replace(guard, ended=reading.end, reason=reading.reason, message=reading.message)
    return Step(
        decision=Decision.NO_ACTION,
        reason=reading.reason,
        message=reading.message,
        status=replace(observation.status, guard=ended),
    )


def _complete(status: Status, rollout: Rollout, *, now: datetime) -> Step:
    # It may have answered since the rollout began; what it answered before a pass saw it served is about it too.
    champion = replace(rollout.to, promoted_at=rollout.started_at)
    after = replace(
        status,
        champion=champion,
        previous=_previous(status, champion),
        rollout=None,
        candidate=None,
        drift=None,
        performance=None,
        notices=tuple(notice for notice in status.notices if notice.event not in ABOUT_CHAMPION),
    )
    message = f"version {champion.version} is served again"
    if not rollout.rollback:
        message = f"version {champion.version} is served"
        after = replace(
            after,
            guard=GuardState(version=champion.version, started_at=now, expected=rollout.expected),
            rejections=0,
            breaker_open=False,
            candidates_on_rows=0,
            tested_cutoff=0,
        )
    if status.champion is not None and status.champion.version != champion.version:
        message += f" in place of version {status.champion.version}"
    return Step(
        decision=Decision.NO_ACTION,
        reason=Reason.ROLLOUT_COMPLETE,
        message=message,
        status=after,
        actions=mirror(after),
    )


def _previous(status: Status, champion: ModelRef) -> ModelRef | None:
    """Return what to go back to from `champion`: the newest version that has stood its guard."""
    guard, old = status.guard, status.champion
    still_guarded = guard is not None and old is not None and guard.version == old.version and not guard.ended
    preferred = (status.previous, old) if still_guarded else (old, status.previous)
    good = [ref for ref in preferred if ref and ref.digest != champion.digest and ref.digest not in status.quarantined]
    return good[0] if good else None


def roll_back(observation: Observation, *, reason: Reason, message: str) -> Step:
    """Put back what was served before and quarantine what is served now, or is on its way."""
    status, now = observation.status, observation.now
    bad, target = status.champion, status.previous
    if status.rollout is not None and not status.rollout.rollback:
        bad, target = status.rollout.to, status.champion
    breach = None
    if bad is not None and reason is not Reason.ROLLBACK_REQUESTED:
        breach = GuardState(
            version=bad.version, started_at=now, expected=None, ended=GuardEnd.BREACHED, reason=reason, message=message
        )
    if bad is None or target is None or target.digest in status.quarantined:
        return _nothing_to_roll_back_to(status, breach, message=message)
    rollout = Rollout(from_version=bad.version, to=target, started_at=now, rollback=True, reason=reason)
    others = tuple(digest for digest in status.quarantined if digest != bad.digest)
    after = replace(
        status,
        rollout=rollout,
        guard=breach,
        candidate=None,
        quarantined=(*others, bad.digest)[-MAX_QUARANTINED:],
    )
    return Step(
        decision=Decision.ROLLBACK,
        reason=reason,
        message=f"{message}; going back from version {bad.version} to version {target.version}",
        status=after,
        actions=(Deploy(model=target),),
    )


def _nothing_to_roll_back_to(status: Status, breach: GuardState | None, *, message: str) -> Step:
    """Say so. A breach stands; a guard over a version that somebody only asked to leave goes on."""
    reason = Reason.NOTHING_TO_ROLL_BACK_TO
    message = f"{message}; there is no good previous version to go back to"
    guard = status.guard if breach is None else replace(breach, reason=reason, message=message)
    return Step(
        decision=Decision.ALERT,
        reason=reason,
        message=message,
        status=replace(status, guard=guard),
    )
