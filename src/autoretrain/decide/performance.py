"""Is the champion's live quality under a floor? One finding a floor, from audit labels only.

Under a floor for certain: the upper end of the 95 % interval is below it, or the point estimates of two disjoint label
windows are. A point estimate alone is worth telling (`PerformanceUncertain`), not worth a run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import LabelWindow, Observation, Performance
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import PerformanceTrigger

DISJOINT_WINDOWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Floor:
    check: str
    floor: float
    reason: Reason
    of: Callable[[LabelWindow], Estimate | None]

    def is_above(self, window: LabelWindow) -> bool:
        """Whether the point estimate of `window` is under the floor. What was not measured is not."""
        estimate = self.of(window)
        return estimate is not None and estimate.value < self.floor


def _floors(policy: PerformanceTrigger) -> list[_Floor]:
    floors = [
        _Floor(
            check="accuracy", floor=policy.min_accuracy, reason=Reason.ACCURACY_BELOW_FLOOR, of=lambda w: w.accuracy
        ),
        _Floor(
            check="spam recall",
            floor=policy.min_spam_recall,
            reason=Reason.SPAM_RECALL_BELOW_FLOOR,
            of=lambda w: w.spam_recall,
        ),
    ]
    if policy.min_f1 is not None:
        floors.append(_Floor(check="f1", floor=policy.min_f1, reason=Reason.F1_BELOW_FLOOR, of=lambda w: w.f1))
    return floors


def is_under_a_floor(window: LabelWindow, policy: PerformanceTrigger) -> bool:
    """Is any floor above the point estimate of `window`?"""
    return any(floor.is_above(window) for floor in _floors(policy))


def read_performance(observation: Observation) -> tuple[Finding, ...]:
    policy = observation.model.spec.triggers.performance
    problem = _problem(observation)
    performance = observation.performance
    if problem is not None or performance is None or performance.overall is None:
        reason, message = problem or (Reason.NO_AUDIT_LABELS, "")
        return tuple(_inconclusive(floor, reason, message) for floor in _floors(policy))
    return tuple(
        _compare(floor, performance, overall=performance.overall, min_labels=policy.min_labels)
        for floor in _floors(policy)
    )


def _problem(observation: Observation) -> tuple[Reason, str] | None:
    """Say why nothing can be concluded from the audit labels; None where something can."""
    champion, performance = observation.status.champion, observation.performance
    if champion is None:
        return Reason.EVIDENCE_MISSING, "there is no champion to measure"
    if performance is None:
        return Reason.EVIDENCE_MISSING, "the audit labels could not be read"
    if performance.model_version != champion.version:
        return Reason.EVIDENCE_MISSING, f"the audit labels are of version {performance.model_version}"
    if performance.labels == 0 or performance.overall is None:
        what = f"no audited prediction of version {champion.version} since its promotion"
        return Reason.NO_AUDIT_LABELS, f"{what}, within spec.monitoring.window.maxAgeSeconds, has a label yet"
    needed = observation.model.spec.triggers.performance.min_labels
    if performance.overall.labels < needed:
        return Reason.TOO_FEW_LABELS, f"{performance.overall.labels} of {needed} audit labels"
    return None


def _inconclusive(floor: _Floor, reason: Reason, message: str) -> Finding:
    return Finding(
        check=floor.check,
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
        message=message,
        threshold=floor.floor,
        comparison="<",
    )


def _compare(floor: _Floor, performance: Performance, *, overall: LabelWindow, min_labels: int) -> Finding:
    estimate = floor.of(overall)
    if estimate is None:
        return _inconclusive(floor, Reason.TOO_FEW_LABELS, f"none of the {overall.labels} audit labels is spam")
    if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
        return _inconclusive(floor, Reason.EVIDENCE_MISSING, "the estimate is not a number")
    interval = f"[{estimate.low:.3f}, {estimate.high:.3f}] from {overall.labels} audit labels"
    windows = [window for window in performance.windows if window.labels >= min_labels][-DISJOINT_WINDOWS:]
    both_under = len(windows) == DISJOINT_WINDOWS and all(floor.is_above(window) for window in windows)
    verdict, reason, message, value = Verdict.PASSED, Reason.PERFORMANCE_ABOVE_FLOORS, interval, estimate.value
    if estimate.high < floor.floor:
        verdict, reason = Verdict.TRIGGERED, floor.reason
    elif both_under:
        verdict, reason = Verdict.TRIGGERED, floor.reason
        # What is under the floor is each of the two, whatever all labels together say.
        value = max(each.value for window in windows if (each := floor.of(window)) is not None)
        message = (
            f"at most, in each of the last {DISJOINT_WINDOWS} label windows; over all {estimate.value:.3f} {interval}"
        )
    elif estimate.value < floor.floor:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.PERFORMANCE_UNCERTAIN
        message = f"{interval}: not yet certain"
    return Finding(
        check=floor.check,
        verdict=verdict,
        reason=reason,
        message=message,
        value=value,
        threshold=floor.floor,
        comparison="<",
    )
