import numpy as np

from autoretrain.ml.drift.corpus import Corpus, suspect_level, terms_of, views_of


def test_numbers_and_addresses_are_one_term_each_and_currency_signs_are_terms():
    assert terms_of("Pay £45.20 by 6PM at https://dhl-fee.example/x9?u=7 or mail a.b@c.example") == [
        "pay", "£", "0", "0", "by", "0pm", "at", "@", "or", "mail", "@",
    ]  # fmt: skip


def test_a_message_without_any_term_is_still_a_message():
    corpus = Corpus.of(["...", "word word"], [0.2, 0.8], threshold=0.5)
    assert len(corpus) == 2
    assert (corpus.rows.tolist(), corpus.terms, corpus.counts.tolist()) == ([1], ("word",), [2.0])


def test_the_expected_error_is_the_chance_that_the_predicted_label_is_wrong():
    corpus = Corpus.of(["a", "b", "c"], [0.1, 0.3, 0.9], threshold=0.3)
    assert corpus.spam.tolist() == [False, True, True]
    np.testing.assert_allclose(corpus.errors, [0.1, 0.7, 0.1])


def test_selected_messages_keep_their_terms_and_scores():
    corpus = Corpus.of(["red green", "blue", "green green"], [0.1, 0.2, 0.3], threshold=0.5)
    chosen = corpus.select(np.array([0, 2]))
    assert chosen.terms == ("red", "green", "blue")
    assert (chosen.rows.tolist(), chosen.ids.tolist(), chosen.counts.tolist()) == (
        [0, 0, 1],
        [0, 1, 1],
        [1.0, 1.0, 2.0],
    )
    assert chosen.scores.tolist() == [0.1, 0.3]
    assert chosen.document_frequencies().tolist() == [1.0, 2.0, 0.0]


def test_suspects_are_predicted_spam_and_the_twentieth_of_ham_nearest_to_it():
    scores = [*np.linspace(0.0, 0.4, 100), 0.6, 0.9]
    corpus = Corpus.of(["x"] * len(scores), scores, threshold=0.5)
    views = views_of(corpus, level=suspect_level(corpus))
    assert {view: len(chosen) for view, chosen in views.items()} == {"whole": 102, "spam": 2, "ham": 100, "suspect": 7}
    assert views["suspect"].tolist() == [95, 96, 97, 98, 99, 100, 101]
