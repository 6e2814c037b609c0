"""What does drift look at in a message? Its terms and its score, laid out as arrays, and the views of a window."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoretrain.ml.text import campaign_form

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]

SIGNS = "@£$€₹"
_TERM = re.compile(rf"[^\W_]+|[{SIGNS}]")
_NEAREST_HAM = 0.05


def terms_of(text: str) -> list[str]:
    """Words and currency signs of the campaign form: links are `@` and digits `0`, so that no number is a new word.

    >>> terms_of("Pay £45.20 at http://dhl-fee.example/x now")
    ['pay', '£', '0', '0', 'at', '@', 'now']
    """
    return _TERM.findall(campaign_form(text))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Messages as (row, term, count) triples, sorted by row, with the score of each row.

    `rows`, `ids` and `counts` have one entry for each distinct term of each message; `ids` index `terms`.
    `scores` and `spam` (predicted so) have one entry a message.
    """

    terms: tuple[str, ...]
    rows: Ints
    ids: Ints
    counts: Floats
    scores: Floats
    spam: Mask

    @classmethod
    def of(cls, texts: Sequence[str], scores: Sequence[float], *, threshold: float) -> "Corpus":
        """`threshold` is the model's: a score at or above it is predicted spam."""
        numbers: dict[str, int] = {}
        rows: list[int] = []
        ids: list[int] = []
        counts: list[int] = []
        for row, text in enumerate(texts):
            bag = Counter(terms_of(text))
            rows.extend([row] * len(bag))
            ids.extend([numbers.setdefault(term, len(numbers)) for term in bag])
            counts.extend(bag.values())
        values = np.asarray(scores, dtype=np.float64)
        return cls(
            tuple(numbers),
            np.array(rows, dtype=np.intp),
            np.array(ids, dtype=np.intp),
            np.array(counts, dtype=np.float64),
            values,
            values >= threshold,
        )

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, chosen: Ints) -> "Corpus":
        """The messages at the ascending positions `chosen`, with the same numbering of terms."""
        position = np.full(len(self), -1, dtype=np.intp)
        position[chosen] = np.arange(len(chosen))
        kept = position[self.rows] >= 0
        rows = position[self.rows[kept]]
        return Corpus(self.terms, rows, self.ids[kept], self.counts[kept], self.scores[chosen], self.spam[chosen])

    @property
    def errors(self) -> Floats:
        """The chance that each message's predicted label is wrong, as its own calibrated score has it. Shape (n,)."""
        return np.where(self.spam, 1.0 - self.scores, self.scores)

    def document_frequencies(self) -> Floats:
        """How many messages hold each term. Shape (terms,)."""
        return np.bincount(self.ids, minlength=len(self.terms)).astype(np.float64)


def suspect_level(corpus: Corpus) -> float:
    """The score above which a message is a suspect: all but the 5 % of predicted ham nearest to spam lie below it.

    A new campaign that the model misses scores low, but seldom as low as nearly all ham does. Without predicted ham
    every message is a suspect.
    """
    ham = corpus.scores[~corpus.spam]
    return float(np.quantile(ham, 1.0 - _NEAREST_HAM)) if len(ham) else 0.0


def views_of(corpus: Corpus, *, level: float) -> dict[str, Ints]:
    """Positions of the messages that each view looks at. A wave is one message in seven and hides in the whole.

    `spam` and `ham` are the predicted classes; `suspect` is predicted spam with the ham nearest to it, where the
    missed part of a new campaign lies.
    """
    return {
        "whole": np.arange(len(corpus)),
        "spam": np.flatnonzero(corpus.spam),
        "ham": np.flatnonzero(~corpus.spam),
        "suspect": np.flatnonzero(corpus.spam | (corpus.scores > level)),
    }
