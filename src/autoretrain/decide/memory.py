"""What does every pass remember, whatever it decided? Figures, bases and conditions, so that nothing is kept elsewhere.

A steady pass remembers what was known already: its status equals the one it read and is not written.
"""

import math
from dataclasses import replace

from autoretrain.decide.conditions import derive_conditions
from autoretrain.decide.drift import champion_windows, count_breaches
from autoretrain.decide.rollout import watch
from autoretrain.decide.schedule import read_schedule
from autoretrain.decide.step import Step
from autoretrain.decide.storm import retrain_allowed_at, starts_within_day
from autoretrain.domain.observation import Observation, Performance
from autoretrain.domain.status import DriftStatus, HistoryEntry, ModelRef, PerformanceStatus, Status

MAX_HISTORY = 10


def remember(observation: Observation, step: Step) -> Status:
    """Return the status that holds when every action of `step` has succeeded."""
    now, model = observation.now, observation.model
    status = _with_schedule(observation, step.status)
    known_hash = status.trained_hash or (model.training_hash if status.champion else "")
    allowed_at = retrain_allowed_at(status, model.spec.triggers)
    status = replace(
        status,
        observed_generation=model.generation,
        # The base of an adopted champion is the spec it was first seen with: adopting is no reason to train.
        trained_hash=known_hash,
        run_starts=starts_within_day(status, now),
        next_retrain_allowed_at=allowed_at if allowed_at and allowed_at > now else None,
        rollout=watch(status.rollout, now=now) if status.rollout else None,
        drift=_drift(observation, status),
        performance=_performance(observation, status),
    )
    if step.notable:
        entry = HistoryEntry(at=now, decision=step.decision, reason=step.reason, message=step.message)
        status = replace(status, history=(*status.history, entry)[-MAX_HISTORY:])
    performance = observation.performance
    if observation.status.champion is None and status.champion is not None:
        performance = _nothing_labelled(status.champion)
    return replace(status, conditions=derive_conditions(replace(observation, status=status, performance=performance)))


def _nothing_labelled(champion: ModelRef) -> Performance:
    """The audit evidence of a champion that this pass made the first: there is none yet, rather than unreadable."""
    return Performance(
        model_version=champion.version, labels=0, overall=None, windows=(), precision=None, matured_ratio=0.0
    )


def _with_schedule(observation: Observation, status: Status) -> Status:
    """First sight of a schedule sets its base without a run; without a schedule there is none."""
    trigger = observation.model.spec.triggers.schedule
    reading = read_schedule(trigger, base=status.last_schedule_at, now=observation.now)
    if reading is None:
        return replace(status, last_schedule_at=None, next_schedule_at=None)
    base = status.last_schedule_at or observation.now
    return replace(status, last_schedule_at=base, next_schedule_at=reading.due_at or reading.next_at)


def _drift(observation: Observation, status: Status) -> DriftStatus | None:
    """Return the newest window's figures; while there is none to read, the last known of this champion."""
    policy = observation.model.spec.triggers.drift
    windows = champion_windows(replace(observation, status=status))[-policy.consecutive_breaches :]
    if not windows or not math.isfinite(windows[-1].score):
        return status.drift
    newest = windows[-1]
    seen_at = observation.now
    if status.drift is not None and status.drift.window_id == newest.window_id:
        seen_at = status.drift.checked_at
    return DriftStatus(
        score=newest.score,
        threshold=policy.threshold,
        window_id=newest.window_id,
        window_size=newest.size,
        breaches=count_breaches(windows, threshold=policy.threshold),
        per_metric=tuple((metric.name, metric.score) for metric in newest.metrics if math.isfinite(metric.score)),
        checked_at=seen_at,
    )


def _performance(observation: Observation, status: Status) -> PerformanceStatus | None:
    performance, champion = observation.performance, status.champion
    if performance is None or champion is None or performance.model_version != champion.version:
        return status.performance
    overall = performance.overall
    if overall is None:
        return status.performance
    recall, f1 = (estimate.value if estimate else None for estimate in (overall.spam_recall, overall.f1))
    if not all(math.isfinite(figure) for figure in (overall.accuracy.value, recall, f1) if figure is not None):
        return status.performance
    return PerformanceStatus(accuracy=overall.accuracy.value, spam_recall=recall, f1=f1, labels=performance.labels)
