"""How is a message shown to somebody who may not read it? Words that the model has from several messages stay.

Names, numbers, addresses and codes are what a message has alone, so all other words are hidden. A word that the model
learned from one message only may be somebody's name, and is hidden too.
"""

import re
import unicodedata
from collections.abc import Container
from dataclasses import replace
from typing import Final

import streamlit as st

from autoretrain.app.fleet import Reach
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.ml.artefact import LinearParts, TermBlock, parse_artefact
from autoretrain.ml.text import WORD_PATTERN, canonical

HIDDEN: Final = "•••"
_WORD: Final = re.compile(WORD_PATTERN)
_HIDDEN_RUN: Final = re.compile(f"(?:{HIDDEN})+")
_LEAST_ROWS: Final = 3
_KEPT_VOCABULARIES: Final = 8


def mask(text: str, known: Container[str]) -> str:
    """Return `text` with HIDDEN for each word that is not in `known`, and for each that has a digit in it.

    `known` holds words in their canonical form. White space and signs stay. How long a hidden word is can't be seen.
    """
    # Composed first, so that a letter and its accent are one word and not a word and a sign.
    composed = unicodedata.normalize("NFKC", text)
    masked = _WORD.sub(lambda found: found[0] if _may_show(found[0], known) else HIDDEN, composed)
    return _HIDDEN_RUN.sub(HIDDEN, masked)


def _may_show(word: str, known: Container[str]) -> bool:
    if len(word) == 1 and unicodedata.category(word)[0] in "PS":
        return True
    # Known words stand for every number of as many digits ("00000"): a number may be known and still be private.
    return not any(character.isnumeric() for character in word) and canonical(word) in known


def words_of(reach: Reach, digest: str) -> Container[str]:
    """Return the common words of the version of `digest`; none where the store has no such artefact.

    Raises StoreUnavailable.
    """
    try:
        return _read_words(reach.key, digest, reach)
    except ArtefactRejected:
        return frozenset()


@st.cache_resource(max_entries=_KEPT_VOCABULARIES, show_spinner=False)
def _read_words(key: str, digest: str, _reach: Reach) -> frozenset[str]:
    # What raises is not kept, so that an artefact that comes later is found.
    artefact = _reach.store.artefact(digest) if _reach.store else None
    if artefact is None:
        raise ArtefactRejected(f"the store of {key} has no artefact {digest}")
    return known_words(parse_artefact(artefact.model))


def common_parts(parts: LinearParts) -> LinearParts:
    """Return the model as if it had learned nothing that stood in fewer than _LEAST_ROWS of its training rows.

    What it says of a text does not depend on whether a rare word, run of words or run of characters was among them. To
    hide only the names of these would not do: the score tells, too, whether a word is known.
    """
    character = parts.character and _common_block(parts.character)
    return replace(parts, word=_common_block(parts.word), character=character)


def _common_block(block: TermBlock) -> TermBlock:
    rows = zip(block.terms, block.document_counts, block.weights, strict=True)
    kept = [row for row in rows if row[1] >= _LEAST_ROWS]
    terms, counts, weights = zip(*kept, strict=True) if kept else ((), (), ())
    return replace(block, terms=terms, document_counts=counts, weights=weights)


def known_words(parts: LinearParts) -> frozenset[str]:
    """Return the words of at least _LEAST_ROWS training rows, and those that the model takes for one or leaves out."""
    counted = zip(parts.word.terms, parts.word.document_counts, strict=True)
    common = frozenset(term for term, rows in counted if rows >= _LEAST_ROWS)
    stemmed = (word for word, stem in parts.stems.items() if stem in common)
    return common.union(stemmed, parts.stop_words)
