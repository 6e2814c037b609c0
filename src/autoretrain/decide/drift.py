"""Do the champion's last complete windows show drift, persistently? One finding, whatever the trigger's mode.

A window counts once, by its id, and a breach counts only beside the breaches of the windows right before it. Nothing is
concluded from windows of another version, stale or too small windows, or scores that are not numbers.
"""

import math
from collections.abc import Sequence
from datetime import timedelta

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason

CHECK = "drift"


def champion_windows(observation: Observation) -> tuple[DriftReport, ...]:
    """Return the distinct windows of the present champion, oldest first."""
    champion = observation.status.champion
    if champion is None or observation.drift is None:
        return ()
    own = {report.window_id: report for report in observation.drift if report.model_version == champion.version}
    return tuple(own.values())


def is_breach(report: DriftReport, threshold: float) -> bool:
    """A shift of the spam share alone is not a breach: retraining on the same words would teach nothing."""
    return report.score > threshold and not report.prior_shift


def count_breaches(windows: Sequence[DriftReport], *, threshold: float) -> int:
    """Return how many of the newest windows breach without a gap."""
    for count, report in enumerate(reversed(windows)):
        if not is_breach(report, threshold):
            return count
    return len(windows)


def read_drift(observation: Observation) -> Finding:
    policy = observation.model.spec.triggers.drift
    windows = champion_windows(observation)[-policy.consecutive_breaches :]
    problem = _problem(observation, windows)
    if problem is not None:
        return problem
    newest, needed = windows[-1], policy.consecutive_breaches
    breaches = count_breaches(windows, threshold=policy.threshold)
    above = sum(is_breach(report, policy.threshold) for report in windows)
    verdict, reason = Verdict.PASSED, Reason.DRIFT_BELOW_THRESHOLD
    message = f"window {newest.window_id} of {newest.size} messages"
    if breaches == needed:
        verdict, reason = Verdict.TRIGGERED, Reason.DRIFT_THRESHOLD_EXCEEDED
        message = f"{breaches} windows in a row are above the threshold, the last is {newest.window_id}"
    elif len(windows) == needed and all(report.prior_shift for report in windows):
        reason = Reason.PRIOR_SHIFT
        message = (
            "the share of spam moved, the words within the classes did not: "
            "a new decision threshold helps here, a new model does not"
        )
    elif breaches and len(windows) < needed:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.WINDOW_TOO_SMALL
        message = f"{breaches} of the {needed} windows needed; {observation.pending_messages} messages in the next"
    elif above:
        reason = Reason.DRIFT_NOT_PERSISTENT
        message = f"{above} of the last {needed} windows above the threshold, not all"
    return Finding(
        check=CHECK, verdict=verdict, reason=reason, message=message, value=newest.score, threshold=policy.threshold
    )


def _problem(observation: Observation, windows: Sequence[DriftReport]) -> Finding | None:
    """Say why nothing can be concluded from `windows`; None where something can."""
    monitoring = observation.model.spec.monitoring
    if observation.status.champion is None:
        return _inconclusive(Reason.EVIDENCE_MISSING, "there is no champion to measure")
    if observation.drift is None:
        return _inconclusive(Reason.EVIDENCE_MISSING, "the windows could not be read")
    if not windows:
        pending = f"{observation.pending_messages} of {monitoring.window_size} messages are in the first"
        return _inconclusive(Reason.WINDOW_TOO_SMALL, f"no complete window of this champion yet; {pending}")
    newest = windows[-1]
    if observation.now - newest.ended_at > timedelta(seconds=monitoring.max_age_seconds):
        return _inconclusive(Reason.EVIDENCE_MISSING, f"the last window ended at {newest.ended_at:%Y-%m-%d %H:%M} UTC")
    if any(report.size < monitoring.min_samples for report in windows):
        return _inconclusive(Reason.WINDOW_TOO_SMALL, f"a window has fewer than {monitoring.min_samples} messages")
    if not all(math.isfinite(report.score) for report in windows):
        return _inconclusive(Reason.EVIDENCE_MISSING, "a window's score is not a number")
    return None


def _inconclusive(reason: Reason, message: str) -> Finding:
    return Finding(check=CHECK, verdict=Verdict.INCONCLUSIVE, reason=reason, message=message)
