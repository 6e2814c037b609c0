"""How good is the live model, by the audit sample alone? Weighted to the traffic, with intervals that hold.

Serving answers `/metrics/performance` from this file, so it uses nothing but the standard library.

Every row counts 1 / (inclusion probability), divided by the sum of those weights (Hajek's estimator). The interval is
Wilson's score interval carried over to weights: see `score_interval`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import LabelWindow, Performance
from autoretrain.ml.clusters import COPIES_COUNTED, cluster_ids

Z95 = 1.959963984540054


def measure_performance(
    audited: Sequence[AuditedPrediction], *, model_version: str, pending: int, window_labels: int
) -> Performance:
    """Live quality of `model_version`; rows of other versions are left out.

    `pending` counts audited predictions of this version whose label has not arrived. The windows are cut from the
    oldest prediction on, `window_labels` rows each, so that a window stays the same window while labels arrive; an
    incomplete last one is in `overall` only.
    """
    rows = sorted((row for row in audited if row.model_version == model_version), key=lambda row: row.predicted_at)
    counted = _count(rows)
    full = range(0, len(counted) - window_labels + 1, window_labels)
    return Performance(
        model_version=model_version,
        labels=len(counted),
        overall=_window(rows) if rows else None,
        windows=tuple(_window(rows[start : start + window_labels]) for start in full),
        precision=_precision(counted),
        matured_ratio=len(counted) / (len(counted) + pending) if counted else 0.0,
    )


def wilson(successes: float, trials: float) -> Estimate:
    """A share with Wilson's 95 % score interval; `trials` may be an effective number. (0, 1) where there are none."""
    if trials <= 0:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share = successes / trials
    centre = share + Z95**2 / (2 * trials)
    half = Z95 * sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    scale = 1 + Z95**2 / trials
    return Estimate(
        value=share,
        low=0.0 if share == 0 else max(0.0, (centre - half) / scale),
        high=1.0 if share == 1 else min(1.0, (centre + half) / scale),
    )


def score_interval(
    right: Sequence[float], wrong: Sequence[float], *, heaviest_error: float, evidence: float
) -> Estimate:
    """The weighted share of right rows with a 95 % interval; all arguments are weights of rows.

    With S the sum of all weights and t the true share of errors, the estimate's variance is, to first order,
    t(1-t)[(1-t)e + t r]/S, where e and r are the mean weights of an error and of a right row. An error's weight is the
    weak point: the sample may hold none, or none from the stratum that was drawn least. So one error of weight
    `heaviest_error`, the heaviest that an error could have, is counted in e. The interval holds each t that the
    estimate does not reject at its own variance, as Wilson's does, and is Wilson's where all weights are equal.
    `evidence` in (0, 1] is the part of the rows that counts after copies were capped; it divides the variance.

    Without rows the value is 1 and the interval (0, 1): nothing wrong was seen, and nothing is known.
    """
    total = sum(right) + sum(wrong)
    if total == 0:
        return Estimate(value=1.0, low=0.0, high=1.0)
    error_weight = (sum(w * w for w in wrong) + heaviest_error**2) / (sum(wrong) + heaviest_error)
    right_weight = sum(w * w for w in right) / sum(right) if right else error_weight
    estimate = sum(wrong) / total

    def rejected(share: float) -> bool:
        variance = share * (1 - share) * ((1 - share) * error_weight + share * right_weight) / (total * evidence)
        return (estimate - share) ** 2 > Z95**2 * variance

    least = _boundary(rejected, outside=0.0, inside=estimate) if wrong else 0.0
    most = _boundary(rejected, outside=1.0, inside=estimate) if right else 1.0
    return Estimate(value=1 - estimate, low=1 - most, high=1 - least)


def _boundary(rejected: Callable[[float], bool], *, outside: float, inside: float) -> float:
    for _ in range(50):
        middle = (outside + inside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return inside


@dataclass(frozen=True, slots=True)
class _Counted:
    """An audited row, its weight, and how far it is evidence: the copies of a campaign share three rows' worth."""

    predicted: Label
    label: Label
    weight: float
    evidence: float


def _count(rows: Sequence[AuditedPrediction]) -> list[_Counted]:
    clusters = cluster_ids([row.text for row in rows])
    copies = Counter(clusters)
    return [
        _Counted(row.predicted, row.label, 1 / row.probability, min(1.0, COPIES_COUNTED / copies[cluster]))
        for row, cluster in zip(rows, clusters, strict=True)
    ]


def _window(audited: Sequence[AuditedPrediction]) -> LabelWindow:
    rows = _count(audited)
    hits = [row for row in rows if row.label is row.predicted]
    errors = [row for row in rows if row.label is not row.predicted]
    found = [row for row in hits if row.label is Label.SPAM]
    missed = [row for row in errors if row.label is Label.SPAM]
    recall = _share(found, missed, could_err=[row for row in rows if row.predicted is Label.HAM])
    # F1 is TP / (TP + (FP + FN) / 2): a share of right rows in which each error has half its weight.
    f1 = _share(found, errors, could_err=rows, error_factor=0.5)
    has_spam = bool(found or missed)
    return LabelWindow(
        started_at=audited[0].predicted_at,
        labels=len(rows),
        accuracy=_share(hits, errors, could_err=rows),
        spam_recall=recall if has_spam else None,
        f1=f1 if has_spam else None,
    )


def _precision(rows: Sequence[_Counted]) -> Estimate | None:
    answered_spam = [row for row in rows if row.predicted is Label.SPAM]
    if not answered_spam:
        return None
    hits = [row for row in answered_spam if row.label is Label.SPAM]
    return _share(hits, [row for row in answered_spam if row.label is Label.HAM], could_err=answered_spam)


def _share(
    right: Sequence[_Counted],
    wrong: Sequence[_Counted],
    *,
    could_err: Sequence[_Counted],
    error_factor: float = 1.0,
) -> Estimate:
    rows = [*right, *wrong]
    return score_interval(
        [row.weight for row in right],
        [row.weight * error_factor for row in wrong],
        heaviest_error=error_factor * max((row.weight for row in could_err or rows), default=1.0),
        evidence=sum(row.evidence for row in rows) / len(rows) if rows else 1.0,
    )
