"""One reference view: what the messages of one regime look like, how a window compares, and what chance alone does."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoretrain.ml.drift.corpus import Corpus, Floats, Ints
from autoretrain.ml.drift.metrics import TermTest, kernel_distance, strongest_terms

SMALLEST_VIEW: Final = 5
"""Messages below which a view of a window says nothing."""

RESAMPLINGS: Final = 2000
_LEAST_COUNT: Final = 3  # a term in fewer messages of both sets together is never significant
_LARGEST_SIZE: Final = 1000
_HALVINGS: Final = 5
_BLOCK: Final = 500

Selection = NDArray[np.float32]


class ReferenceView:
    """The reference messages that one view looks at, summed up for the comparison with any window."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.size = len(corpus)
        self.number = {term: number for number, term in enumerate(corpus.terms)}
        self.frequency = corpus.document_frequencies()
        self.idf = np.append(self._idf(self.frequency), self._idf(np.zeros(1)))
        self._weights = _unit_weights(corpus, self.idf[corpus.ids])
        self._mean_vector = np.bincount(corpus.ids, self._weights, minlength=len(corpus.terms))
        nonzero = float((self._weights**2).sum())
        self._pairs = float(self._mean_vector @ self._mean_vector) - nonzero
        # A term that one message alone holds would be new if that message came in the window instead.
        self._new = _row_sums(corpus, corpus.counts * (self.frequency[corpus.ids] == 1))
        self._tokens = _row_sums(corpus, corpus.counts)
        self.new_ratio = float(self._new.sum() / max(self._tokens.sum(), 1.0))
        self._errors = np.sort(corpus.errors)
        self._surprisals = self._surprisal(corpus.errors, own=True)

    def _idf(self, frequency: Floats) -> Floats:
        """A term never seen counts like a term seen once: a window's own words are no rarer than the reference's."""
        return np.asarray(1.0 + np.log((1.0 + self.size) / (1.0 + np.maximum(frequency, 1.0))))

    def _surprisal(self, errors: Floats, *, own: bool) -> Floats:
        """-ln of the share of reference messages whose predicted label is at least as doubtful; ties count half.

        1 on average without drift, whatever the distribution of the scores: a rank (the scores of Savage, 1956) has no
        heavy tail that a small reference could miss. `own` says that each of `errors` is itself in the reference.
        """
        above = self.size - np.searchsorted(self._errors, errors, side="right")
        equal = self.size - above - np.searchsorted(self._errors, errors, side="left") - own
        return np.asarray(-np.log((above + equal / 2.0 + 0.5) / (self.size + 1.0 - own)))

    def measure(self, window: Corpus) -> dict[str, float]:
        """Each metric's raw value for a window's messages of this view; at least SMALLEST_VIEW of them."""
        known = np.array([self.number.get(term, -1) for term in window.terms], dtype=np.intp)
        frequency = np.where(known >= 0, np.append(self.frequency, 0.0)[known], 0.0)
        weights = _unit_weights(window, self.idf[known][window.ids])
        total = np.bincount(window.ids, weights, minlength=len(window.terms))
        mean_vector = np.where(known >= 0, np.append(self._mean_vector, 0.0)[known], 0.0)
        size = len(window)
        return {
            "vocabulary_drift": float(
                window.counts[frequency[window.ids] == 0].sum() / max(window.counts.sum(), 1.0)
            ),
            "tfidf_drift": float(
                kernel_distance(
                    within_window=total @ total - (weights**2).sum(),
                    within_reference=np.float64(self._pairs),
                    across=total @ mean_vector,
                    window=size,
                    reference=self.size,
                )
            ),
            "score_drift": float(self._surprisal(window.errors, own=False).mean()),
            "term_drift": float(strongest_terms(self.term_decades(window, frequency)[1])),
        }

    def term_decades(self, window: Corpus, frequency: Floats) -> tuple[Ints, Floats]:
        """The window's terms that are in enough messages for the term test, and what it says of each, in decades.

        `frequency` is the number of reference messages that hold each term of the window.
        """
        hits = np.bincount(window.ids, minlength=len(window.terms))
        total = hits + frequency.astype(np.intp)
        tested = np.flatnonzero((total >= _LEAST_COUNT) & (hits > 0))
        if not len(tested):
            return tested, np.zeros(0)
        test = TermTest(window=len(window), reference=self.size, most=int(total[tested].max()))
        return tested, test.decades(hits[tested], total[tested])

    def sizes(self) -> tuple[int, ...]:
        """The window sizes at which this view is calibrated, ascending: half of it, so that a reference as large is
        left, then halves of that; none where even half is too small to measure."""
        largest = min(self.size // 2, _LARGEST_SIZE)
        return tuple(size for size in (largest >> step for step in reversed(range(_HALVINGS))) if size >= SMALLEST_VIEW)

    def undrifted(self, size: int, *, rng: np.random.Generator) -> dict[str, Floats]:
        """Each metric over RESAMPLINGS windows of `size` messages drawn from this view against the rest of it.

        Windows are drawn without replacement and disjoint from their reference, since a message that is on both sides
        looks more alike than any new message can. Shape of each array: (RESAMPLINGS,).
        """
        chosen = np.argpartition(rng.random((RESAMPLINGS, self.size), dtype=np.float32), size, axis=1)[:, :size]
        picks = np.zeros((RESAMPLINGS, self.size), dtype=np.float32)
        np.put_along_axis(picks, chosen, 1.0, axis=1)
        rest = self.size - size
        surprisals = self._surprisals
        drawn_surprisals = picks @ surprisals
        drawn_new, drawn_tokens = picks @ self._new, picks @ self._tokens
        rest_ratio = (self._new.sum() - drawn_new) / np.maximum(self._tokens.sum() - drawn_tokens, 1.0)
        return {
            "vocabulary_drift": self.new_ratio + drawn_new / np.maximum(drawn_tokens, 1.0) - rest_ratio,
            "tfidf_drift": self._kernel_distances(picks, size),
            "score_drift": surprisals.mean() + drawn_surprisals / size - (surprisals.sum() - drawn_surprisals) / rest,
            "term_drift": self._term_drifts(picks, size),
        }

    def _kernel_distances(self, picks: Selection, size: int) -> Floats:
        vectors = np.zeros((self.size, len(self.corpus.terms)), dtype=np.float32)
        vectors[self.corpus.rows, self.corpus.ids] = self._weights
        similarity = vectors @ vectors.T
        np.fill_diagonal(similarity, 0.0)
        to_drawn = picks @ similarity
        inside = np.einsum("ij,ij->i", to_drawn, picks).astype(np.float64)
        touched = to_drawn.sum(axis=1, dtype=np.float64)
        whole = float(similarity.sum(dtype=np.float64))
        return kernel_distance(
            within_window=inside,
            within_reference=whole - 2.0 * touched + inside,
            across=touched - inside,
            window=size,
            reference=self.size - size,
        )

    def _term_drifts(self, picks: Selection, size: int) -> Floats:
        frequent = np.flatnonzero(self.frequency >= _LEAST_COUNT)
        if not len(frequent):
            return np.zeros(len(picks))
        held = np.zeros((self.size, len(self.corpus.terms)), dtype=np.float32)
        held[self.corpus.rows, self.corpus.ids] = 1.0
        held = np.ascontiguousarray(held[:, frequent])
        total = self.frequency[frequent].astype(np.intp)
        test = TermTest(window=size, reference=self.size - size, most=int(total.max()))
        blocks = [
            strongest_terms(test.decades((picks[start : start + _BLOCK] @ held).astype(np.intp), total[None, :]))
            for start in range(0, len(picks), _BLOCK)
        ]
        return np.concatenate(blocks)


def _row_sums(corpus: Corpus, values: Floats) -> Floats:
    return np.bincount(corpus.rows, values, minlength=len(corpus))


def _unit_weights(corpus: Corpus, idf: Floats) -> Floats:
    """TF-IDF of each (row, term), each message scaled to length 1; a message without terms has length 0."""
    weights = np.log1p(corpus.counts) * idf
    lengths = np.sqrt(_row_sums(corpus, weights**2))
    return np.asarray(weights / np.maximum(lengths, 1e-12)[corpus.rows])
