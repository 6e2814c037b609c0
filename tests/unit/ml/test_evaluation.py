"""Figures of quality mean what their names say, at the edges too."""

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, brier_score_loss, f1_score, precision_score, recall_score

from autoretrain.domain.messages import Label
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.ml.evaluation import curve_of, evaluate

H, S = Label.HAM, Label.SPAM


def test_figures_of_labels_alone():
    assert evaluate([S, S, S, H, H, H, H, H], [S, S, H, S, H, H, H, H]) == ClassificationMetrics(
        rows=8, spam_rows=3, accuracy=6 / 8, precision=2 / 3, recall=2 / 3, f1=2 / 3, false_positive_rate=1 / 5
    )


def test_figures_agree_with_scikit_learn():
    draw = np.random.default_rng(0)
    spam, flagged, scores = draw.random(500) < 0.2, draw.random(500) < 0.3, draw.random(500)
    found = evaluate([S if s else H for s in spam], [S if f else H for f in flagged], scores=scores.tolist())
    assert (found.precision, found.recall, found.f1, found.pr_auc, found.brier) == pytest.approx(
        (
            precision_score(spam, flagged),
            recall_score(spam, flagged),
            f1_score(spam, flagged),
            average_precision_score(spam, scores),
            brier_score_loss(spam, scores),
        )
    )


@pytest.mark.parametrize(
    ("labels", "predictions", "expected"),
    [
        ([H, H], [H, S], (0.5, 0.0, 0.0, 0.0, 0.5)),
        ([S, S], [H, S], (0.5, 1.0, 0.5, 2 / 3, 0.0)),
        ([S, H], [H, H], (0.5, 0.0, 0.0, 0.0, 0.0)),
        ([H, H], [H, H], (1.0, 0.0, 0.0, 0.0, 0.0)),
    ],
    ids=["no spam row", "no ham row", "nothing flagged", "nothing but right ham"],
)
def test_a_ratio_with_nothing_below_its_line_is_zero(labels, predictions, expected):
    found = evaluate(labels, predictions, scores=[0.5] * len(labels))
    assert (found.accuracy, found.precision, found.recall, found.f1, found.false_positive_rate) == expected
    assert (found.pr_auc is None) == (len(set(labels)) == 1)


def test_calibration_error_is_the_mean_distance_of_promise_and_outcome():
    # Bin 0.9-1.0: 1.0 promised, half came true, 4 rows; bin 0.2-0.3: 0.25 promised, none came true, 2 rows.
    found = evaluate([S, S, H, H, H, H], [S] * 6, scores=[1.0, 1.0, 1.0, 1.0, 0.25, 0.25])
    assert found.calibration_error == pytest.approx((4 * 0.5 + 2 * 0.25) / 6)


def test_well_calibrated_scores_have_a_small_calibration_error():
    scores = np.random.default_rng(1).random(20_000)
    labels = [
        S if drawn < score else H for drawn, score in zip(np.random.default_rng(2).random(20_000), scores, strict=True)
    ]
    found = evaluate(labels, labels, scores=scores.tolist())
    assert found.calibration_error == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("labels", "predictions", "scores", "message"),
    [
        ([], [], None, "no rows"),
        ([S], [S, H], None, "1 labels but 2 predictions"),
        ([S], [S], [0.5, 0.5], "1 labels but 2 scores"),
        ([S], [S], [1.5], "probabilities"),
        ([S], [S], [float("nan")], "probabilities"),
    ],
    ids=["no rows", "predictions missing", "scores too many", "a score above 1", "a score that is no number"],
)
def test_rows_that_do_not_fit_are_refused(labels, predictions, scores, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, predictions, scores=scores)


def test_the_curve_falls_in_recall_and_encloses_the_area():
    draw = np.random.default_rng(3)
    labels = [S if drawn < 0.3 else H for drawn in draw.random(400)]
    scores = [min(1.0, max(0.0, draw.normal(0.7 if label is S else 0.4, 0.2))) for label in labels]
    curve = curve_of(labels, scores)
    assert list(curve.recall) == sorted(curve.recall, reverse=True)
    assert (len(curve.precision), len(curve.recall)) == (len(curve.thresholds) + 1,) * 2
    assert auc(curve.recall, curve.precision) == pytest.approx(evaluate(labels, labels, scores=scores).pr_auc, abs=0.01)


def test_one_class_has_no_curve():
    with pytest.raises(ValueError, match="both classes"):
        curve_of([H, H], [0.1, 0.2])
