"""Whether the generated corpus is honest: not too easy, not too hard, and new spam is new."""

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.app.training_rows import frozen_holdout
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.clusters import cluster_ids
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from autoretrain.ml.text import canonical
from autoretrain.ml.training import search

DOCUMENT = {
    "apiVersion": "autoretrain.dev/v1alpha1",
    "kind": "SpamModel",
    "metadata": {"name": "sms"},
    "spec": {"data": {"file": {"path": "data.tsv"}}},
}
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]


def word_model() -> Pipeline:
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000))


def distinct(rows: list[LabelledMessage]) -> list[LabelledMessage]:
    return list({canonical(row.text): row for row in reversed(rows)}.values())


def columns(rows: list[LabelledMessage]) -> tuple[list[str], list[bool]]:
    return [row.text for row in rows], [row.label is Label.SPAM for row in rows]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_word_model_finds_the_corpus_neither_easy_nor_hard(seed: int) -> None:
    rows = distinct(generate_corpus(seed=seed))
    accuracy = float(np.mean(cross_val_score(word_model(), *columns(rows), cv=5)))
    assert 0.95 <= accuracy <= 0.985


@pytest.mark.parametrize("seed", SEEDS)
def test_a_default_training_on_the_corpus_clears_the_default_floors_with_room(seed: int) -> None:
    spec = parse_spam_model(DOCUMENT, uid="", generation=0).spec
    rows = generate_corpus(seed=seed)
    model, holdout = search(rows, spec.training).model, frozen_holdout(rows)
    answers = [model.label_of(score)[0] for score in model.scores([row.text for row in holdout])]
    found = evaluate([row.label for row in holdout], answers)
    assert found.accuracy >= spec.promotion.min_accuracy + 0.01
    assert found.f1 >= spec.promotion.min_f1 + 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_the_corpus_has_its_share_of_spam_repeats_and_characters(seed: int) -> None:
    rows = generate_corpus(seed=seed)
    spam = sum(row.label is Label.SPAM for row in rows) / len(rows)
    repeats = 1 - len(distinct(rows)) / len(rows)
    assert len(rows) == 6000
    assert 0.14 <= spam <= 0.20
    assert 0.04 <= repeats <= 0.08
    for kind in ("£", "http", ".example", "!", "\U0001f60a", " u "):
        assert any(kind in row.text for row in rows + generate_wave(seed=seed, messages=500)), kind
    assert not any(character in row.text for row in rows for character in "[]{}|#\t\n")


@pytest.mark.slow
def test_one_label_in_a_hundred_is_wrong() -> None:
    # The corpus repeats rows after all of them are drawn, so a text with both labels was flipped once.
    rows = generate_corpus(seed=5, messages=12_000)
    labels: dict[str, Counter[Label]] = {}
    for row in rows:
        labels.setdefault(row.text, Counter())[row.label] += 1
    repeated = [count for count in labels.values() if count.total() > 1]
    contradicting = sum(len(count) == 2 for count in repeated)
    copies = sum(count.total() for count in repeated)
    assert 0.005 <= contradicting / copies <= 0.017


def test_the_same_seed_gives_the_same_messages_and_another_seed_others() -> None:
    assert generate_corpus(seed=1, messages=300) == generate_corpus(seed=1, messages=300)
    assert generate_corpus(seed=1, messages=300) != generate_corpus(seed=2, messages=300)
    assert generate_wave(seed=1, messages=300) == generate_wave(seed=1, messages=300)


def test_traffic_and_wave_share_no_text_with_any_corpus() -> None:
    corpora = {canonical(row.text) for seed in range(2) for row in generate_corpus(seed=seed)}
    later = [*generate_traffic(seed=0, messages=2000), *generate_wave(seed=0, messages=2000)]
    assert [row.text for row in later if canonical(row.text) in corpora] == []


def test_traffic_is_like_the_corpus() -> None:
    model = word_model().fit(*columns(generate_corpus(seed=0)))
    texts, spam = columns(generate_traffic(seed=0, messages=2000))
    assert sum(spam) == 300
    assert 0.95 <= model.score(texts, spam) <= 0.995


@pytest.mark.parametrize("seed", SEEDS)
def test_a_corpus_model_misses_most_of_the_wave_and_learns_it_from_labels(seed: int) -> None:
    corpus, wave = columns(generate_corpus(seed=seed)), generate_wave(seed=seed, messages=3000)
    fixed = word_model().fit(*corpus)
    new = [row.text for row in wave if row.source == "wave"]
    assert len(new) == 360
    assert fixed.predict(new).mean() < 0.45
    (labelled_texts, labelled_spam), (texts, spam) = columns(wave[:1000]), columns(wave[1000:])
    retrained = word_model().fit(corpus[0] + labelled_texts, corpus[1] + labelled_spam)
    assert f1_score(spam, fixed.predict(texts)) < 0.75
    assert f1_score(spam, retrained.predict(texts)) > 0.93


@pytest.mark.parametrize("seed", SEEDS)
def test_the_wave_is_no_single_campaign(seed: int) -> None:
    wave = generate_wave(seed=seed, messages=5000)
    new = [row.text for row in wave if row.source == "wave"][:600]
    assert (len(new), len(set(cluster_ids(new))) >= 150) == (600, True)


def test_the_waves_words_are_mostly_unknown_to_the_corpus_spam() -> None:
    known = {word for row in generate_corpus(seed=0) if row.label is Label.SPAM for word in canonical(row.text).split()}
    wave = [row for row in generate_wave(seed=0, messages=2000) if row.source == "wave"]
    types = {word for row in wave for word in canonical(row.text).split()}
    assert len(types - known) / len(types) > 0.7


@pytest.mark.parametrize("messages", [1, 10])
def test_small_requests_are_met(messages: int) -> None:
    sizes = [
        len(generate(seed=0, messages=messages)) for generate in (generate_corpus, generate_traffic, generate_wave)
    ]
    assert sizes == [messages] * 3
