"""The resampling and the check of a window must be the same metrics, or the floors would calibrate something else."""

import numpy as np
import pytest

from autoretrain.ml.drift import reference as module
from autoretrain.ml.drift.corpus import Corpus
from autoretrain.ml.drift.reference import ReferenceView


@pytest.fixture
def texts(traffic):
    return traffic().texts(120, seed=3)


@pytest.fixture
def corpus(texts, model):
    return Corpus.of(texts, model.scores(texts), threshold=model.threshold)


def splits(corpus, size, seed, monkeypatch, count=6):
    """The windows that `undrifted` draws with this seed."""
    monkeypatch.setattr(module, "RESAMPLINGS", count)
    rng = np.random.default_rng(seed)
    draws = rng.random((count, len(corpus)), dtype=np.float32)
    return [np.sort(row) for row in np.argpartition(draws, size, axis=1)[:, :size]]


def compare(corpus, chosen):
    """A window against a reference made of all other messages."""
    rest = np.setdiff1d(np.arange(len(corpus)), chosen)
    view = ReferenceView(corpus.select(rest))
    return view.measure(corpus.select(chosen), numbers=np.arange(len(corpus.terms)))


def test_the_term_drift_of_a_resampling_is_that_of_the_same_window(corpus, monkeypatch):
    chosen = splits(corpus, 40, 5, monkeypatch)
    drawn = ReferenceView(corpus).undrifted(40, rng=np.random.default_rng(5))["term_drift"]
    np.testing.assert_allclose(drawn, [compare(corpus, window)["term_drift"] for window in chosen], rtol=1e-6)


@pytest.mark.parametrize(
    ("metric", "correlation"), [("tfidf_drift", 0.9), ("score_drift", 0.9), ("vocabulary_drift", 0.6)]
)
def test_other_metrics_of_a_resampling_follow_those_of_the_same_windows(corpus, monkeypatch, metric, correlation):
    # Not equal: weights, ranks and new words are taken against the whole reference, as in a check, and not against
    # what a draw leaves of it. Their differences between windows are what the floor is made of.
    chosen = splits(corpus, 40, 5, monkeypatch, count=60)
    drawn = ReferenceView(corpus).undrifted(40, rng=np.random.default_rng(5))[metric]
    direct = np.array([compare(corpus, window)[metric] for window in chosen])
    assert np.corrcoef(drawn, direct)[0, 1] > correlation
    assert 0.75 < drawn.std() / direct.std() < 1.33


def test_the_tfidf_drift_is_nothing_on_average_without_drift_at_any_size(corpus):
    view = ReferenceView(corpus)
    for size in (5, 20, 60):
        assert abs(view.undrifted(size, rng=np.random.default_rng(0))["tfidf_drift"].mean()) < 0.003


@pytest.mark.parametrize("power", [1, 8], ids=["even scores", "most scores near 0"])
def test_the_surprisal_is_one_on_average_whatever_the_scores(power):
    view = ReferenceView(Corpus.of(["word"] * 400, np.linspace(0, 1, 400) ** power, threshold=2.0))
    found = view.undrifted(100, rng=np.random.default_rng(0))["score_drift"]
    assert np.mean(found) == pytest.approx(1.0, abs=0.02)


def test_tied_scores_are_half_as_doubtful_as_each_other():
    view = ReferenceView(Corpus.of(["word"] * 40, [0.0] * 40, threshold=0.5))
    window = Corpus.of(["word"] * 10, [0.0] * 10, threshold=0.5)
    assert view.measure(window, numbers=np.zeros(1, dtype=np.intp))["score_drift"] == pytest.approx(-np.log(20.5 / 41))


def test_calibrated_sizes_leave_a_reference_as_large_as_the_window(model):
    def sizes(rows):
        return ReferenceView(Corpus.of(["word"] * rows, [0.1] * rows, threshold=0.5)).sizes()

    assert (sizes(616), sizes(40), sizes(9), sizes(5000)) == (
        (19, 38, 77, 154, 308),
        (5, 10, 20),
        (),
        (62, 125, 250, 500, 1000),
    )
