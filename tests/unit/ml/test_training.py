"""A search finds the best variant, trains on nothing that measures, and gives the same bytes again."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.features import Corpus, learn_words
from autoretrain.ml.fitting import fit_sigmoid
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.text import canonical, words
from autoretrain.ml.training import MIN_CAMPAIGNS, DroppedRows, search, select_rows
from autoretrain.ml.variants import Preprocessing, Profile
from tests.unit.ml.messages import make_rows, make_spec

ROWS = make_rows()
EVERYTHING = make_spec({"NaiveBayes": {}, "LogisticRegression": {}, "LinearSVM": {}}, profile="WordAndCharacter")


def ham(text: str) -> LabelledMessage:
    return LabelledMessage(text=text, label=Label.HAM)


@pytest.fixture(scope="module")
def trained():
    return search(ROWS, EVERYTHING)


def test_the_variant_with_the_best_mean_f1_is_chosen(trained):
    assert len(trained.variants) == 15
    assert trained.chosen.f1.mean == max(result.f1.mean for result in trained.variants)
    assert trained.model.parts.algorithm == trained.chosen.algorithm


def test_out_of_fold_scores_give_the_figures_of_the_chosen_variant(trained):
    predictions = [trained.model.label_of(score)[0] for score in trained.scores]
    pooled = evaluate(trained.labels, predictions, scores=trained.scores)
    assert pooled.accuracy == pytest.approx(trained.chosen.accuracy.mean, abs=0.01)
    assert pooled.f1 == pytest.approx(trained.chosen.f1.mean, abs=0.02)
    assert pooled.calibration_error < 0.1


def test_out_of_fold_scores_are_not_those_of_the_model_on_its_own_rows(trained):
    own = np.array(trained.model.scores(ROWS[row].text for row in trained.used))
    spam = np.array([label is Label.SPAM for label in trained.labels])
    # A model is surer of what it has seen: its own rows look better than rows of other folds.
    assert fmean((own - spam) ** 2) < fmean((np.array(trained.scores) - spam) ** 2)


def test_it_works_on_rows_that_it_never_saw(trained):
    fresh = make_rows(100, 200, seed=5)
    predictions = [trained.model.predict(row.text)[0] for row in fresh]
    assert evaluate([row.label for row in fresh], predictions).f1 > 0.85


def test_nothing_of_the_holdout_trains(trained):
    assert trained.dropped == DroppedRows(holdout=sum(in_holdout(row.text) for row in ROWS))
    assert trained.used == tuple(number for number, row in enumerate(ROWS) if not in_holdout(row.text))
    of_holdout = {word for row in ROWS if in_holdout(row.text) for word in words(canonical(row.text))}
    of_others = {word for row in ROWS if not in_holdout(row.text) for word in words(canonical(row.text))}
    assert of_holdout - of_others
    assert not (of_holdout - of_others) & set(trained.model.parts.word.terms)


def test_rows_that_may_not_train_are_counted_by_reason():
    def outside(text: str) -> str:
        return next(f"{text} {'z' * more}" for more in range(1, 50) if not in_holdout(f"{text} {'z' * more}"))

    held = next(f"held {number}" for number in range(50) if in_holdout(f"held {number}"))
    said_both, copied = outside("call me"), [outside(f"meet at {n} o'clock by the old bridge") for n in range(5)]
    rows = [
        ham(" \u200b "),
        ham(held),
        ham(said_both),
        LabelledMessage(text=said_both.upper(), label=Label.SPAM),
        *map(ham, copied),
        ham(outside("something else")),
    ]
    used, dropped = select_rows(rows)
    assert dropped == DroppedRows(holdout=1, empty=1, contradictory=2, copies=2)
    assert used == (4, 5, 6, 9)
    assert select_rows(rows, holdout_share=0.0)[1] == replace(dropped, holdout=0)


def test_progress_is_told_after_each_variant():
    told = []
    spec = make_spec({"NaiveBayes": {"alpha": ["0.1", "1"], "preprocessing": "Plain"}})
    trained = search(ROWS, spec, on_variant=lambda result, index, total: told.append((result, index, total)))
    assert told == [(trained.variants[0], 1, 2), (trained.variants[1], 2, 2)]


def test_the_same_rows_and_seed_give_the_same_bytes(trained):
    assert search(ROWS, EVERYTHING).artefact == trained.artefact


def test_another_process_with_other_string_hashes_gives_the_same_digest():
    spec = "make_spec({'LinearSVM': {'C': '1', 'preprocessing': 'Stemmed'}}, profile='WordAndCharacter')"
    code = (
        "from autoretrain.ml.training import search; from tests.unit.ml.messages import make_rows, make_spec;"
        f"print(search(make_rows(), {spec}).digest)"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    spec_here = make_spec({"LinearSVM": {"C": "1", "preprocessing": "Stemmed"}}, profile="WordAndCharacter")
    assert elsewhere.stdout.strip() == search(ROWS, spec_here).digest


def test_other_rows_give_another_digest(trained):
    assert search(ROWS[:-1], EVERYTHING).digest != trained.digest


@pytest.mark.parametrize("label", list(Label))
def test_too_few_different_messages_of_a_class_fail_closed(label):
    few = [row for row in ROWS if row.label is label and not in_holdout(row.text)][: MIN_CAMPAIGNS - 1]
    rows = [row for row in ROWS if row.label is not label] + few
    with pytest.raises(
        BadData, match=f"{MIN_CAMPAIGNS - 1} different {label} messages may train; at least {MIN_CAMPAIGNS}"
    ):
        search(rows, make_spec())


def test_copies_of_one_campaign_do_not_make_a_class():
    campaign = [
        LabelledMessage(text=f"You won £{n}00, claim your prize at http://win{n}.example today", label=Label.SPAM)
        for n in range(200)
    ]
    with pytest.raises(BadData, match="1 different spam messages may train"):
        search([row for row in ROWS if row.label is Label.HAM] + campaign, make_spec())


def test_no_rows_fail_closed():
    with pytest.raises(BadData, match="0 different ham messages"):
        search([], make_spec())


def test_weights_restore_a_class_prior():
    balanced = search(ROWS, make_spec()).model
    weights = [9.0 if row.label is Label.SPAM else 1.0 for row in ROWS]
    more_spam = search(ROWS, make_spec(), weights=weights).model
    fresh = [row.text for row in make_rows(50, 50, seed=7)]
    assert fmean(more_spam.scores(fresh)) > fmean(balanced.scores(fresh)) + 0.02


@pytest.mark.parametrize("weights", [[1.0], [0.0] * len(ROWS), [float("nan")] * len(ROWS), [-1.0] * len(ROWS)])
def test_weights_must_be_one_positive_number_a_row(weights):
    with pytest.raises(ValueError, match="one positive number for each"):
        search(ROWS, make_spec(), weights=weights)


@pytest.mark.parametrize("preprocessing", ["WithoutStopWords", "Stemmed"])
@pytest.mark.parametrize("profile", list(Profile))
def test_a_preprocessed_variant_carries_what_serving_needs(preprocessing, profile):
    trained = search(ROWS, make_spec({"LinearSVM": {"preprocessing": preprocessing}}, profile=profile))
    served = LinearModel.load(trained.artefact)
    corpus = Corpus([ROWS[row].text for row in trained.used], profile=profile)
    # What training counted is what serving finds: every count of every row.
    counts = corpus.words(Preprocessing(preprocessing))
    for row in range(0, len(trained.used), 10):
        found = served._count_words(canonical(ROWS[trained.used[row]].text))
        dense = counts.matrix[row].toarray()[0]
        assert found == {counts.terms[term]: dense[term] for term in np.flatnonzero(dense)}


def test_stop_words_are_read_by_nltk_from_the_package():
    table = learn_words(Preprocessing.WITHOUT_STOP_WORDS, [])
    assert {"the", "you", "don", "i"} <= table.stop_words
    assert not {"free", "call", "£", "!"} & table.stop_words


def test_stems_are_those_of_words_only():
    table = learn_words(Preprocessing.STEMMED, ["claims", "claiming", "claim", "0000s", "£"])
    assert table.stems == {"claims": "claim", "claiming": "claim"}


def test_a_fold_has_no_stem_for_a_word_that_it_did_not_train_on():
    corpus = Corpus(["claim it", "claims it", "nothing"], profile=Profile.WORD)
    train, test = np.array([0, 2]), np.array([1])
    claim = corpus.words(Preprocessing.STEMMED).terms.index("claim")
    assert corpus.words(Preprocessing.STEMMED).matrix[1, claim] == 1
    assert corpus.word_fold(Preprocessing.STEMMED, train=train, test=test)[1][0, claim] == 0


def test_a_sigmoid_finds_the_probabilities_behind_the_decisions():
    draw = np.random.default_rng(0)
    decisions = draw.normal(size=20_000)
    spam = draw.random(20_000) < 1 / (1 + np.exp(-(2.0 * decisions - 1.0)))
    sigmoid = fit_sigmoid(decisions, spam, weights=np.ones(20_000))
    assert (sigmoid.slope, sigmoid.offset) == pytest.approx((2.0, -1.0), abs=0.1)


def test_a_sigmoid_of_separable_decisions_stays_finite():
    sigmoid = fit_sigmoid(np.array([-1.0] * 50 + [1.0] * 50), np.repeat([False, True], 50), weights=np.ones(100))
    assert sigmoid.probabilities(np.array([-1.0, 1.0])) == pytest.approx([1 / 52, 51 / 52])
