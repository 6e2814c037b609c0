"""What should a person know, though nothing is done about it? These standing facts make a pass an ALERT.

A concern is told once, when it begins; it stands in the status as a notice until the evidence says that it is over.
"""

from autoretrain.decide.adoption import pin_problem
from autoretrain.decide.requests import promotion_token
from autoretrain.decide.storm import holds
from autoretrain.decide.triggers import Trigger, TriggerKind, evaluate_triggers
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggerMode
from autoretrain.domain.status import Notice

MEASURED = {TriggerKind.DRIFT: "DriftDetected", TriggerKind.PERFORMANCE: "PerformanceLow"}
"""The event that a measured trigger is told under."""

NOT_NOW = frozenset({Reason.SUSPENDED, Reason.RUN_ACTIVE, Reason.ROLLOUT_IN_PROGRESS, Reason.GUARD_ACTIVE})
"""While these hold, asking for labels would be too early."""


def find_concerns(observation: Observation) -> tuple[Notice, ...]:
    """Return the concerns of now, at most one an event, the most urgent first."""
    triggers = {trigger.kind: trigger for trigger in evaluate_triggers(observation)}
    found = (
        _pin(observation),
        _waiting_request(observation, triggers[TriggerKind.MANUAL]),
        *(_no_new_data(observation, triggers[kind]) for kind in (TriggerKind.PERFORMANCE, TriggerKind.DRIFT)),
        _low_performance(triggers[TriggerKind.PERFORMANCE]),
        _prior_shift(triggers[TriggerKind.DRIFT]),
        _advised_drift(triggers[TriggerKind.DRIFT]),
    )
    by_event: dict[str, Notice] = {}
    for notice in found:
        if notice is not None:
            by_event.setdefault(notice.event, notice)
    return tuple(by_event.values())


def standing_notices(observation: Observation) -> tuple[Notice, ...]:
    """Return the notices to remember: an old one keeps its first words, and stays while nothing can be measured."""
    found = {notice.event: notice for notice in find_concerns(observation)}
    old = {notice.event: notice for notice in observation.status.notices}
    unknown = _inconclusive_events(evaluate_triggers(observation))
    kept = {event: notice for event, notice in old.items() if event in found or event in unknown}
    return tuple({**kept, **{event: notice for event, notice in found.items() if event not in kept}}.values())


def _inconclusive_events(triggers: tuple[Trigger, ...]) -> set[str]:
    """Return the events whose evidence says neither yes nor no. New labels are asked for as long as drift may stand."""
    events = {
        MEASURED[trigger.kind]
        for trigger in triggers
        if trigger.kind in MEASURED and all(f.verdict is Verdict.INCONCLUSIVE for f in trigger.findings)
    }
    return events | {"NoNewData"} if "DriftDetected" in events else events


def _pin(observation: Observation) -> Notice | None:
    problem = pin_problem(observation)
    return Notice(event="Held", reason=problem[0], message=problem[1]) if problem else None


def _waiting_request(observation: Observation, manual: Trigger) -> Notice | None:
    """A person who asked should hear why nothing happens."""
    requests, status = observation.model.requests, observation.status
    if requests.promote_version and promotion_token(observation) != status.handled.promote:
        message = f"version {requests.promote_version} waits for the registry, which could not be read"
        return Notice(event="Held", reason=Reason.EVIDENCE_MISSING, message=message)
    held = holds(observation, manual.kind) if manual.fired else ()
    if not held:
        return None
    message = f"the requested run waits: {held[0].check}, {held[0].message}"
    return Notice(event="Held", reason=held[0].reason, message=message)


def _no_new_data(observation: Observation, trigger: Trigger) -> Notice | None:
    if not trigger.fired or trigger.mode is not TriggerMode.ACT:
        return None
    held = {finding.reason: finding for finding in holds(observation, trigger.kind)}
    if Reason.NO_NEW_DATA not in held or held.keys() & NOT_NOW:
        return None
    message = f"{trigger.fired.check}: {held[Reason.NO_NEW_DATA].message}"
    return Notice(event="NoNewData", reason=Reason.NO_NEW_DATA, message=message)


def _low_performance(performance: Trigger) -> Notice | None:
    uncertain = (f for f in performance.findings if f.reason is Reason.PERFORMANCE_UNCERTAIN)
    low = performance.fired or next(uncertain, None)
    if low is None:
        return None
    advised = performance.fired is not None and performance.mode is TriggerMode.ADVISE
    return Notice(event="PerformanceLow", reason=Reason.ADVISE_ONLY if advised else low.reason, message=_described(low))


def _prior_shift(drift: Trigger) -> Notice | None:
    shifted = next((finding for finding in drift.findings if finding.reason is Reason.PRIOR_SHIFT), None)
    return Notice(event="DriftDetected", reason=Reason.PRIOR_SHIFT, message=shifted.message) if shifted else None


def _advised_drift(drift: Trigger) -> Notice | None:
    if not drift.fired or drift.mode is not TriggerMode.ADVISE:
        return None
    return Notice(event="DriftDetected", reason=Reason.ADVISE_ONLY, message=_described(drift.fired))


def _described(finding: Finding) -> str:
    value = f"{finding.value:.3f}" if finding.value is not None else "unknown"
    limit = f"{finding.threshold:.3f}" if finding.threshold is not None else "unknown"
    return f"{finding.check} {value} {finding.comparison} {limit}: {finding.message}"
