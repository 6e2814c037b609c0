"""Training and serving see the same message, the same words and the same characters."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from autoretrain.ml.text import WORD_PATTERN, campaign_form, canonical, piece_ngrams, preprocess, word_terms, words


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  Hello\t THERE \n you ", "hello there you"),
        ("\uff26\uff32\uff25\uff25 \uff12\uff10 \ufb01x", "free 20 fix"),
        ("STRASSE straße", "strasse strasse"),
        ("fr\u200bee\u00ad pri\u2060ze", "free prize"),
        ("\u00a0\u2003", ""),
        ("\ud800 lone", "\ud800 lone"),
    ],
    ids=["case and space", "compatibility", "case folding", "invisible characters", "only space", "lone surrogate"],
)
def test_messages_that_look_alike_have_one_canonical_form(text, form):
    assert canonical(text) == form


@given(st.text())
def test_a_canonical_form_is_its_own_canonical_form(text):
    assert canonical(canonical(text)) == canonical(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_gives_what_the_long_way_gives(text):
    assert canonical(text) == canonical(text + " \u00e9").removesuffix(" \u00e9").removesuffix("\u00e9")


@pytest.mark.parametrize(
    "copy",
    [
        "WIN £750 now! call 09061702893 or https://other.example/x?y=1",
        "Win £9 now! Call 1 or www.spam.example",
        "win £500 now! call 2 or claims.example.com/go",
        "win £500 now! call 2 or someone@mail.example",
    ],
    ids=["numbers and link", "shorter numbers", "bare address", "e-mail address"],
)
def test_copies_of_a_campaign_share_a_form(copy):
    assert campaign_form(copy) == campaign_form("Win £500 now! Call 09061701461 or http://claim.example/abc")


def test_other_words_are_another_campaign():
    assert campaign_form("win £500 now") != campaign_form("lose £500 now")


def test_words_keep_order_repeats_signs_and_the_shape_of_numbers():
    assert words("call 0906, call! £5_a 👍") == ["call", "0000", ",", "call", "!", "£", "0_a", "👍"]


def test_stop_words_go_and_stems_replace():
    kept = preprocess(["the", "prizes", "you", "won"], stems={"prizes": "prize"}, stop_words=frozenset({"the"}))
    assert kept == ["prize", "you", "won"]


@given(st.lists(st.sampled_from(["a", "bb", "c!", "0"]), max_size=6), st.integers(1, 3))
def test_word_terms_are_those_of_scikit_learn(tokens, longest):
    analyse = CountVectorizer(
        tokenizer=list, preprocessor=tuple, token_pattern=None, ngram_range=(1, longest)
    ).build_analyzer()
    assert sorted(word_terms(tokens, longest=longest)) == sorted(analyse(tokens))


@given(st.text(), st.integers(1, 3), st.integers(0, 3))
def test_character_ngrams_are_those_of_scikit_learn(text, shortest, more):
    lengths = (shortest, shortest + more)
    analyse = CountVectorizer(analyzer="char_wb", preprocessor=canonical, ngram_range=lengths).build_analyzer()
    pieces = canonical(text).split()
    ours = list(chain.from_iterable(piece_ngrams(piece, lengths=lengths) for piece in pieces))
    assert sorted(ours) == sorted(analyse(text))


@given(st.text())
def test_words_are_what_the_published_pattern_finds(text):
    form = canonical(text)
    analyse = CountVectorizer(preprocessor=str, token_pattern=WORD_PATTERN).build_analyzer()
    digits_apart = form.translate(str.maketrans("123456789", "0" * 9))
    assert words(form) == analyse(digits_apart)
