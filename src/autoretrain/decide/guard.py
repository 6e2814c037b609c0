"""Does the fresh champion behave as promised? Live figures against what its training run expected, and fixed limits.

A limit is breached when the whole interval of a figure lies beyond it, so that few messages convict nobody. The guard
passes only on evidence: too few messages extend it up to `maxDurationSeconds`, and then it ends Unproven.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import GuardEvidence, LabelWindow, Observation
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import SpamModelSpec
from autoretrain.domain.status import GuardState, Status
from autoretrain.domain.training import ExpectedLive

LEAST_REQUESTS = 50
"""Figures without an interval (errors, latency, score shift) say nothing on fewer requests than this."""

MAX_GOLDEN_HAM_FLAGGED = 0.10
"""No model that flags one in ten of known ham is fit to serve, whatever it promised about itself."""


class GuardEnd(StrEnum):
    PASSED = "Passed"
    UNPROVEN = "Unproven"
    BREACHED = "Breached"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReading:
    """`end` is None while the guard goes on; `ends_at` is when it may end next."""

    end: GuardEnd | None
    reason: Reason
    message: str
    findings: tuple[Finding, ...]
    ends_at: datetime


def is_active(status: Status) -> bool:
    """Is the present champion under guard? A rollout has its own watch; the guard begins when it is complete."""
    guard, champion = status.guard, status.champion
    return bool(guard and champion and not guard.ended and guard.version == champion.version and status.rollout is None)


def read_guard(observation: Observation) -> GuardReading | None:
    """Return what the guard says now; None where nothing is guarded."""
    guard, spec = observation.status.guard, observation.model.spec
    if guard is None or not is_active(observation.status):
        return None
    evidence = observation.guard
    if evidence is not None and evidence.model_version != guard.version:
        evidence = None
    findings = judge_evidence(evidence, guard=guard, spec=spec)
    breach = next((finding for finding in findings if finding.verdict is Verdict.TRIGGERED), None)
    earliest = guard.started_at + timedelta(seconds=spec.guard.duration_seconds)
    latest = guard.started_at + timedelta(seconds=max(spec.guard.max_duration_seconds, spec.guard.duration_seconds))
    if breach is not None:
        message = f"version {guard.version}: {breach.check} {breach.message}"
        return GuardReading(
            end=GuardEnd.BREACHED, reason=breach.reason, message=message, findings=findings, ends_at=observation.now
        )
    end, reason, ends_at = None, Reason.GUARD_ACTIVE, earliest
    message = f"version {guard.version} is watched until {earliest:%Y-%m-%d %H:%M:%S} UTC"
    messages = evidence.messages if evidence is not None else 0
    if observation.now >= earliest:
        if _seen_enough(evidence, needed=spec.guard.min_messages):
            end, reason = GuardEnd.PASSED, Reason.GUARD_PASSED
            message = f"version {guard.version} kept every limit over {messages} messages"
            if _nothing_foreseen(observation.status, guard) and not _quality_known(evidence):
                end, reason = GuardEnd.UNPROVEN, Reason.GUARD_UNPROVEN
                message += "; what it should do was never measured, since it was promoted round the comparison, and"
                message += " no audit label tells how it does; the previous version is kept"
        elif observation.now >= latest:
            end, reason = GuardEnd.UNPROVEN, Reason.GUARD_UNPROVEN
            needed = f"{messages} of the {spec.guard.min_messages} messages needed"
            message = f"version {guard.version} could not be proven good: {needed}; the previous version is kept"
        else:
            reason, ends_at = Reason.GUARD_EXTENDED, latest
            message = f"version {guard.version} has too few messages; it is watched until {latest:%Y-%m-%d %H:%M} UTC"
    return GuardReading(end=end, reason=reason, message=message, findings=findings, ends_at=ends_at)


def _seen_enough(evidence: GuardEvidence | None, *, needed: int) -> bool:
    return evidence is not None and evidence.messages >= needed and _measured(evidence.spam_share)


def _nothing_foreseen(status: Status, guard: GuardState) -> bool:
    """A model that lets all spam through keeps every limit that needs no promise. A first model has none to make."""
    return guard.expected is None and status.previous is not None


def _quality_known(evidence: GuardEvidence | None) -> bool:
    return evidence is not None and evidence.audit is not None and _measured(evidence.audit.accuracy)


def judge_evidence(evidence: GuardEvidence | None, *, guard: GuardState, spec: SpamModelSpec) -> tuple[Finding, ...]:
    """Return one finding a limit. What could not be measured is inconclusive."""
    seen = evidence or GuardEvidence(model_version=guard.version, messages=0)
    limits, expected = spec.guard, guard.expected
    enough = (seen.requests if seen.requests is not None else seen.messages) >= LEAST_REQUESTS
    expected_disagreement = None if expected is None else expected.disagreement + limits.max_disagreement_delta
    return (
        _above("spam share", seen.spam_share, limit=limits.max_spam_share, reason=Reason.SPAM_SHARE_TOO_HIGH),
        _unexpected_share(seen.spam_share, expected=expected, delta=limits.max_spam_share_delta),
        _above("disagreement", seen.disagreement, limit=expected_disagreement, reason=Reason.DISAGREEMENT_UNEXPECTED),
        _plain(
            "score shift",
            seen.score_shift if expected is not None and seen.messages >= LEAST_REQUESTS else None,
            limit=limits.max_score_shift,
            reason=Reason.SCORES_UNEXPECTED,
        ),
        _golden_ham(seen, increase=spec.promotion.max_ham_false_positive_increase),
        _plain(
            "error ratio",
            seen.error_ratio if enough else None,
            limit=limits.max_error_ratio,
            reason=Reason.ERRORS_TOO_MANY,
        ),
        _plain(
            "latency ratio",
            seen.latency_ratio if enough else None,
            limit=limits.max_latency_ratio,
            reason=Reason.LATENCY_TOO_HIGH,
        ),
        *_audit(seen, spec=spec),
    )


def _measured(estimate: Estimate | None) -> bool:
    return estimate is not None and all(map(math.isfinite, (estimate.value, estimate.low, estimate.high)))


def _above(check: str, estimate: Estimate | None, *, limit: float | None, reason: Reason) -> Finding:
    """Breached when even the lower end of the interval is above `limit`."""
    if estimate is None or limit is None or not _measured(estimate):
        return _unmeasured(check, limit=limit)
    return _finding(
        check,
        breached=estimate.low > limit,
        reason=reason,
        value=estimate.value,
        limit=limit,
        message=f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], limit {limit:.3f}",
    )


def _plain(check: str, value: float | None, *, limit: float, reason: Reason) -> Finding:
    if value is None or not math.isfinite(value):
        return _unmeasured(check, limit=limit)
    message = f"{value:.3f}, limit {limit:.3f}"
    return _finding(check, breached=value > limit, reason=reason, value=value, limit=limit, message=message)


def _unexpected_share(estimate: Estimate | None, *, expected: ExpectedLive | None, delta: float) -> Finding:
    """Breached when the whole interval is further than `delta` from the share that the candidate itself predicted."""
    check = "spam share shift"
    if estimate is None or expected is None or not _measured(estimate):
        return _unmeasured(check, limit=delta)
    beyond = max(estimate.low - expected.spam_share, expected.spam_share - estimate.high)
    return _finding(
        check,
        breached=beyond > delta,
        reason=Reason.SPAM_SHARE_UNEXPECTED,
        value=abs(estimate.value - expected.spam_share),
        limit=delta,
        message=f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], expected {expected.spam_share:.3f}",
    )


def _golden_ham(seen: GuardEvidence, *, increase: float) -> Finding:
    """The share may neither grow against training time nor be absurd in itself."""
    limit = MAX_GOLDEN_HAM_FLAGGED
    if seen.golden_ham_expected is not None and math.isfinite(seen.golden_ham_expected):
        limit = min(limit, seen.golden_ham_expected + increase)
    return _plain("golden ham flagged", seen.golden_ham_flagged, limit=limit, reason=Reason.GOLDEN_HAM_FLAGGED)


def _audit(seen: GuardEvidence, *, spec: SpamModelSpec) -> tuple[Finding, ...]:
    floors = spec.triggers.performance
    return (
        _audited("guard accuracy", seen, floor=floors.min_accuracy, of=lambda window: window.accuracy),
        _audited("guard spam recall", seen, floor=floors.min_spam_recall, of=lambda window: window.spam_recall),
    )


def _audited(check: str, seen: GuardEvidence, *, floor: float, of: Callable[[LabelWindow], Estimate | None]) -> Finding:
    """Breached when even the upper end of the interval is under the floor, unless `previous` did no better.

    A promotion in the midst of a change may well be under the floor and still be the best there is; going back would
    only make it worse. The floor goes on asking for a run.
    """
    estimate = of(seen.audit) if seen.audit else None
    before = of(seen.audit_previous) if seen.audit_previous else None
    if estimate is None or not _measured(estimate):
        message = "no audit labels since the promotion"
        if seen.audit is not None:
            message = f"none of the {seen.audit.labels} audit labels since the promotion is spam"
        return Finding(
            check=check,
            verdict=Verdict.INCONCLUSIVE,
            reason=Reason.NO_AUDIT_LABELS,
            message=message,
            threshold=floor,
            comparison="<",
        )
    breached = estimate.high < floor
    message = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], floor {floor:.3f}"
    if before is not None and before.value <= estimate.value:
        message += f"; the previous version would have {before.value:.3f} on the same messages"
        breached = False
    return Finding(
        check=check,
        verdict=Verdict.TRIGGERED if breached else Verdict.PASSED,
        reason=Reason.AUDIT_QUALITY_LOW if breached else Reason.WITHIN_LIMITS,
        message=message,
        value=estimate.value,
        threshold=floor,
        comparison="<",
    )


def _finding(check: str, *, breached: bool, reason: Reason, value: float, limit: float, message: str) -> Finding:
    return Finding(
        check=check,
        verdict=Verdict.TRIGGERED if breached else Verdict.PASSED,
        reason=reason if breached else Reason.WITHIN_LIMITS,
        message=message,
        value=value,
        threshold=limit,
    )


def _unmeasured(check: str, *, limit: float | None) -> Finding:
    return Finding(
        check=check,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.EVIDENCE_MISSING,
        message="not measured, or on too few messages",
        threshold=limit,
    )
