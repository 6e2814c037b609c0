"""The life of a training run: started under a name that can't be taken twice, watched, and judged when it ends.

Attempts are the trainer's: a run that is FAILED has used up its attempts. The deadline covers all of them.
"""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from autoretrain.decide.concerns import standing_notices
from autoretrain.decide.promotion import Judgement, judge, next_test
from autoretrain.decide.requests import candidate_reference
from autoretrain.decide.rollout import is_overdue, mirror, promote
from autoretrain.decide.schedule import read_schedule
from autoretrain.decide.step import Step
from autoretrain.decide.storm import LEARNS_FROM_CHANGE, asked_by_person, holds
from autoretrain.decide.triggers import Trigger, evaluate_triggers
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Action, CancelTraining, Decision, StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Approval, SpamModel, TriggerMode
from autoretrain.domain.status import ActiveRun, CandidateState, Status
from autoretrain.domain.training import RunState, TrainingSummary

LEAST_APPROVAL = timedelta(days=1)
LONGEST_MESSAGE = 300


def run_name(model: SpamModel, ordinal: int) -> str:
    """Return the name of the `ordinal`-th run of this resource. Submitting it twice is submitting it once."""
    return f"{model.name}-train-{hashlib.sha256(f'{model.uid}/{ordinal}'.encode()).hexdigest()[:10]}"


def start_run(observation: Observation) -> Step | None:
    """Start a run for the first trigger that fired, may act and is not held back."""
    for trigger in evaluate_triggers(observation):
        if trigger.fired and trigger.mode is TriggerMode.ACT and not holds(observation, trigger.kind):
            return _start(observation, trigger)
    return None


def follow_run(observation: Observation) -> Step | None:
    """Judge or record the run that ended, end the one that is over its deadline, submit again the one that got lost."""
    active, seen = observation.status.active_run, observation.run
    if active is None:
        return None
    deadline = timedelta(seconds=observation.model.spec.training.active_deadline_seconds)
    if seen is None or seen.run_name != active.name:
        return _submit_again(observation, active, overdue=observation.now - active.started_at > deadline)
    if seen.state is RunState.RUNNING:
        overdue = not seen.queued and observation.now - (seen.began_at or active.started_at) > deadline
        trouble = f"; {seen.message}" if seen.message else ""
        message = f"it ran for more than {deadline.total_seconds():.0f} s{trouble}"
        return _failed(observation, active, Reason.TRAINING_DEADLINE_EXCEEDED, message) if overdue else None
    if seen.state is RunState.FAILED:
        reason = Reason.TRAINING_FAILED if seen.retriable else Reason.TRAINING_BAD_INPUT
        return _failed(observation, active, reason, seen.message)
    if seen.summary is None or seen.summary.run_name != active.name:
        return _failed(observation, active, Reason.TRAINING_FAILED, "it ended without a summary of its own")
    rollout = observation.status.rollout
    if rollout is not None and not is_overdue(rollout, now=observation.now):
        return None  # Which version is the champion to compare with is about to change.
    return _judged(observation, active, seen.summary)


def lapse_candidate(observation: Observation) -> Step | None:
    """Withdraw a candidate whose evaluation rows have aged out."""
    status, candidate = observation.status, observation.status.candidate
    if candidate is None or candidate.expires_at is None or candidate.expires_at > observation.now:
        return None
    after = replace(status, candidate=None)
    return Step(
        decision=Decision.NO_ACTION,
        reason=Reason.APPROVAL_LAPSED,
        message=f"version {candidate.summary.version} was not approved by {candidate.expires_at:%Y-%m-%d %H:%M} UTC",
        status=after,
        actions=mirror(after),
    )


def _start(observation: Observation, trigger: Trigger) -> Step:
    status, model, fired = observation.status, observation.model, trigger.fired
    if fired is None or observation.supply is None:
        raise ValueError("a run starts for a trigger that fired, on labels that were counted")
    # A status that was lost must not take the next name from the start: the run of that name has long ended.
    ordinal = max(status.run_ordinal + 1, observation.highest_ordinal)
    run = ActiveRun(
        name=run_name(model, ordinal),
        ordinal=ordinal,
        trigger=trigger.kind,
        started_at=observation.now,
        label_cutoff=observation.supply.highest_sequence,
        training_hash=model.training_hash,
        changed_at=observation.supply.changed_at if trigger.kind in LEARNS_FROM_CHANGE else None,
    )
    schedule = read_schedule(model.spec.triggers.schedule, base=status.last_schedule_at, now=observation.now)
    due = schedule.due_at if schedule else None
    by_person = asked_by_person(observation, trigger.kind)
    after = replace(
        status,
        active_run=run,
        run_ordinal=ordinal,
        run_starts=(*status.run_starts, observation.now),
        # One run answers everything that asks for one now.
        handled=replace(status.handled, retrain=model.requests.retrain),
        last_schedule_at=due or status.last_schedule_at,
        rejections=0 if by_person else status.rejections,
        breaker_open=status.breaker_open and not by_person,
        notices=standing_notices(observation),
    )
    return Step(
        decision=Decision.RETRAIN,
        reason=fired.reason,
        message=f"{fired.check}: {fired.message}; run {run.name}",
        status=after,
        actions=(StartTraining(run=run),),
    )


def _submit_again(observation: Observation, active: ActiveRun, *, overdue: bool) -> Step:
    """A run that exists takes no harm from this; one that does not (its machine was stopped) begins anew."""
    if overdue and active.attempt > observation.model.spec.training.backoff_limit:
        message = f"nothing knows of it after {active.attempt} attempts"
        return _failed(observation, active, Reason.TRAINING_DEADLINE_EXCEEDED, message)
    if overdue:
        active = replace(active, attempt=active.attempt + 1, started_at=observation.now)
    return Step(
        decision=Decision.NO_ACTION,
        reason=Reason.RUN_ACTIVE,
        message=f"run {active.name} is not to be seen and was submitted again",
        status=replace(observation.status, active_run=active),
        actions=(StartTraining(run=active),),
        notable=overdue,
    )


def _failed(observation: Observation, run: ActiveRun, reason: Reason, message: str) -> Step:
    status = replace(
        _ended(observation.status, run, reason=reason, now=observation.now),
        failures=observation.status.failures + 1,
    )
    cancel = (CancelTraining(run_name=run.name),) if reason is Reason.TRAINING_DEADLINE_EXCEEDED else ()
    return Step(
        decision=Decision.ALERT,
        reason=reason,
        message=f"run {run.name} failed: {message}"[:LONGEST_MESSAGE],
        status=status,
        actions=cancel,
    )


def _judged(observation: Observation, run: ActiveRun, summary: TrainingSummary) -> Step:
    status, spec, now = observation.status, observation.model.spec, observation.now
    test = next_test(status, summary, alpha=spec.promotion.alpha)
    verdict = judge(
        summary,
        spec=spec.promotion,
        alpha=test.alpha,
        champion_digest=status.champion.digest if status.champion else None,
        quarantined=status.quarantined,
    )
    verdict = _unless_held(observation, verdict)
    status = replace(
        _ended(status, run, reason=verdict.reason, now=now),
        failures=0,
        trained_cutoff=summary.label_cutoff,
        trained_hash=run.training_hash,
        candidate=CandidateState(
            summary=summary,
            decision=verdict.decision,
            reason=verdict.reason,
            message=verdict.message,
            decided_at=now,
            expires_at=_offered_until(observation, verdict, summary),
        ),
    )
    if verdict.tested:
        first = test.number == 1
        status = replace(
            status,
            candidates_on_rows=test.number,
            tested_cutoff=summary.label_cutoff if first else status.tested_cutoff,
        )
    message = f"candidate {summary.version}: {verdict.message}"
    if verdict.decision is Decision.PROMOTE and status.candidate is not None:
        status, deploy = promote(
            status, candidate_reference(status.candidate), reason=verdict.reason, now=now, expected=summary.expected
        )
        return _step(verdict, message, status, (deploy,))
    if verdict.decision is Decision.REJECT:
        rejections = status.rejections + 1
        opened = rejections >= spec.triggers.breaker_max_consecutive
        status = replace(status, rejections=rejections, breaker_open=status.breaker_open or opened)
        if opened:
            message += f"; {rejections} in a row were rejected, the breaker is open"
    return _step(verdict, message, status, mirror(status))


def _unless_held(observation: Observation, verdict: Judgement) -> Judgement:
    """Turn a promotion that the document leaves to a person into a proposal."""
    spec = observation.model.spec
    if verdict.decision is not Decision.PROMOTE:
        return verdict
    if spec.serving.pinned_version:
        reason, why = Reason.PINNED, f"version {spec.serving.pinned_version} is pinned"
    elif spec.suspend:
        reason, why = Reason.SUSPENDED, "spec.suspend holds promotions"
    elif spec.promotion.approval is Approval.MANUAL:
        reason, why = Reason.AWAITING_APPROVAL, "spec.promotion.approval is Manual"
    else:
        return verdict
    return replace(verdict, decision=Decision.HOLD, reason=reason, message=f"{verdict.message}; {why}")


def _offered_until(observation: Observation, verdict: Judgement, summary: TrainingSummary) -> datetime | None:
    """Return until when a held candidate may be approved: until its newest row ages out, a day at least."""
    if verdict.decision is not Decision.HOLD or verdict.reason is Reason.SAME_DIGEST:
        return None
    least = observation.now + LEAST_APPROVAL
    if summary.recent_newest_at is None:
        return least
    return max(least, summary.recent_newest_at + timedelta(seconds=observation.model.spec.monitoring.max_age_seconds))


def _ended(status: Status, run: ActiveRun, *, reason: Reason, now: datetime) -> Status:
    return replace(status, active_run=None, last_run=run, last_run_reason=reason, last_run_ended_at=now)


def _step(verdict: Judgement, message: str, status: Status, actions: tuple[Action, ...]) -> Step:
    return Step(
        decision=verdict.decision,
        reason=verdict.reason,
        message=message,
        status=status,
        actions=actions,
        findings=verdict.findings,
    )
