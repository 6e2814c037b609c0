from collections.abc import Iterator

import pytest

from autoretrain.ml.drift.corpus import Corpus, terms_of
from autoretrain.ml.drift.patterns import LINK, MOST_PATTERNS, TermCount, count_terms
from autoretrain.ml.drift.references import parse_references

CAMPAIGN = "parcel held customs fee unpaid visit http://p{n}.example/track{n} code {n}{n}{n}"


@pytest.fixture
def window(traffic) -> Iterator[list[str]]:
    ham = traffic(spam_share=0.0).texts(220, seed=6)
    extras = traffic().texts(30, seed=7)
    # Different enough from each other to be different messages, with the campaign's words in common.
    return ham + [f"{CAMPAIGN.format(n=n)} {extra} {extra[::-1]}" for n, extra in enumerate(extras)]


def test_patterns_name_the_campaigns_words_and_fold_its_links_and_numbers(report, window, model):
    scores = [*model.scores(window[:220]), *([0.9] * 30)]
    patterns = report(window, scores=scores).new_spam_patterns
    assert set(patterns) >= {"parcel", "customs", "fee", "<link>"}
    assert len(patterns) <= MOST_PATTERNS
    assert not any(any(character.isdigit() for character in term) or " " in term for term in patterns)


def test_words_that_ham_uses_as_much_are_no_spam_pattern(report, window, model):
    both = [f"{text} monsoon" for text in window]
    scores = [*model.scores(window[:220]), *([0.9] * 30)]
    assert "monsoon" not in report(both, scores=scores).new_spam_patterns


def test_undrifted_windows_name_hardly_anything(report, traffic):
    named = [report(traffic().texts(250, seed=seed)).new_spam_patterns for seed in range(60, 75)]
    assert sum(map(len, named)) <= 5


def test_a_secret_that_three_messages_repeat_is_not_named_when_it_is_long_or_has_digits(report, traffic):
    secrets = ["a" * 30, "pin4711x"]
    rows = traffic().texts(240, seed=2)
    leaks = [f"{extra} {extra[::-1]} {' '.join(secrets)}" for extra in traffic().texts(10, seed=3)]
    patterns = report([*rows, *leaks], scores=[0.1] * 240 + [0.9] * 10).new_spam_patterns
    assert not {term for term in patterns if len(term) > 24 or any(map(str.isdigit, term))}


def test_the_terms_that_were_named_are_counted_in_the_window_and_in_the_reference(model, reference_bytes):
    [reference] = parse_references(reference_bytes, threshold=model.threshold).sets
    known = terms_of(reference.texts[0])[0]
    texts = [f"{known} parcel at http://a.example/1", "parcel parcel", "nothing here"]
    window = Corpus.of(texts, [0.9, 0.2, 0.1], threshold=model.threshold)
    assert count_terms(("parcelx", LINK, "parcel", known), window=window, reference=reference) == [
        TermCount(term="parcelx", now=0, flagged=0, then=0),
        TermCount(term=LINK, now=1, flagged=1, then=sum("@" in terms_of(text) for text in reference.texts)),
        TermCount(term="parcel", now=2, flagged=1, then=sum("parcel" in terms_of(text) for text in reference.texts)),
        TermCount(term=known, now=1, flagged=1, then=sum(known in terms_of(text) for text in reference.texts)),
    ]
