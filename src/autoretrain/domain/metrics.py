"""Figures of classification quality, and figures with an interval."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationMetrics:
    """Quality on one labelled set; spam is the positive class. All ratios in [0, 1].

    `pr_auc`, `brier` and `calibration_error` need scores and are None where only labels were compared.
    """

    rows: int
    spam_rows: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    false_positive_rate: float
    pr_auc: float | None = None
    brier: float | None = None
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A point estimate with its 95 % interval."""

    value: float
    low: float
    high: float
