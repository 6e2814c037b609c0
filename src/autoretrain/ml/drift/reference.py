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
        # One entry more than terms: the last is that of a term which the reference does not hold, number -1.
        self.frequency = np.append(corpus.document_frequencies(), 0.0)
        # A term never seen counts like a term seen once: a window's own words are no rarer than the reference's.
        self._idf = 1.0 + np.log((1.0 + self.size) / (1.0 + np.maximum(self.frequency, 1.0)))
        self._weights = _unit_weights(corpus, self._idf[corpus.ids])
        self._vector_sum = np.append(np.bincount(corpus.ids, self._weights, minlength=len(corpus.terms)), 0.0)
        self._pairs = float(self._vector_sum @ self._vector_sum - (self._weights**2).sum())
        # A term that one message alone holds would be new if that message came in the window instead.
        self._new = _row_sums(corpus, corpus.counts * (self.frequency[corpus.ids] == 1))
        self._tokens = _row_sums(corpus, corpus.counts)
        self.new_ratio = float(self._new.sum() / max(self._tokens.sum(), 1.0))
        self._errors = np.sort(corpus.errors)
        self._surprisals = self._surprisal(corpus.errors, own=True)

    def _surprisal(self, errors: Floats, *, own: bool) -> Floats:
        """-ln of the share of reference messages whose predicted label is at least as doubtful; ties count half.

        1 on average without drift, whatever the distribution of the scores: a rank (the scores of Savage, 1956) has no
        heavy tail that a small reference could miss. `own` says that each of `errors` is itself in the reference.
        """
        above = self.size - np.searchsorted(self._errors, errors, side="right")
        equal = self.size - above - np.searchsorted(self._errors, errors, side="left") - own
        return np.asarray(-np.log((above + equal / 2.0 + 0.5) / (self.size + 1.0 - own)))

    def measure(self, window: Corpus, *, numbers: Ints) -> dict[str, float]:
        """Each metric's raw value for a window's messages of this view; at least SMALLEST_VIEW of them.

        `numbers` holds the reference's number of each of the window's terms, -1 for a term that it does not know.
        """
        frequency = self.frequency[numbers]
        weights = _unit_weights(window, self._idf[numbers][window.ids])
        vector_sum = np.bincount(window.ids, weights, minlength=len(window.terms))
        new = window.counts[frequency[window.ids] == 0].sum()
        return {
            "vocabulary_drift": float(new / max(window.counts.sum(), 1.0)),
            "tfidf_drift": float(
                kernel_distance(
                    within_window=vector_sum @ vector_sum - (weights**2).sum(),
                    within_reference=self._pairs,
                    across=vector_sum @ self._vector_sum[numbers],
                    window=len(window),
                    reference=self.size,
                )
            ),
            "score_drift": float(self._surprisal(window.errors, own=False).mean()),
            "term_drift": self._term_drift(window, frequency),
        }

    def _term_drift(self, window: Corpus, frequency: Floats) -> float:
        hits = window.document_frequencies().astype(np.intp)
        total = hits + frequency.astype(np.intp)
        tested = (hits > 0) & (total >= _LEAST_COUNT)
        test = TermTest(window=len(window), reference=self.size, most=int(np.max(total, initial=0)))
        return float(strongest_terms(test.decades(hits[tested], total[tested])))

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
        frequent = np.flatnonzero(self.frequency[:-1] >= _LEAST_COUNT)
        if not len(frequent):
            return np.zeros(len(picks))
        held = np.zeros((self.size, len(self.corpus.terms)), dtype=np.float32)
        held[self.corpus.rows, self.corpus.ids] = 1.0
        held = np.ascontiguousarray(held[:, frequent])
        total = self.frequency[frequent].astype(np.intp)
        test = TermTest(window=size, reference=self.size - size, most=int(np.max(total)))
        blocks = [
            strongest_terms(test.decades((picks[start : start + _BLOCK] @ held).astype(np.intp), total[None, :]))
            for start in range(0, len(picks), _BLOCK)
        ]
        return np.concatenate(blocks)


def _row_sums(corpus: Corpus, values: Floats) -> Floats:
    return np.asarray(np.bincount(corpus.rows, values, minlength=len(corpus)), dtype=np.float64)


def _unit_weights(corpus: Corpus, idf: Floats) -> Floats:
    """TF-IDF of each (row, term), each message scaled to length 1; a message without terms has length 0."""
    weights = np.log1p(corpus.counts) * idf
    lengths = np.sqrt(_row_sums(corpus, weights**2))
    return np.asarray(weights / np.maximum(lengths, 1e-12)[corpus.rows])
