"""What keeps a wanted run from starting? Every rule that holds it back, each as a finding.

A metric above its threshold is level-triggered: it asks for a run on every pass. These rules make one run of it. A
person who asks by hand, or changes the training spec, is not a storm: the cooldown, the back-off, the breaker, the
guard and the demand for new labels do not hold for them. One run at a time, the daily budget, a rollout, `suspend` and
a registered model that is somebody else's hold for everybody. A scheduled run counts against the budget and waits for
the cooldown, like any other. An adviser is held back by all of it; the day's last run is not its to spend, and its word
counts only beside figures that were measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoretrain.decide.drift import read_drift
from autoretrain.decide.guard import is_active
from autoretrain.decide.performance import read_performance
from autoretrain.decide.rollout import is_overdue
from autoretrain.decide.triggers import TriggerKind
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggersSpec
from autoretrain.domain.status import Status

DAY = timedelta(days=1)
LEAST_BACKOFF = timedelta(seconds=60)
LONGEST_BACKOFF = DAY
LEARNS_FROM_CHANGE = frozenset({TriggerKind.DRIFT, TriggerKind.PERFORMANCE, TriggerKind.AGENT})
"""What these triggers saw must be in the labels, or a run can't learn it."""

Rule = Callable[[Observation, TriggerKind], Finding | None]


def holds(observation: Observation, kind: TriggerKind) -> tuple[Finding, ...]:
    """Return what holds back a run that `kind` asks for, the most fundamental first; empty where it may start."""
    return tuple(finding for rule in _RULES if (finding := rule(observation, kind)) is not None)


def asked_by_person(observation: Observation, kind: TriggerKind) -> bool:
    """Did somebody act since the last run? A spec that failed already is not asked for anew on every pass."""
    last = observation.status.last_run
    if kind is TriggerKind.SPEC_CHANGED:
        return last is None or last.training_hash != observation.model.training_hash
    return kind is TriggerKind.MANUAL


def retrain_allowed_at(status: Status, triggers: TriggersSpec) -> datetime | None:
    """Return when cooldown or back-off ends; None where no run has ended yet. Back-off doubles with each failure."""
    if status.last_run_ended_at is None:
        return None
    delay = timedelta(seconds=triggers.cooldown_seconds)
    if status.failures:
        # Bounding the exponent keeps the number small; the longest back-off is reached far earlier.
        doubled = max(delay, LEAST_BACKOFF) * 2 ** min(status.failures - 1, 20)
        delay = max(delay, min(doubled, LONGEST_BACKOFF))
    return status.last_run_ended_at + delay


def starts_within_day(status: Status, now: datetime) -> tuple[datetime, ...]:
    """Return the starts that count against the budget. A start after `now` (the clock was set back) counts too."""
    return tuple(start for start in status.run_starts if abs(now - start) < DAY)


def _suspended(observation: Observation, _kind: TriggerKind) -> Finding | None:
    if not observation.model.spec.suspend:
        return None
    return _hold("suspend", Reason.SUSPENDED, "spec.suspend holds every trigger")


def _registry(observation: Observation, kind: TriggerKind) -> Finding | None:
    """A run registers its version and moves the candidate's alias, so it must be known whose they are."""
    owner, status = observation.registry_owner, observation.status
    if owner:
        return _hold("registry", Reason.REGISTRY_OWNED, f"the registered model belongs to {owner}")
    if owner is None:
        return _hold("registry", Reason.EVIDENCE_MISSING, "whose the registered model is could not be read")
    unread = observation.registry is None and status.champion is None and status.rollout is None
    if unread and kind is not TriggerKind.MANUAL:
        return _hold("registry", Reason.EVIDENCE_MISSING, "whether a champion is registered could not be read")
    return None


def _run_active(observation: Observation, _kind: TriggerKind) -> Finding | None:
    run = observation.status.active_run
    return _hold("active run", Reason.RUN_ACTIVE, f"{run.name} is in flight") if run else None


def _rollout(observation: Observation, _kind: TriggerKind) -> Finding | None:
    """A rollout that never becomes ready must not lock the way out of it, which may be another run."""
    rollout = observation.status.rollout
    if rollout is None or is_overdue(rollout, now=observation.now):
        return None
    return _hold("rollout", Reason.ROLLOUT_IN_PROGRESS, f"version {rollout.to.version} is being rolled out")


def _guard(observation: Observation, kind: TriggerKind) -> Finding | None:
    """While it is open whether the champion stays, a comparison with it may be worth nothing."""
    if asked_by_person(observation, kind) or not is_active(observation.status):
        return None
    return _hold("guard", Reason.GUARD_ACTIVE, "the champion is still under its guard")


def _breaker(observation: Observation, kind: TriggerKind) -> Finding | None:
    status = observation.status
    if not status.breaker_open or asked_by_person(observation, kind):
        return None
    message = f"{status.rejections} candidates in a row were rejected; retrain by hand or change spec.training"
    return _hold("breaker", Reason.BREAKER_OPEN, message)


def _cooldown(observation: Observation, kind: TriggerKind) -> Finding | None:
    status, now = observation.status, observation.now
    until = retrain_allowed_at(status, observation.model.spec.triggers)
    ended = status.last_run_ended_at
    if until is None or ended is None or asked_by_person(observation, kind):
        return None
    # The distance, not the difference: a clock that was set back far must not stretch the cooldown to match.
    if abs(now - ended) >= until - ended:
        return None
    when = f"until {until:%Y-%m-%d %H:%M:%S} UTC"
    if status.failures:
        return _hold("back-off", Reason.BACKOFF_ACTIVE, f"{when}, after {status.failures} failed runs")
    return _hold("cooldown", Reason.COOLDOWN_ACTIVE, when)


def _budget(observation: Observation, kind: TriggerKind) -> Finding | None:
    allowed = observation.model.spec.triggers.max_runs_per_day
    starts = starts_within_day(observation.status, observation.now)
    if kind is TriggerKind.AGENT and len(starts) == allowed - 1:
        return _hold("budget", Reason.BUDGET_SPENT, "the last run of a day's budget is kept for the rules")
    if len(starts) < allowed:
        return None
    again = f"the next is free at {min(starts) + DAY:%Y-%m-%d %H:%M:%S} UTC"
    return _hold("budget", Reason.BUDGET_SPENT, f"{len(starts)} of {allowed} runs started within a day; {again}")


def _unmeasured(observation: Observation, kind: TriggerKind) -> Finding | None:
    """An adviser had figures before it, but they may have gone since."""
    if kind is not TriggerKind.AGENT:
        return None
    findings = (read_drift(observation), *read_performance(observation))
    if any(finding.verdict is not Verdict.INCONCLUSIVE for finding in findings):
        return None
    return _hold("evidence", Reason.EVIDENCE_MISSING, "neither drift nor live quality is known")


def _bad_input(observation: Observation, kind: TriggerKind) -> Finding | None:
    """The same data and spec fail again: wait until either has changed."""
    status, last = observation.status, observation.status.last_run
    if status.last_run_reason != Reason.TRAINING_BAD_INPUT or last is None or asked_by_person(observation, kind):
        return None
    supply = observation.supply
    if supply is not None and supply.highest_sequence != last.label_cutoff:
        return None
    message = f"{last.name} refused its data or spec; change either, or retrain by hand once the data is mended"
    return _hold("training input", Reason.TRAINING_BAD_INPUT, message)


def _labels(observation: Observation, kind: TriggerKind) -> Finding | None:
    """A run freezes its rows by the labels that exist; drift and bad quality need new ones, to learn something new."""
    supply, policy = observation.supply, observation.model.spec.triggers
    if supply is None:
        return _hold("new labels", Reason.EVIDENCE_MISSING, "the labels could not be counted")
    if kind not in LEARNS_FROM_CHANGE:
        return None
    new = _Need(
        labels=supply.new_labels,
        spam=supply.new_spam_labels,
        needed=policy.min_new_labels,
        needed_spam=policy.min_new_spam_labels,
        since="the last run",
    )
    if supply.changed_at is None:
        return new.hold()
    promotion = observation.model.spec.promotion
    since_change = _Need(
        labels=supply.labels_since_change,
        spam=supply.spam_labels_since_change,
        needed=promotion.min_evaluation_rows + policy.min_new_labels,
        needed_spam=promotion.min_evaluation_spam + policy.min_new_spam_labels,
        since=f"messages changed at {supply.changed_at:%Y-%m-%d %H:%M} UTC, to learn from and to be judged on",
    )
    return since_change.hold() or new.hold()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """Labels, and spam among them, that there are and that there must be."""

    labels: int
    spam: int
    needed: int
    needed_spam: int
    since: str

    def hold(self) -> Finding | None:
        missing, missing_spam = max(0, self.needed - self.labels), max(0, self.needed_spam - self.spam)
        if not missing and not missing_spam:
            return None
        of_them = f", at least {missing_spam} of them spam" if missing_spam else ""
        message = (
            f"{self.labels} of {self.needed} new labels and {self.spam} of {self.needed_spam} of spam since "
            f"{self.since}; label {max(missing, missing_spam)} recent messages{of_them}"
        )
        return _hold("new labels", Reason.NO_NEW_DATA, message)


_RULES: tuple[Rule, ...] = (
    _suspended,
    _registry,
    _run_active,
    _rollout,
    _guard,
    _breaker,
    _cooldown,
    _budget,
    _unmeasured,
    _bad_input,
    _labels,
)


def _hold(check: str, reason: Reason, message: str) -> Finding:
    return Finding(check=check, verdict=Verdict.TRIGGERED, reason=reason, message=message)
