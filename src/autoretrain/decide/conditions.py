"""What do the conditions say? Each is derived from status and evidence; the transition time moves only on a flip.

Ready is normal-true and is about serving alone: evidence, drift and training never clear it. Reconciling and Stalled
are there only while they are true, as kstatus wants them; AgentAvailable where an adviser is asked. Messages carry no
count that changes by itself, so that a steady pass leaves the status as it was.
"""

from datetime import datetime

from autoretrain.decide.adoption import pin_problem
from autoretrain.decide.advice import agent_available
from autoretrain.decide.drift import champion_windows, read_drift
from autoretrain.decide.guard import GuardEnd
from autoretrain.decide.rollout import is_overdue, is_served
from autoretrain.decide.storm import holds
from autoretrain.decide.triggers import evaluate_triggers
from autoretrain.domain.errors import Problem
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Condition, Status

Answer = tuple[bool | None, Reason | str, str]
"""Status (None: unknown), reason, message."""


def derive_conditions(observation: Observation) -> tuple[Condition, ...]:
    """Return the conditions that hold for `observation.status`, whose own conditions are those of before."""
    answers: dict[str, Answer | None] = {
        "Ready": _ready(observation),
        "Reconciling": _reconciling(observation),
        "Stalled": _stalled(observation),
        "MetricsAvailable": _metrics_available(observation),
        "DriftDetected": _drift_detected(observation),
        "Retraining": _retraining(observation),
        "ServingAvailable": _serving_available(observation),
        "Degraded": _degraded(observation),
        "AgentAvailable": agent_available(observation),
    }
    return tuple(
        set_condition(
            observation.status, kind, answer=answer, generation=observation.model.generation, now=observation.now
        )
        for kind, answer in answers.items()
        if answer is not None
    )


def find_condition(status: Status, kind: str) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == kind), None)


def set_condition(status: Status, kind: str, *, answer: Answer, generation: int, now: datetime) -> Condition:
    """Return the condition with `answer`; it keeps its transition time unless True, False or Unknown changed."""
    old = find_condition(status, kind)
    value, reason, message = answer
    flipped = old is None or old.status is not value
    return Condition(
        type=kind,
        status=value,
        reason=str(reason),
        message=message,
        observed_generation=generation,
        last_transition_at=now if flipped or old is None else old.last_transition_at,
    )


def _ready(observation: Observation) -> Answer:
    status, served = observation.status, observation.served
    if status.rollout is not None:
        return False, Reason.ROLLOUT_IN_PROGRESS, f"version {status.rollout.to.version} is being rolled out"
    if status.champion is None:
        return False, Reason.NO_CHAMPION, "there is no champion to serve"
    if served is None:
        return None, Reason.EVIDENCE_MISSING, "serving does not answer"
    if not is_served(served, status.champion):
        return False, Reason.SERVING_UNAVAILABLE, f"version {status.champion.version} is not served everywhere"
    return True, Reason.CHAMPION_SERVED, f"version {status.champion.version} is served"


def _reconciling(observation: Observation) -> Answer | None:
    rollout = observation.status.rollout
    if rollout is None:
        return None
    return True, Reason.ROLLOUT_IN_PROGRESS, f"version {rollout.to.version} is being rolled out"


def _stalled(observation: Observation) -> Answer | None:
    """What only a changed document, or new data, can get out of."""
    if observation.document_problems:
        return invalid_spec(observation.document_problems, holds="the last good document holds")
    status = observation.status
    problem = pin_problem(observation)
    if problem is not None:
        return True, *problem
    refused = status.last_run_reason == Reason.TRAINING_BAD_INPUT and status.active_run is None
    if refused and status.last_run and status.last_run.training_hash == observation.model.training_hash:
        return True, Reason.TRAINING_BAD_INPUT, f"run {status.last_run.name} refused its data or spec"
    return None


def invalid_spec(problems: tuple[Problem, ...], *, holds: str) -> Answer:
    """What Stalled says of a document that can't be followed; `holds` is what is done meanwhile."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return True, Reason.INVALID_SPEC, f"{problems[0]}{more}; {holds}"


def _metrics_available(observation: Observation) -> Answer:
    """Could everything be read that a decision may rest on, and is there a window to conclude from?"""
    unread = [
        name
        for name, value in (
            ("drift windows", observation.drift),
            ("audit labels", observation.performance),
            ("label counts", observation.supply),
            ("serving", observation.served),
        )
        if value is None
    ]
    drift = read_drift(observation)
    if observation.status.champion is None:
        return None, Reason.NO_CHAMPION, "there is no champion to measure"
    if unread:
        return False, Reason.EVIDENCE_MISSING, f"not readable: {', '.join(unread)}"
    if drift.verdict is Verdict.INCONCLUSIVE and drift.reason is Reason.WINDOW_TOO_SMALL:
        return False, Reason.WINDOW_TOO_SMALL, "too few complete windows of this champion to conclude from"
    if drift.verdict is Verdict.INCONCLUSIVE:
        return False, drift.reason, drift.message
    return True, Reason.MEASURED, "drift windows, labels and serving were read"


def _drift_detected(observation: Observation) -> Answer:
    """Enters above the threshold, leaves under `clearThreshold`, and stays as it was in between."""
    policy = observation.model.spec.triggers.drift
    finding, windows = read_drift(observation), champion_windows(observation)
    old = find_condition(observation.status, "DriftDetected")
    if finding.verdict is Verdict.TRIGGERED:
        count = f"{policy.consecutive_breaches} windows in a row above {policy.threshold:.2f}"
        return True, finding.reason, count
    measured = observation.status.drift is not None
    if finding.verdict is Verdict.INCONCLUSIVE:
        if old is not None and measured:
            return old.status, old.reason, old.message
        return None, finding.reason, "no drift score of this champion yet"
    if old is not None and old.status and measured:
        newest = windows[-1]
        if newest.score >= policy.clear_threshold and not newest.prior_shift:
            return True, old.reason, old.message
    return False, finding.reason, f"not {policy.consecutive_breaches} windows in a row above {policy.threshold:.2f}"


def _retraining(observation: Observation) -> Answer:
    """Is a run in flight? If not although one is wanted: what holds it back."""
    run = observation.status.active_run
    if run is not None:
        return True, Reason.RUN_ACTIVE, f"run {run.name}, trigger {run.trigger}"
    for trigger in evaluate_triggers(observation):
        held = holds(observation, trigger.kind) if trigger.fired else ()
        if held:
            return False, held[0].reason, f"{trigger.kind} asks for a run; held by {held[0].check}"
    return False, Reason.STEADY, "no run is in flight"


def _serving_available(observation: Observation) -> Answer:
    served = observation.served
    if served is None:
        return None, Reason.EVIDENCE_MISSING, "serving does not answer"
    if served.version is None or not served.ready:
        return False, Reason.SERVING_UNAVAILABLE, "serving is not ready on every replica"
    return True, Reason.CHAMPION_SERVED, f"version {served.version} answers"


def _degraded(observation: Observation) -> Answer:
    """The worst that stands: what serves may be bad, then what trains, then what is proposed."""
    status, guard = observation.status, observation.status.guard
    if guard is not None and guard.ended == GuardEnd.BREACHED:
        return True, guard.reason, guard.message
    if status.rollout is not None and is_overdue(status.rollout, now=observation.now):
        return True, Reason.ROLLOUT_TIMED_OUT, f"version {status.rollout.to.version} does not become ready"
    if status.breaker_open:
        return True, Reason.BREAKER_OPEN, f"{status.rejections} candidates in a row were rejected"
    if status.failures:
        return True, status.last_run_reason, _failures(status)
    return False, Reason.STEADY, "nothing stands in the way"


def _failures(status: Status) -> str:
    """How many runs failed, and what the last one died of while the history still tells."""
    last = status.last_run.name if status.last_run else "the last run"
    why = [
        entry.message for entry in status.history if entry.reason == status.last_run_reason and last in entry.message
    ]
    count = f"{status.failures} runs in a row" if status.failures > 1 else "one run"
    return f"{count} failed: {why[-1]}" if why else f"{count} failed, the last was {last}"
