"""How far has traffic moved from what the champion knows, window after window?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoretrain.adapters.store.windows import DOUBTFUL_BELOW, WindowAnswers
from autoretrain.app.fleet import Reach, Seen
from autoretrain.dashboard.drawing import clock_time
from autoretrain.decide.drift import is_breach
from autoretrain.domain.drift import DriftReport

MAX_WINDOWS = 200
BELOW, ABOVE, SPAM_SHARE_ONLY = STANDINGS = ("below", "above", "only spam share moved")
SPAM_SHARE = "spam share"
CONFIDENCE = "mean confidence"
DOUBTFUL = f"answers of less than {DOUBTFUL_BELOW:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The newest windows, oldest first, and what was answered in those whose messages are still there, by id."""

    reports: tuple[DriftReport, ...]
    answers: Mapping[str, WindowAnswers]
    threshold: float
    clear_threshold: float


def read_windows(reach: Reach, seen: Seen) -> Windows:
    """Return the windows; none where the store can't be reached from here."""
    policy, store = seen.model.spec.triggers.drift, reach.store
    answers = store.window_answers(limit=MAX_WINDOWS) if store else []
    return Windows(
        reports=tuple(store.reports(version=None, limit=MAX_WINDOWS)) if store else (),
        answers={each.window_id: each for each in answers},
        threshold=policy.threshold,
        clear_threshold=policy.clear_threshold,
    )


def score_rows(windows: Windows) -> list[dict[str, Any]]:
    """One row a window, oldest first."""
    return [
        {
            "time (UTC)": clock_time(report.ended_at),
            "score": report.score,
            "is": _standing(report, windows.threshold),
            "version": f"v{report.model_version}",
            "messages": report.size,
            "window": report.window_id,
            "reference": report.regime,
        }
        for report in windows.reports
    ]


def _standing(report: DriftReport, threshold: float) -> str:
    if report.prior_shift:
        return SPAM_SHARE_ONLY
    return ABOVE if is_breach(report, threshold) else BELOW


def metric_rows(reports: Sequence[DriftReport], name: str) -> list[dict[str, Any]]:
    """One metric over the windows that measured it, with its own floor at each window's size."""
    return [
        {
            "time (UTC)": clock_time(report.ended_at),
            "value": metric.raw,
            "median": metric.median,
            "noise floor": metric.upper,
            "score": metric.score,
            "window": report.window_id,
        }
        for report in reports
        for metric in report.metrics
        if metric.name == name
    ]


def answer_rows(windows: Windows) -> list[dict[str, Any]]:
    """Spam share and confidence, one row for each window whose messages are still there."""
    ended = {report.window_id: clock_time(report.ended_at) for report in windows.reports}
    return [
        {
            "time (UTC)": ended[answers.window_id],
            SPAM_SHARE: answers.spam / answers.messages,
            CONFIDENCE: answers.confidence,
            DOUBTFUL: answers.doubtful / answers.messages,
            "window": answers.window_id,
        }
        for answers in windows.answers.values()
        if answers.window_id in ended
    ]
