"""How is one variant fitted, calibrated and judged in cross-validation?"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from autoretrain.domain.messages import Label
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.splits import Rows
from autoretrain.ml.variants import Algorithm, ClassWeight, Variant

Vector: TypeAlias = NDArray[np.float64]
Spam: TypeAlias = NDArray[np.bool_]

THRESHOLD: Final = 0.5
"""Of the calibrated probability; it makes the fewest mistakes where the calibration holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearFit:
    """`decision = matrix @ coefficients + intercept`, in the algorithm's own unit; above 0 it says spam."""

    coefficients: Vector
    intercept: float

    def decide(self, matrix: csr_matrix) -> Vector:
        return np.asarray(matrix @ self.coefficients + self.intercept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigmoid:
    """A decision's calibrated probability of spam: `1 / (1 + exp(-(slope * decision + offset)))`."""

    slope: float
    offset: float

    def probabilities(self, decisions: Vector) -> Vector:
        return np.asarray(expit(self.slope * decisions + self.offset))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldData:
    """One fold ready to fit. `train` and `test` are row numbers; each matrix has one row for each of them."""

    train: Rows
    test: Rows
    train_matrix: csr_matrix
    test_matrix: csr_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Decisions for each row by the model that did not see it, those made into probabilities, and figures by fold.

    A fold's probabilities are calibrated on the other folds' decisions, so that they are as honest as the decisions.
    `coefficients` are the mean over the folds, one a term.
    """

    decisions: Vector
    probabilities: Vector
    coefficients: Vector
    metrics: tuple[ClassificationMetrics, ...]
    fit_seconds: float


def fit_linear(variant: Variant, matrix: csr_matrix, *, spam: Spam, weights: Vector, seed: int) -> LinearFit:
    """Fit one variant. A fit that stops at its iteration limit is kept: cross-validation measures it as it is."""
    balance = "balanced" if variant.class_weight is ClassWeight.BALANCED else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        match variant.algorithm:
            case Algorithm.NAIVE_BAYES:
                bayes = MultinomialNB(alpha=variant.strength).fit(matrix, spam, sample_weight=weights)
                ham_logs, spam_logs = bayes.feature_log_prob_
                ham_prior, spam_prior = bayes.class_log_prior_
                return LinearFit(coefficients=spam_logs - ham_logs, intercept=float(spam_prior - ham_prior))
            case Algorithm.LOGISTIC_REGRESSION:
                # The dual is several times faster here, where terms are many times more than rows.
                model = LogisticRegression(
                    C=variant.strength, class_weight=balance, solver="liblinear", dual=True, random_state=seed
                )
            case Algorithm.LINEAR_SVM:
                model = LinearSVC(C=variant.strength, class_weight=balance, random_state=seed)
        model.fit(matrix, spam, sample_weight=weights)
    return LinearFit(coefficients=model.coef_[0], intercept=float(model.intercept_[0]))


def fit_sigmoid(decisions: Vector, spam: Spam, *, weights: Vector) -> Sigmoid:
    """Platt's calibration: a logistic regression on the decision, against labels moved a little off 0 and 1.

    Each row enters once as spam and once as ham, weighted by its soft target (J. Platt, Probabilistic Outputs for
    Support Vector Machines, 1999), so that it ends well where the classes are separable too.
    """
    spam_weight, ham_weight = float(weights[spam].sum()), float(weights[~spam].sum())
    targets = np.where(spam, (spam_weight + 1.0) / (spam_weight + 2.0), 1.0 / (ham_weight + 2.0))
    twice = np.concatenate([decisions, decisions])[:, np.newaxis]
    outcomes = np.repeat([True, False], len(decisions))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    model.fit(twice, outcomes, sample_weight=np.concatenate([weights * targets, weights * (1.0 - targets)]))
    return Sigmoid(slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def cross_validate(
    variant: Variant, folds: Sequence[FoldData], *, labels: Sequence[Label], weights: Vector, seed: int
) -> OutOfFold:
    """Fit and judge one variant in each fold; every row is in one fold's test part."""
    spam = np.array([label is Label.SPAM for label in labels])
    decisions = np.empty(len(labels))
    coefficients = np.zeros(folds[0].train_matrix.shape[1])
    seconds = 0.0
    for fold in folds:
        started = time.perf_counter()
        fit = fit_linear(variant, fold.train_matrix, spam=spam[fold.train], weights=weights[fold.train], seed=seed)
        seconds += time.perf_counter() - started
        coefficients += fit.coefficients / len(folds)
        decisions[fold.test] = fit.decide(fold.test_matrix)
    probabilities = np.empty(len(labels))
    for fold in folds:
        sigmoid = fit_sigmoid(decisions[fold.train], spam[fold.train], weights=weights[fold.train])
        probabilities[fold.test] = sigmoid.probabilities(decisions[fold.test])
    predictions = [Label.SPAM if probability >= THRESHOLD else Label.HAM for probability in probabilities]
    metrics = tuple(
        evaluate(
            [labels[row] for row in fold.test],
            [predictions[row] for row in fold.test],
            scores=probabilities[fold.test].tolist(),
        )
        for fold in folds
    )
    return OutOfFold(
        decisions=decisions,
        probabilities=probabilities,
        coefficients=coefficients,
        metrics=metrics,
        fit_seconds=seconds / len(folds),
    )
