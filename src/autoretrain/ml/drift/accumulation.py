"""Do small changes add up over windows? A weak wave is found late rather than never."""

from collections.abc import Sequence

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.ml.drift.calibration import THRESHOLD

WINDOWS = 4
"""A mean over so many windows, this one included."""

_STILL_DRIFTING = 0.5


def accumulated_score(metrics: Sequence[MetricDrift], *, history: Sequence[DriftReport]) -> float:
    """The largest score of any metric's mean excess over the last WINDOWS windows; 0.0 without history.

    A window's excess is 0 at the median and 1 at the upper quantile, and counts as at most 1: one loud window is its
    own alarm. Against one reference, the noise of a mean over L windows is at most (1 + 1/L)/2 of one window's, since
    the reference is common to all of them; at that excess the score is THRESHOLD. The newest window must itself stand
    half-way up, so that what is over stops counting at once.

    >>> from datetime import UTC, datetime
    >>> weak = MetricDrift(name="tfidf_drift_spam", raw=0.08, median=0.0, upper=0.1, score=0.12)
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> past = DriftReport(window_id="1", model_version="v1", started_at=at, ended_at=at, size=250, score=0.12,
    ...                    metrics=(weak,))
    >>> [round(accumulated_score([weak], history=[past] * windows), 3) for windows in range(4)]
    [0.0, 0.16, 0.18, 0.192]
    """
    recent = [{metric.name: metric for metric in report.metrics} for report in history[-(WINDOWS - 1) :]]
    largest = 0.0
    for metric in metrics:
        now = _excess(metric)
        earlier = [_excess(report[metric.name]) for report in recent if metric.name in report]
        if now < _STILL_DRIFTING or not earlier:
            continue
        count = len(earlier) + 1
        mean = (sum(earlier) + now) / count
        largest = max(largest, THRESHOLD * mean / ((1.0 + 1.0 / count) / 2.0))
    return largest


def _excess(metric: MetricDrift) -> float:
    return min(1.0, (metric.raw - metric.median) / (metric.upper - metric.median))
