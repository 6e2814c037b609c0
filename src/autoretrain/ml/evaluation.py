"""How good are these answers? Figures for labelled rows, and the curve behind the area.

Where a ratio has nothing below its line it is 0: precision with no row flagged, recall with no spam row, the
false-positive rate with no ham row, F1 with neither. `pr_auc` needs rows of both classes and is None without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from autoretrain.domain.messages import Label
from autoretrain.domain.metrics import ClassificationMetrics

CALIBRATION_BINS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecallCurve:
    """Points by falling recall; `thresholds[i]` is the score from which on a message is flagged at point i."""

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    thresholds: tuple[float, ...]


def evaluate(
    labels: Sequence[Label], predictions: Sequence[Label], *, scores: Sequence[float] | None = None
) -> ClassificationMetrics:
    """Quality of `predictions`; spam is the positive class. `scores` are probabilities of spam, one a row.

    Raises ValueError for no rows, for lengths that differ, and for scores outside [0, 1].
    """
    if not labels:
        raise ValueError("there are no rows to evaluate")
    if len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels but {len(predictions)} predictions")
    spam, flagged = _is_spam(labels), _is_spam(predictions)
    caught, missed = int((spam & flagged).sum()), int((spam & ~flagged).sum())
    false_alarms, passed = int((~spam & flagged).sum()), int((~spam & ~flagged).sum())
    probabilities = None if scores is None else _probabilities(scores, rows=len(labels))
    both_classes = bool(spam.any() and not spam.all())
    return ClassificationMetrics(
        rows=len(labels),
        spam_rows=caught + missed,
        accuracy=(caught + passed) / len(labels),
        precision=_ratio(caught, caught + false_alarms),
        recall=_ratio(caught, caught + missed),
        f1=_ratio(2 * caught, 2 * caught + false_alarms + missed),
        false_positive_rate=_ratio(false_alarms, false_alarms + passed),
        pr_auc=float(average_precision_score(spam, probabilities)) if scores is not None and both_classes else None,
        brier=None if probabilities is None else float(np.mean((probabilities - spam) ** 2)),
        calibration_error=None if probabilities is None else calibration_error(spam, probabilities),
    )


def calibration_error(spam: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Expected calibration error: mean distance of predicted and observed spam share over equal bins, by rows."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    distances = np.bincount(bins, weights=probabilities - spam, minlength=CALIBRATION_BINS)
    return float(np.abs(distances).sum() / len(spam))


def curve_of(labels: Sequence[Label], scores: Sequence[float]) -> PrecisionRecallCurve:
    """Every attainable pair of precision and recall. Raises ValueError unless there are rows of both classes."""
    spam = _is_spam(labels)
    if not spam.any() or spam.all():
        raise ValueError("a precision-recall curve needs rows of both classes")
    precision, recall, thresholds = precision_recall_curve(spam, _probabilities(scores, rows=len(labels)))
    return PrecisionRecallCurve(
        precision=tuple(precision.tolist()), recall=tuple(recall.tolist()), thresholds=tuple(thresholds.tolist())
    )


def _is_spam(labels: Sequence[Label]) -> NDArray[np.bool_]:
    return np.array([label is Label.SPAM for label in labels], dtype=np.bool_)


def _probabilities(scores: Sequence[float], *, rows: int) -> NDArray[np.float64]:
    if len(scores) != rows:
        raise ValueError(f"{rows} labels but {len(scores)} scores")
    probabilities = np.asarray(scores, dtype=np.float64)
    if not bool(((probabilities >= 0.0) & (probabilities <= 1.0)).all()):
        raise ValueError("scores must be probabilities, in [0, 1]")
    return probabilities


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
