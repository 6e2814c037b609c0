"""Do audit labels say that the champion errs more than on its own held-out rows? An exact test per predicted class."""

from collections.abc import Mapping, Sequence
from math import log10

from autoretrain.domain.drift import MetricDrift
from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.ml.drift.calibration import FALSE_ALARMS, calibrated
from autoretrain.ml.drift.metrics import TermTest, largest_value
from autoretrain.ml.drift.references import LABEL_METRICS, METRIC_COUNT, LabelledCounts

_UPPER = -log10(FALSE_ALARMS / (2 * METRIC_COUNT))


def label_metrics(
    audited: Sequence[AuditedPrediction], *, reference: Mapping[Label, LabelledCounts]
) -> list[MetricDrift]:
    """`label_errors_spam` and `label_errors_ham`: decades of evidence that a predicted class holds more errors now.

    Given the errors of audit sample and base set together, those in the sample are hypergeometric without drift. The
    inclusion probability is the same for all of one predicted class, so no weight is needed within it. A class without
    audit labels has no metric.
    """
    found = []
    for name, label in zip(LABEL_METRICS, (Label.SPAM, Label.HAM), strict=True):
        of_class = [row for row in audited if row.predicted is label]
        if not of_class:
            continue
        errors = sum(row.label is not label for row in of_class)
        total = errors + reference[label].errors
        test = TermTest(window=len(of_class), reference=reference[label].rows, most=total)
        raw = float(test.decades(errors, total))
        score = calibrated(raw, median=0.0, upper=_UPPER, largest=largest_value(name))
        found.append(MetricDrift(name=name, raw=raw, median=0.0, upper=_UPPER, score=score))
    return found
