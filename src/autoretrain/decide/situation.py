"""What may an adviser see of an observation, and what may it propose? Figures and words of our own, nothing else.

Findings are decided anew from the observation rather than read from a record, and every other text is checked against
our enumerations: what somebody could have written (a request's reason, a message of a trainer, a tag) has no way in.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from autoretrain.decide.advice import CHECK
from autoretrain.decide.drift import champion_windows
from autoretrain.decide.guard import GuardEnd
from autoretrain.decide.storm import holds, retrain_allowed_at, starts_within_day
from autoretrain.decide.subject import subject_of
from autoretrain.decide.transition import decide
from autoretrain.decide.triggers import TriggerKind
from autoretrain.domain.advice import (
    AdviceChoice,
    CandidateFigures,
    DecisionFigures,
    FindingFigures,
    LabelFigures,
    QualityFigures,
    Situation,
    StateFigures,
    VersionFigures,
    WindowFigures,
)
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Decision, Plan
from autoretrain.domain.reasons import Reason

LONGEST_VERSION = 9
"""Digits; a registry counts its versions."""


def build_situation(
    observation: Observation, *, situation_id: str, decisions: Sequence[Mapping[str, Any]]
) -> tuple[Situation, Decision]:
    """Return what an adviser is shown, and what the rules alone decide on the same, which it is not shown.

    `decisions` are ledger records of before, oldest first.
    """
    plan = decide(replace(observation, advice=None))
    held = holds(observation, TriggerKind.AGENT)
    no_run = (AdviceChoice.NO_ACTION, AdviceChoice.ALERT)
    situation = Situation(
        situation_id=situation_id,
        at=observation.now,
        allowed=no_run if held else (AdviceChoice.RETRAIN, *no_run),
        held_by=tuple(finding.reason.value for finding in held),
        findings=_findings(plan),
        state=_state(observation),
        drift_threshold=observation.model.spec.triggers.drift.threshold,
        windows=tuple(
            _window(report, observation) for report in champion_windows(observation) if math.isfinite(report.score)
        ),
        quality=_quality(observation),
        labels=_labels(observation),
        candidate=_candidate(observation),
        versions=_versions(observation),
        decisions=decision_figures(decisions),
    )
    return situation, plan.decision


def decision_figures(records: Iterable[Mapping[str, Any]]) -> tuple[DecisionFigures, ...]:
    """Return ledger records without their sentences; one that this release does not know the words of is left out."""
    return tuple(
        DecisionFigures(
            sequence=int(record["sequence"]),
            at=datetime.fromisoformat(record["at"]),
            decision=decision,
            reason=reason,
            version=_digits(subject_of(record)),
        )
        for record in records
        if (decision := _word(record["decision"], Decision)) and (reason := _word(record["reason"], Reason))
    )


def _findings(plan: Plan) -> tuple[FindingFigures, ...]:
    return tuple(
        FindingFigures(
            check=finding.check,
            verdict=finding.verdict.value,
            reason=finding.reason.value,
            value=_finite(finding.value),
            threshold=_finite(finding.threshold),
            comparison=finding.comparison,
        )
        for finding in plan.findings
        if finding.check != CHECK
    )


def _state(observation: Observation) -> StateFigures:
    status, spec = observation.status, observation.model.spec
    guard = status.guard
    return StateFigures(
        champion=_digits(status.champion.version) if status.champion else "",
        promoted_at=status.champion.promoted_at if status.champion else None,
        suspended=spec.suspend,
        run_active=status.active_run is not None,
        rollout_active=status.rollout is not None,
        guard=(_word(guard.ended, GuardEnd) or "Active") if guard else "",
        breaker_open=status.breaker_open,
        failures=status.failures,
        rejections=status.rejections,
        runs_today=len(starts_within_day(status, observation.now)),
        max_runs_per_day=spec.triggers.max_runs_per_day,
        retrain_allowed_at=retrain_allowed_at(status, spec.triggers),
        next_schedule_at=status.next_schedule_at,
    )


def _window(report: DriftReport, observation: Observation) -> WindowFigures:
    threshold = observation.model.spec.triggers.drift.threshold
    return WindowFigures(
        ended_at=report.ended_at,
        messages=report.size,
        score=report.score,
        accumulated=report.accumulated,
        prior_shift=report.prior_shift,
        metrics=len(report.metrics),
        metrics_above=sum(metric.score > threshold for metric in report.metrics),
    )


def _quality(observation: Observation) -> QualityFigures | None:
    live, champion = observation.performance, observation.status.champion
    if live is None or champion is None or live.model_version != champion.version:
        return None
    overall = live.overall
    return QualityFigures(
        labels=live.labels,
        matured_ratio=live.matured_ratio,
        accuracy=overall.accuracy if overall else None,
        spam_recall=overall.spam_recall if overall else None,
        f1=overall.f1 if overall else None,
        accuracy_by_window=tuple(window.accuracy.value for window in live.windows),
    )


def _labels(observation: Observation) -> LabelFigures | None:
    supply, policy = observation.supply, observation.model.spec.triggers
    if supply is None:
        return None
    return LabelFigures(
        new=supply.new_labels,
        new_spam=supply.new_spam_labels,
        needed=policy.min_new_labels,
        needed_spam=policy.min_new_spam_labels,
    )


def _candidate(observation: Observation) -> CandidateFigures | None:
    candidate = observation.status.candidate
    if candidate is None:
        return None
    return CandidateFigures(
        version=_digits(candidate.summary.version),
        decision=_word(candidate.decision, Decision),
        reason=_word(candidate.reason, Reason),
        decided_at=candidate.decided_at,
        holdout=candidate.summary.holdout,
        recent=candidate.summary.recent,
    )


def _versions(observation: Observation) -> tuple[VersionFigures, ...]:
    status = observation.status
    summary = status.candidate.summary if status.candidate else None
    known = (
        ("champion", status.champion.version, status.champion.metrics) if status.champion else None,
        ("previous", status.previous.version, status.previous.metrics) if status.previous else None,
        ("candidate", summary.version, summary.holdout_metrics) if summary else None,
    )
    return tuple(
        VersionFigures(role=role, version=_digits(version), metrics=metrics)
        for role, version, metrics in (each for each in known if each)
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _digits(version: str) -> str:
    return version if version.isascii() and version.isdigit() and len(version) <= LONGEST_VERSION else ""


def _word(text: str, words: type[StrEnum]) -> str:
    """Return `text` where it is one of `words`, else ''."""
    return next((word.value for word in words if word.value == text), "")
