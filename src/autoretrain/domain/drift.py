"""What one evaluation of one window against the champion's references says."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDrift:
    """One metric of one window.

    `raw` is the metric in its own unit; `median` and `upper` are the same metric's median and upper quantile over
    undrifted windows of this size; `score` is the calibrated value: 0.15 is as rare as one undrifted window in 200
    over all metrics together.
    """

    name: str
    raw: float
    median: float
    upper: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """One window against the champion's reference sets; `score` is the smallest over them.

    `prior_shift` is true when the spam share moved and nothing within the predicted classes did. `new_spam_patterns`
    are terms, never messages. `regime` names the reference set that fits best. `accumulated` is the score of the small
    changes added up over this and earlier windows; `score` already contains it.
    """

    window_id: str
    model_version: str
    started_at: datetime
    ended_at: datetime
    size: int
    score: float
    metrics: tuple[MetricDrift, ...]
    regime: str = "base"
    prior_shift: bool = False
    accumulated: float = 0.0
    new_spam_patterns: tuple[str, ...] = ()
