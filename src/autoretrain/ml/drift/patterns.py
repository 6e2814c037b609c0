"""Which terms drive a change among the suspects? Ranked by what they say about spam, not by novelty alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoretrain.ml.drift.corpus import SIGNS, Corpus, Floats, views_of
from autoretrain.ml.drift.metrics import TermTest
from autoretrain.ml.drift.reference import SMALLEST_VIEW
from autoretrain.ml.drift.references import ReferenceSet

MOST_PATTERNS = 10
LINK = "<link>"
_LONGEST = 24
_LEAST_MESSAGES = 3
_LEAST_DECADES = 3.0


def new_spam_patterns(window: Corpus, reference: ReferenceSet) -> tuple[str, ...]:
    """At most MOST_PATTERNS terms, strongest first, that at least three of the window's suspects hold.

    A term is as strong as the weaker of two exact tests: it is more frequent among the window's suspects than among
    the reference's, and than among the window's other messages. A word that all senders began to use is new and says
    nothing of spam; a word that spam always used says it and is not new. Terms are single words of letters, currency
    signs, or `<link>` for any address: no number, no address, no message.
    """
    suspects = views_of(window, level=reference.level)["suspect"]
    others = np.setdiff1d(np.arange(len(window)), suspects)
    if len(suspects) < SMALLEST_VIEW:
        return ()
    among = window.select(suspects)
    hits = among.document_frequencies()
    view = reference.views["suspect"]
    known = view.frequency[reference.numbers_of(window.terms)]
    strength = np.minimum(
        _decades(hits, known, window=len(suspects), reference=view.size),
        _decades(hits, window.select(others).document_frequencies(), window=len(suspects), reference=len(others)),
    )
    named = [
        (-strength[number], term)
        for number, term in enumerate(window.terms)
        if strength[number] >= _LEAST_DECADES and hits[number] >= _LEAST_MESSAGES and _speakable(term)
    ]
    return tuple(LINK if term == "@" else term for _, term in sorted(named)[:MOST_PATTERNS])


@dataclass(frozen=True, slots=True, kw_only=True)
class TermCount:
    """How many messages hold `term`: `now` of the window, of which `flagged` were called spam, and `then` of the
    reference."""

    term: str
    now: int
    flagged: int
    then: int


def count_terms(patterns: Sequence[str], *, window: Corpus, reference: ReferenceSet) -> list[TermCount]:
    """Count what `new_spam_patterns` named, in its order."""
    then = reference.views["whole"].frequency
    now = dict(zip(window.terms, window.document_frequencies().tolist(), strict=True))
    flagged = window.select(np.flatnonzero(window.spam)).document_frequencies()
    spam = dict(zip(window.terms, flagged.tolist(), strict=True))
    terms = ["@" if pattern == LINK else pattern for pattern in patterns]
    known = then[reference.numbers_of(terms)].tolist()
    return [
        TermCount(term=pattern, now=int(now.get(term, 0)), flagged=int(spam.get(term, 0)), then=int(before))
        for pattern, term, before in zip(patterns, terms, known, strict=True)
    ]


def _decades(hits: Floats, elsewhere: Floats, *, window: int, reference: int) -> Floats:
    inside, total = hits.astype(np.intp), (hits + elsewhere).astype(np.intp)
    return TermTest(window=window, reference=reference, most=int(np.max(total, initial=0))).decades(inside, total)


def _speakable(term: str) -> bool:
    if term in SIGNS:
        return True
    return 1 < len(term) <= _LONGEST and not any(character.isdigit() for character in term)
