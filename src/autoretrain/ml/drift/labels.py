"""Do audit labels say that the champion errs more than on its own held-out rows? An exact test per predicted class."""

from collections.abc import Mapping, Sequence
from math import log10

import numpy as np

from autoretrain.domain.drift import MetricDrift
from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.ml.audit import is_boosted
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.drift.calibration import FALSE_ALARMS, calibrated
from autoretrain.ml.drift.metrics import TermTest, Values, largest_value
from autoretrain.ml.drift.references import LABEL_METRICS, METRIC_COUNT, LabelledCounts

BOOSTED_WEIGHT, PLAIN_WEIGHT = 1, 2
"""An error of the stratum that is drawn seldom counts double: misses of sure ham are rare until something has changed.
Counted alike they drown in those of unsure ham; weighted by inverse probability (5.4) they drown these."""

_UPPER = -log10(FALSE_ALARMS / (2 * METRIC_COUNT))


def label_metrics(
    audited: Sequence[AuditedPrediction], *, scores: Sequence[float], reference: Mapping[Label, LabelledCounts]
) -> list[MetricDrift]:
    """`label_errors_spam` and `label_errors_ham`: decades of evidence that a predicted class holds more errors now.

    `scores` are the model's own for `audited`. At most three copies of a campaign count in a class. A class without
    audit labels has no metric.
    """
    found = []
    for name, label in zip(LABEL_METRICS, (Label.SPAM, Label.HAM), strict=True):
        of_class = [(row, score) for row, score in zip(audited, scores, strict=True) if row.predicted is label]
        if not of_class:
            continue
        kept = [of_class[index] for index in cap_per_cluster(cluster_ids([row.text for row, _ in of_class]))]
        strata: dict[bool, list[AuditedPrediction]] = {True: [], False: []}
        for row, score in kept:
            strata[is_boosted(label, score if label is Label.SPAM else 1.0 - score)].append(row)
        raw = _decades(strata[True], strata[False], reference=reference[label], most=largest_value(name))
        score = calibrated(raw, median=0.0, upper=_UPPER, largest=largest_value(name))
        found.append(MetricDrift(name=name, raw=raw, median=0.0, upper=_UPPER, score=score))
    return found


def _decades(
    boosted: Sequence[AuditedPrediction],
    plain: Sequence[AuditedPrediction],
    *,
    reference: LabelledCounts,
    most: float,
) -> float:
    """-log10 of the chance of so many errors in the sample of one class, without drift.

    A stratum drawn with chance p shows the errors that p times the class's traffic has in it, so that many messages
    are what is compared with the reference. Boosted ham, which holds most misses, would else pass for drift. Given the
    errors of sample and reference together, those in the sample are hypergeometric in each stratum, and their weighted
    sum is tested.
    """
    messages = sum(1.0 / row.probability for row in (*boosted, *plain))
    chances, seen = np.ones(1), 0
    for rows, known, weight in (
        (boosted, reference.boosted_errors, BOOSTED_WEIGHT),
        (plain, reference.plain_errors, PLAIN_WEIGHT),
    ):
        errors = sum(row.label is not row.predicted for row in rows)
        # The mean chance of the stratum's messages, should the rate have changed on the way.
        chance = len(rows) / sum(1.0 / row.probability for row in rows) if rows else 0.0
        in_sample = _chances(errors + known, window=round(chance * messages), reference=reference.rows)
        weighted = np.zeros(weight * (len(in_sample) - 1) + 1)
        weighted[::weight] = in_sample
        chances, seen = np.convolve(chances, weighted), seen + weight * errors
    return -log10(min(1.0, max(float(chances[seen:].sum()), 10.0**-most)))


def _chances(errors: int, *, window: int, reference: int) -> Values:
    """The chances that 0, 1, 2, … of `errors` are in the window, where window and reference err alike."""
    test = TermTest(window=window, reference=reference, most=errors)
    at_least = 10.0 ** -test.decades(np.arange(min(window, errors) + 1), errors)
    return np.asarray(at_least - np.append(at_least[1:], 0.0))
