"""What does this pass do, and what is remembered of it? The whole loop, read from the top.

`decide` asks the chapters in order; the first that has something to do is the pass, the others come on later passes,
which follow at once. Everything it needs stands in the observation, so deciding twice gives the same plan, and a
process that was killed between two lines is resumed by the next pass. `fold` then says what is remembered.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from autoretrain.decide.adoption import adopt_champion, follow_pin
from autoretrain.decide.advice import read_advice
from autoretrain.decide.alerts import alerts_between
from autoretrain.decide.conditions import set_condition
from autoretrain.decide.guard import read_guard
from autoretrain.decide.memory import remember
from autoretrain.decide.requests import obey_requests
from autoretrain.decide.rest import miss_schedule, rest
from autoretrain.decide.rollout import follow_guard, follow_rollout
from autoretrain.decide.runs import follow_run, lapse_candidate, start_run
from autoretrain.decide.step import Step
from autoretrain.decide.storm import holds
from autoretrain.decide.triggers import evaluate_triggers
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Finding, Outcome, Plan, SetAliases
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggerMode
from autoretrain.domain.status import Status

POLL = timedelta(seconds=5)
"""How soon to look again while something is under way."""

LONGEST_MESSAGE = 300

CHAPTERS: tuple[Callable[[Observation], Step | None], ...] = (
    adopt_champion,  # What is served already, before anything is trained.
    follow_rollout,  # What was begun is completed or taken back, before anything new.
    obey_requests,  # A person goes before every rule.
    follow_pin,
    follow_guard,  # Holds while suspended, too.
    follow_run,
    lapse_candidate,
    start_run,
    miss_schedule,
)


def decide(observation: Observation) -> Plan:
    """Return what to do now and why. Pure: the same observation gives the same plan."""
    step = next((step for chapter in CHAPTERS if (step := chapter(observation)) is not None), None)
    if step is None:
        step = rest(observation)
    intent = remember(observation, step)
    model = observation.model
    return Plan(
        at=observation.now,
        decision=step.decision,
        reason=step.reason,
        message=step.message,
        findings=(*_standing_findings(observation), *step.findings),
        actions=step.actions,
        alerts=alerts_between(observation.status, intent, model_key=model.key, on=model.spec.alerts.on),
        next_check_at=_next_check_at(observation, intent, acted=step.notable),
        intent=intent,
    )


def fold(observation: Observation, plan: Plan, outcomes: Sequence[Outcome]) -> Status:
    """Return the status to write after `plan` was applied.

    If every action that matters succeeded, it is the plan's intent. Otherwise nothing has happened as far as the status
    knows, and the next pass, seeing what this one saw, plans the same again: actions may be repeated. The registry's
    aliases only mirror what is served; they must not hold anything up.
    """
    intent = plan.intent if plan.intent is not None else observation.status
    succeeded = [outcome.action for outcome in outcomes if outcome.succeeded]
    failed = [action for action in plan.actions if not isinstance(action, SetAliases) and action not in succeeded]
    if not failed:
        return intent
    said = next((outcome.message for outcome in outcomes if outcome.action == failed[0]), "it was not carried out")
    message = f"{type(failed[0]).__name__}: {said}"[:LONGEST_MESSAGE]
    return _degraded(observation, message)


def _degraded(observation: Observation, message: str) -> Status:
    status = observation.status
    condition = set_condition(
        status,
        "Degraded",
        answer=(True, Reason.ACTION_FAILED, message),
        generation=observation.model.generation,
        now=observation.now,
    )
    others = tuple(each for each in status.conditions if each.type != condition.type)
    return replace(status, conditions=(*others, condition))


def _standing_findings(observation: Observation) -> tuple[Finding, ...]:
    """Return every finding of this pass: all triggers, what holds back those that fired, advice, and the guard's."""
    triggers = evaluate_triggers(observation)
    found = [finding for trigger in triggers for finding in trigger.findings]
    for trigger in triggers:
        if trigger.fired:
            found += [hold for hold in holds(observation, trigger.kind) if hold not in found]
    if observation.model.spec.agent.mode is TriggerMode.ADVISE:
        found.append(read_advice(observation))
    reading = read_guard(observation)
    return (*found, *(reading.findings if reading else ()))


def _next_check_at(observation: Observation, intent: Status, *, acted: bool) -> datetime:
    """Return the earliest time at which something may have changed: the interval, or a deadline before it."""
    now, spec = observation.now, observation.model.spec
    if acted or intent.rollout is not None or intent.active_run is not None:
        return now + min(POLL, timedelta(seconds=spec.monitoring.interval_seconds))
    reading = read_guard(replace(observation, status=intent))
    candidate = intent.candidate
    times = (
        now + timedelta(seconds=spec.monitoring.interval_seconds),
        intent.next_retrain_allowed_at,
        intent.next_schedule_at,
        reading.ends_at if reading else None,
        candidate.expires_at if candidate else None,
    )
    return min(time for time in times if time is not None and time > now)
