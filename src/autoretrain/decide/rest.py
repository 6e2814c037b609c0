"""What does a pass say in which nothing is to be started or ended? Why, and what a person should know.

It also keeps the world as it was decided: the champion deployed and the registry's aliases beside it, should somebody
have changed either by hand.
"""

from dataclasses import replace

from autoretrain.decide.concerns import find_concerns, standing_notices
from autoretrain.decide.guard import read_guard
from autoretrain.decide.rollout import mirror
from autoretrain.decide.schedule import read_schedule
from autoretrain.decide.step import Step
from autoretrain.decide.storm import holds
from autoretrain.decide.triggers import evaluate_triggers
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Action, Decision, Deploy, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggerMode


def miss_schedule(observation: Observation) -> Step | None:
    """Be done with a due time that came too late, or that asks for advice only."""
    status, policy = observation.status, observation.model.spec.triggers.schedule
    reading = read_schedule(policy, base=status.last_schedule_at, now=observation.now)
    if reading is None:
        return None
    if reading.missed_at is not None:
        return Step(
            decision=Decision.NO_ACTION,
            reason=Reason.SCHEDULE_MISSED,
            message=f"the run due at {reading.missed_at:%Y-%m-%d %H:%M} UTC could not start before its deadline",
            status=replace(status, last_schedule_at=reading.missed_at),
        )
    if reading.due_at is not None and policy.mode is TriggerMode.ADVISE:
        return Step(
            decision=Decision.ALERT,
            reason=Reason.ADVISE_ONLY,
            message=f"a run was due at {reading.due_at:%Y-%m-%d %H:%M} UTC; the schedule only advises",
            status=replace(status, last_schedule_at=reading.due_at),
        )
    return None


def rest(observation: Observation) -> Step:
    """Return the pass in which nothing is to be done: ALERT while a concern stands, else NO_ACTION with the reason."""
    status, concerns = observation.status, find_concerns(observation)
    actions = _kept_as_decided(observation)
    status = replace(status, notices=standing_notices(observation))
    if concerns:
        told = {notice.event for notice in observation.status.notices}
        return Step(
            decision=Decision.ALERT,
            reason=Reason(concerns[0].reason),
            message=concerns[0].message,
            status=status,
            actions=actions,
            notable=any(concern.event not in told for concern in concerns),
        )
    reason, message = _why_nothing(observation)
    return Step(
        decision=Decision.NO_ACTION, reason=reason, message=message, status=status, actions=actions, notable=False
    )


def _why_nothing(observation: Observation) -> tuple[Reason, str]:
    status, spec = observation.status, observation.model.spec
    triggers = evaluate_triggers(observation)
    for trigger in triggers:
        held = holds(observation, trigger.kind) if trigger.fired else ()
        if held:
            return held[0].reason, f"{trigger.kind} asks for a run; {held[0].check}: {held[0].message}"
    if status.active_run is not None:
        return Reason.RUN_ACTIVE, f"run {status.active_run.name} is in flight"
    if status.rollout is not None:
        return Reason.ROLLOUT_IN_PROGRESS, f"version {status.rollout.to.version} is being rolled out"
    reading = read_guard(observation)
    if reading is not None:
        return reading.reason, reading.message
    if spec.suspend:
        return Reason.SUSPENDED, "nothing asks for a run, and spec.suspend would hold it"
    unknown = [f.check for t in triggers for f in t.findings if f.verdict is Verdict.INCONCLUSIVE]
    if unknown:
        return Reason.STEADY, f"nothing asks for a run; not known: {', '.join(unknown)}"
    return Reason.STEADY, "nothing asks for a run"


def _kept_as_decided(observation: Observation) -> tuple[Action, ...]:
    """Return what puts right a served version or an alias that differs from the status."""
    status, served = observation.status, observation.served
    champion = status.champion
    if champion is None or status.rollout is not None:
        return ()
    other = served is not None and (served.version, served.digest) != (champion.version, champion.digest)
    deploy = (Deploy(model=champion),) if other else ()
    aliases = {entry.alias: entry.version for entry in observation.registry or () if entry.alias}
    known = {entry.version for entry in observation.registry or ()}
    wanted: dict[str, str | None] = {"champion": champion.version}
    if status.previous is None or status.previous.version in known:
        wanted["previous"] = status.previous.version if status.previous else None
    differs = any(aliases.get(alias) != version for alias, version in wanted.items())
    return (*deploy, *(mirror(status) if champion.version in known and differs else ()))
