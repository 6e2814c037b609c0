from datetime import UTC, datetime
from math import log10

import pytest
from scipy.stats import hypergeom

from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.ml.drift.labels import label_metrics
from autoretrain.ml.drift.references import LabelledCounts

REFERENCE = {Label.HAM: LabelledCounts(rows=540, errors=9), Label.SPAM: LabelledCounts(rows=70, errors=0)}


def audited(count, wrong, *, predicted=Label.HAM):
    labels = [Label.SPAM if predicted is Label.HAM else Label.HAM] * wrong + [predicted] * (count - wrong)
    return [
        AuditedPrediction(
            text="", predicted=predicted, label=label, probability=0.2, model_version="v1",
            predicted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for label in labels
    ]  # fmt: skip


def test_the_evidence_is_the_exact_test_against_the_held_out_rows():
    (found,) = label_metrics(audited(45, 5), reference=REFERENCE)
    assert found.name == "label_errors_ham"
    assert found.raw == pytest.approx(-log10(hypergeom.sf(4, 585, 14, 45)))


@pytest.mark.parametrize(
    ("rows", "alarms"),
    [(audited(45, 1), False), (audited(45, 2), False), (audited(45, 8), True),
     (audited(8, 1, predicted=Label.SPAM), False), (audited(8, 5, predicted=Label.SPAM), True)],
    ids=["one miss", "two misses", "eight misses", "one false alarm", "mostly false alarms"],
)  # fmt: skip
def test_few_errors_are_chance_and_many_are_drift(rows, alarms):
    (found,) = label_metrics(rows, reference=REFERENCE)
    assert (found.score > 0.15) is alarms


def test_without_labels_there_is_no_metric():
    assert label_metrics([], reference=REFERENCE) == []
