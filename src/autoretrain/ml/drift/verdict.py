"""Is one window drift from one reference set, a prior shift, or neither?"""

from collections.abc import Sequence
from dataclasses import dataclass

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.ml.drift.accumulation import accumulated_score
from autoretrain.ml.drift.calibration import THRESHOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVerdict:
    """`accumulated` is part of `score`. A prior shift is advice, not drift: its score stays at most THRESHOLD."""

    score: float
    accumulated: float
    prior_shift: bool


def judge(
    *,
    classes: Sequence[MetricDrift],
    suspects: Sequence[MetricDrift],
    whole: Sequence[MetricDrift],
    moved: float,
    history: Sequence[DriftReport],
) -> WindowVerdict:
    """What the metrics of all views say together; `moved` is the score of the spam share.

    More or less spam of the known kind changes the mix of the whole and of the suspects, and nothing within a predicted
    class. So where the spam share moved beyond its threshold, the classes alone decide. Where it moved half-way, that
    explains an alarm of the whole, though not one of the suspects: a campaign that the model misses lowers the share
    too.
    """
    accumulated = accumulated_score(classes, history=history)
    score = max(_highest(classes), accumulated)
    if moved > THRESHOLD and score <= THRESHOLD:
        return WindowVerdict(score=score, accumulated=accumulated, prior_shift=True)
    accumulated = accumulated_score([*classes, *suspects], history=history)
    score = max(score, _highest(suspects), accumulated)
    if moved > THRESHOLD / 2 and score <= THRESHOLD < _highest(whole):
        return WindowVerdict(score=score, accumulated=accumulated, prior_shift=True)
    return WindowVerdict(score=max(score, _highest(whole)), accumulated=accumulated, prior_shift=False)


def _highest(metrics: Sequence[MetricDrift]) -> float:
    return max((metric.score for metric in metrics), default=0.0)
