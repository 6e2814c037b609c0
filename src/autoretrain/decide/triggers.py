"""Which reasons for a run hold now? One small function a trigger, all of them evaluated, in their order of precedence.

A trigger says only that a run is wanted; `storm` says whether one may start.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from autoretrain.decide.advice import read_advice
from autoretrain.decide.drift import read_drift
from autoretrain.decide.performance import read_performance
from autoretrain.decide.schedule import read_schedule
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Decision, Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggerMode


class TriggerKind(StrEnum):
    MANUAL = "manual"
    NO_CHAMPION = "no-champion"
    SPEC_CHANGED = "spec-changed"
    PERFORMANCE = "performance"
    DRIFT = "drift"
    SCHEDULE = "schedule"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    kind: TriggerKind
    mode: TriggerMode
    findings: tuple[Finding, ...]

    @property
    def fired(self) -> Finding | None:
        """The first finding that asks for a run."""
        return next((finding for finding in self.findings if finding.verdict is Verdict.TRIGGERED), None)


def evaluate_triggers(observation: Observation) -> tuple[Trigger, ...]:
    """Return every trigger; of those that may act, the first names the run.

    What a person asked for comes first, then what is missing, then what was measured; a schedule needs no evidence and
    comes after these. An adviser is a trigger only where it may act, and names a run only where nothing else does.
    """
    policy, agent = observation.model.spec.triggers, observation.model.spec.agent
    act = TriggerMode.ACT
    advised = (Trigger(kind=TriggerKind.AGENT, mode=act, findings=(read_advice(observation),)),)
    return (
        Trigger(kind=TriggerKind.MANUAL, mode=act, findings=(manual(observation),)),
        Trigger(kind=TriggerKind.NO_CHAMPION, mode=act, findings=(no_champion(observation),)),
        Trigger(kind=TriggerKind.SPEC_CHANGED, mode=act, findings=(spec_changed(observation),)),
        _with_mode(TriggerKind.PERFORMANCE, policy.performance.mode, read_performance(observation)),
        _with_mode(TriggerKind.DRIFT, policy.drift.mode, (read_drift(observation),)),
        Trigger(kind=TriggerKind.SCHEDULE, mode=policy.schedule.mode, findings=(schedule(observation),)),
        *(advised if agent.mode is act else ()),
    )


def manual(observation: Observation) -> Finding:
    """Was a run asked for by hand, by a token that was not acted on yet?"""
    requests = observation.model.requests
    pending = bool(requests.retrain) and requests.retrain != observation.status.handled.retrain
    return Finding(
        check="manual",
        verdict=Verdict.TRIGGERED if pending else Verdict.PASSED,
        reason=Reason.MANUAL_REQUEST if pending else Reason.NO_REQUEST,
        message=asked_by(observation) if pending else "no run was asked for",
    )


def no_champion(observation: Observation) -> Finding:
    """Is there nothing to serve, nothing to adopt and nothing on its way?"""
    status, check = observation.status, "champion"
    if status.champion is not None:
        message = f"version {status.champion.version} is the champion"
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.CHAMPION_SERVED, message=message)
    if status.rollout is not None:
        message = f"version {status.rollout.to.version} is being rolled out"
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.ROLLOUT_IN_PROGRESS, message=message)
    if status.candidate is not None and status.candidate.decision == Decision.HOLD:
        message = f"version {status.candidate.summary.version} waits for an approval"
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.AWAITING_APPROVAL, message=message)
    pinned = observation.model.spec.serving.pinned_version
    if pinned:
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.PINNED, message=f"version {pinned} is pinned")
    if observation.registry is None:
        # A champion may be registered that nobody can read just now: training would overwrite it unseen.
        message = "whether a champion is registered could not be read"
        return Finding(check=check, verdict=Verdict.INCONCLUSIVE, reason=Reason.EVIDENCE_MISSING, message=message)
    return Finding(
        check=check,
        verdict=Verdict.TRIGGERED,
        reason=Reason.NO_CHAMPION,
        message="no model is served or registered as champion",
    )


def spec_changed(observation: Observation) -> Finding:
    """Does the training spec differ from that of the last run that gave a model? First sight sets the base."""
    known, wanted = observation.status.trained_hash, observation.model.training_hash
    changed = bool(known) and known != wanted
    return Finding(
        check="training spec",
        verdict=Verdict.TRIGGERED if changed else Verdict.PASSED,
        reason=Reason.SPEC_CHANGED if changed else Reason.SPEC_UNCHANGED,
        message="what a run depends on was changed" if changed else "as in the last run",
    )


def schedule(observation: Observation) -> Finding:
    policy, check = observation.model.spec.triggers.schedule, "schedule"
    reading = read_schedule(policy, base=observation.status.last_schedule_at, now=observation.now)
    if reading is None:
        message = "nothing is scheduled"
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.TRIGGER_DISABLED, message=message)
    if reading.due_at is not None:
        message = f"due since {reading.due_at:%Y-%m-%d %H:%M} UTC ({policy.cron}, {policy.time_zone})"
        return Finding(check=check, verdict=Verdict.TRIGGERED, reason=Reason.SCHEDULE_DUE, message=message)
    if reading.missed_at is not None:
        deadline = f"the starting deadline of {policy.starting_deadline_seconds} s has passed"
        message = f"was due at {reading.missed_at:%Y-%m-%d %H:%M} UTC; {deadline}"
        return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.SCHEDULE_MISSED, message=message)
    message = f"next at {reading.next_at:%Y-%m-%d %H:%M} UTC"
    return Finding(check=check, verdict=Verdict.PASSED, reason=Reason.SCHEDULE_NOT_DUE, message=message)


def asked_by(observation: Observation) -> str:
    """Return who asked for something and why, as far as they said."""
    requests = observation.model.requests
    who = f"asked for by {requests.actor}" if requests.actor else "asked for by hand"
    return f"{who}: {requests.reason}" if requests.reason else who


def _with_mode(kind: TriggerKind, mode: TriggerMode, findings: tuple[Finding, ...]) -> Trigger:
    if mode is TriggerMode.DISABLED:
        findings = tuple(
            replace(finding, verdict=Verdict.PASSED, reason=Reason.TRIGGER_DISABLED, message="the trigger is disabled")
            for finding in findings
        )
    return Trigger(kind=kind, mode=mode, findings=findings)
