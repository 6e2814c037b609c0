"""The plain model says what the scikit-learn pipeline says, from bytes that can't do anything but be read."""

import base64
import json
import math
import re
import subprocess
import sys
import weakref
from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label
from autoretrain.ml.artefact import LinearParts, TermBlock, parse_artefact
from autoretrain.ml.clusters import cluster_ids
from autoretrain.ml.linear import CACHED_PIECES, LONGEST_CACHED_PIECE, LinearModel, digest_of
from autoretrain.ml.splits import stratified_folds
from autoretrain.ml.training import FOLDS, TrainedModel, search
from benchmarks.stock_features import stock_features
from tests.unit.ml.messages import make_rows, make_spec

ROWS = make_rows()
UNSEEN = [
    *(row.text for row in make_rows(20, 20, seed=9)),
    "",
    " ",
    "never seen vwxyz",
    "free free FREE free prize prize!!! !!! the the the",
    "\uff26\uff32\uff25\uff25 £££ 👍👍 " + "a" * 60,
]
CLASSIFIERS = {
    "LinearSVM": LinearSVC(C=1, class_weight="balanced", random_state=3),
    "LogisticRegression": LogisticRegression(
        C=1, class_weight="balanced", solver="liblinear", dual=True, random_state=3
    ),
}


def train(algorithm: str, profile: str) -> TrainedModel:
    parameter = "alpha" if algorithm == "NaiveBayes" else "C"
    spec = make_spec({algorithm: {parameter: "1", "preprocessing": "Plain"}}, profile=profile, seed=3)
    return search(ROWS, spec)


@pytest.fixture(scope="module", params=["Word", "WordAndCharacter"])
def profile(request):
    return request.param


@pytest.mark.parametrize("algorithm", list(CLASSIFIERS))
def test_scores_equal_those_of_the_scikit_learn_pipeline_fitted_on_the_raw_texts(algorithm, profile):
    trained = train(algorithm, profile)
    texts = [ROWS[row].text for row in trained.used]
    spam = np.array([label is Label.SPAM for label in trained.labels])
    folds = stratified_folds(trained.labels, cluster_ids(texts), folds=FOLDS, seed=3)
    stock = CalibratedClassifierCV(
        make_pipeline(stock_features(profile), CLASSIFIERS[algorithm]), cv=folds, ensemble=False
    ).fit(texts, spam)
    ours = np.array(trained.model.scores(UNSEEN))

    pipeline = stock.calibrated_classifiers_[0].estimator
    parts = trained.model.parts
    decisions = pipeline.decision_function(UNSEEN) - pipeline[-1].intercept_
    assert ours == pytest.approx(expit(parts.slope * decisions + parts.offset), abs=1e-9, rel=0)
    # Their calibration stops a little before the optimum; ours is at it.
    assert ours == pytest.approx(stock.predict_proba(UNSEEN)[:, 1], abs=1e-6, rel=0)


def test_naive_bayes_is_the_linear_model_of_its_log_odds(profile):
    trained = train("NaiveBayes", profile)
    texts = [ROWS[row].text for row in trained.used]
    spam = np.array([label is Label.SPAM for label in trained.labels])
    stock = make_pipeline(stock_features(profile), MultinomialNB(alpha=1)).fit(texts, spam)
    ham_log, spam_log = stock[-1].predict_joint_log_proba(stock[:-1].transform(UNSEEN)).T
    ham_prior, spam_prior = stock[-1].class_log_prior_
    parts = trained.model.parts
    expected = expit(parts.slope * (spam_log - ham_log - (spam_prior - ham_prior)) + parts.offset)
    assert trained.model.scores(UNSEEN) == pytest.approx(expected, abs=1e-9, rel=0)


@pytest.fixture(scope="module")
def trained():
    return train("LinearSVM", "WordAndCharacter")


def test_an_artefact_comes_back_as_the_same_bytes(trained):
    assert LinearModel.load(trained.artefact).dump() == trained.artefact
    assert trained.digest == digest_of(trained.artefact)


def test_shares_of_terms_add_up_to_the_log_odds(trained):
    for text in UNSEEN:
        shares = trained.model.contributions(text)
        assert sum(shares.values()) + trained.model.parts.offset == pytest.approx(logit(trained.model.score(text)))


def test_top_features_are_the_largest_positive_shares(trained):
    named = trained.model.top_features("free prize, claim your cash at home", 3)
    shares = trained.model.contributions("free prize, claim your cash at home")
    assert named == sorted(shares.items(), key=lambda item: -item[1])[:3]
    assert named[0][0] in {"free", "prize", "claim", "cash"}
    assert trained.model.top_features("sorry mum dinner at home") == []


def test_confidence_is_the_probability_of_the_returned_label(trained):
    spam, ham = "free prize winner claim urgent", "sorry mum dinner at home"
    assert trained.model.predict(spam) == (Label.SPAM, trained.model.score(spam))
    assert trained.model.predict(ham) == (Label.HAM, 1 - trained.model.score(ham))


def test_a_score_at_the_threshold_is_spam(trained):
    model = LinearModel(replace(trained.model.parts, threshold=0.7))
    assert [model.label_of(score)[0] for score in (0.699, 0.7)] == [Label.HAM, Label.SPAM]


@given(st.text())
def test_any_text_has_a_probability_that_its_cached_pieces_do_not_change(trained, text):
    fresh = LinearModel(trained.model.parts)
    first, again = fresh.score(text), fresh.score(text)
    assert 0.0 <= first <= 1.0
    assert first == again == trained.model.score(text)


def test_the_cache_of_pieces_is_bounded(trained):
    model = LinearModel(trained.model.parts)
    for start in range(0, CACHED_PIECES + 500, 100):
        model.score(" ".join(f"w{number}" for number in range(start, start + 100)))
    model.score("x" * (LONGEST_CACHED_PIECE + 1))
    assert model.cached_pieces == CACHED_PIECES


def test_a_replaced_model_is_freed_at_once(trained):
    model = LinearModel(trained.model.parts)
    model.score("free prize")
    watched = weakref.ref(model._character)
    del model
    assert watched() is None


def test_loading_and_scoring_import_nothing_but_the_standard_library():
    code = (
        "import sys; from autoretrain.ml.linear import LinearModel;"
        "known = sys.stdlib_module_names | {'autoretrain'};"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - known - set(sys.argv[1:])))"
    )
    before = sorted({name.partition(".")[0] for name in _modules_of_a_bare_start()})
    found = subprocess.run(
        [sys.executable, "-c", code, *before], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


def _modules_of_a_bare_start() -> list[str]:
    bare = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    return subprocess.run(bare, capture_output=True, text=True, check=True, timeout=60).stdout.split()


SMALL = LinearParts(
    algorithm="LinearSVM",
    profile="Word",
    rows=9,
    threshold=0.5,
    slope=1.5,
    offset=-0.25,
    word=TermBlock(lengths=(1, 2), terms=("free", "free prize"), document_counts=(3, 1), weights=(1.0, 2.0)),
    stems={"prizes": "prize"},
    stop_words=frozenset({"the"}),
)


def small_document(**changes: object) -> dict[str, object]:
    return json.loads(LinearModel(SMALL).dump()) | changes


def small_block(**changes: object) -> dict[str, object]:
    return small_document()["word"] | changes


def packed(typecode: str, *values: float) -> str:
    return base64.b64encode(array(typecode, values).tobytes()).decode()


def test_the_small_model_by_hand():
    model = LinearModel.load(LinearModel(SMALL).dump())
    free, pair = 1 + math.log(10 / 4), 1 + math.log(10 / 2)
    expected = 1.5 * (free * 1.0 + pair * 2.0) / math.hypot(free, pair) - 0.25
    assert model.score("The FREE prizes") == pytest.approx(1 / (1 + math.exp(-expected)))
    assert model.score("nothing known") == pytest.approx(1 / (1 + math.exp(0.25)))


def test_parts_survive_their_artefact():
    read = parse_artefact(LinearModel(SMALL).dump())
    assert replace(read, word=SMALL.word) == SMALL
    assert (list(read.word.document_counts), list(read.word.weights)) == ([3, 1], [1.0, 2.0])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not JSON"),
        (b"\x80\x04\x95pickle", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ([], "not of the format"),
        ({"format": "other"}, "not of the format"),
        (small_document(format_version=0), "version 0; this release reads 1"),
        (small_document(format_version=2), "version 2; this release reads 1"),
        (small_document(format_version=True), "version True"),
        ({"format": "autoretrain-linear", "format_version": 1}, "damaged"),
        (small_document(threshold=1.0), "threshold is not between"),
        (small_document(threshold="0.5"), "threshold is not a finite number"),
        (small_document(offset=10**400), "damaged"),
        (small_document(rows=-1), "rows is not a whole number"),
        (small_document(stems=["a"]), "damaged"),
        (small_document(stems={"a": 1}), "stems is not text"),
        (small_document(stop_words=[1]), "stop_words is not text"),
        (small_document(word=None), "damaged"),
        (small_document(word=small_block(terms="free")), "one document count and one weight"),
        (small_document(word=small_block(terms="free\nfree")), "a term stands twice"),
        (small_document(word=small_block(weights="no base64!")), "damaged"),
        (small_document(word=small_block(weights="AAAA")), "damaged"),
        (small_document(word=small_block(weights=packed("d", 1.0, math.nan))), "not all finite"),
        (small_document(word=small_block(document_counts=packed("I", 3, 10))), "out of range"),
        (small_document(word=small_block(lengths=[2, 1])), "lengths are out of range"),
        (small_document(word=small_block(lengths=[1, 10**9])), "lengths are out of range"),
    ],
)
def test_what_dump_did_not_write_is_refused(document, message):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(ArtefactRejected, match=re.escape(message)):
        LinearModel.load(data)


def test_an_artefact_that_is_too_large_is_refused_unread(monkeypatch):
    monkeypatch.setattr("autoretrain.ml.artefact.MAX_ARTEFACT_BYTES", 10)
    with pytest.raises(ArtefactRejected, match="at most 10 are read"):
        LinearModel.load(LinearModel(SMALL).dump())


def test_not_a_number_in_json_is_refused():
    data = LinearModel(SMALL).dump().replace(b'"slope":1.5', b'"slope":NaN')
    with pytest.raises(ArtefactRejected, match="not JSON"):
        LinearModel.load(data)
