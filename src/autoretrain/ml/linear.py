"""How is one message scored? A TF-IDF linear model over plain data: standard library only, so that serving stays small.

The figures equal those of the scikit-learn pipeline of the same parts (tested to 1e-9). In each block of terms
`tf = 1 + ln(count)` and `idf = 1 + ln((1 + rows) / (1 + rows with the term))`, and the block is scaled to length one;
then follow a weighted sum and a sigmoid.
"""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label
from autoretrain.ml.artefact import LinearParts, TermBlock, digest_of, parse_artefact, render_artefact
from autoretrain.ml.text import canonical, piece_ngrams, preprocess, word_terms, words

__all__ = ["LinearModel", "digest_of"]

CACHED_PIECES: Final = 16_384
LONGEST_CACHED_PIECE: Final = 24
"""Longer pieces are links and noise: they rarely come again and would make the cache large."""

# One piece of a message between spaces: the numbers of its known n-grams (repeats kept), and the sums of their weights
# and of their squared idf, as if none came twice.
Piece: TypeAlias = tuple[tuple[int, ...], float, float]

_COMMON_COUNTS: Final = 64
_TF: Final = (0.0, *(1.0 + math.log(count) for count in range(1, _COMMON_COUNTS)))


def _tf(count: int) -> float:
    return _TF[count] if count < _COMMON_COUNTS else 1.0 + math.log(count)


class _Block:
    """A vocabulary ready to be looked up: a term's number, and by number its weight (with idf in it) and its idf."""

    __slots__ = ("idf", "numbers", "weights")

    def __init__(self, block: TermBlock, *, rows: int, slope: float) -> None:
        idf_of = {count: 1.0 + math.log((1 + rows) / (1 + count)) for count in set(block.document_counts)}
        self.numbers = dict(zip(block.terms, range(len(block.terms)), strict=True))
        if len(self.numbers) != len(block.terms):
            raise ArtefactRejected("model artefact is damaged: a term stands twice in one block")
        self.idf = array("d", [idf_of[count] for count in block.document_counts])
        self.weights = array("d", [weight * idf * slope for weight, idf in zip(block.weights, self.idf, strict=True)])

    def shares(self, counts: Counter[str]) -> dict[str, float]:
        """Each known term's share of the block's log-odds."""
        known = [(term, _tf(count), self.numbers[term]) for term, count in counts.items() if term in self.numbers]
        length = math.sqrt(sum((tf * self.idf[number]) ** 2 for _, tf, number in known)) or 1.0
        return {term: tf * self.weights[number] / length for term, tf, number in known}

    def log_odds(self, counts: Counter[str]) -> float:
        """The sum of `shares`."""
        total = squares = 0.0
        find, weights, idfs = self.numbers.get, self.weights, self.idf
        for term, count in counts.items():
            number = find(term)
            if number is not None:
                weight, idf = weights[number], idfs[number]
                if count > 1:
                    tf = _tf(count)
                    weight *= tf
                    idf *= tf
                total += weight
                squares += idf * idf
        return total / math.sqrt(squares) if squares else 0.0


class _CharacterBlock:
    """A block of character n-grams, looked up by whole pieces, which are kept: most pieces of a message came before."""

    def __init__(self, block: TermBlock, *, rows: int, slope: float) -> None:
        ready = _Block(block, rows=rows, slope=slope)
        self._weights = ready.weights
        self._squares = array("d", [idf * idf for idf in ready.idf])
        self._read = _piece_reader(block.lengths, numbers=ready.numbers, weights=self._weights, squares=self._squares)
        self._read_cached = lru_cache(CACHED_PIECES)(self._read)

    @property
    def cached_pieces(self) -> int:
        return self._read_cached.cache_info().currsize

    def _pieces(self, form: str) -> list[tuple[str, Piece]]:
        return [
            (piece, self._read_cached(piece) if len(piece) <= LONGEST_CACHED_PIECE else self._read(piece))
            for piece in form.split()
        ]

    def log_odds(self, form: str) -> float:
        """The block's log-odds of a canonical text."""
        seen: list[int] = []
        total = squares = 0.0
        for _, (numbers, weight, square) in self._pieces(form):
            seen += numbers
            total += weight
            squares += square
        # The sums hold each n-gram as often as it stands in the message, but tf grows with the logarithm. The few
        # n-grams that come again are put right here; that is what makes sums kept by piece exact.
        weights, squared = self._weights, self._squares
        for number, count in Counter(seen).items():
            if count > 1:
                tf = _tf(count)
                total += (tf - count) * weights[number]
                squares += (tf * tf - count) * squared[number]
        return total / math.sqrt(squares) if seen else 0.0

    def shares(self, form: str) -> dict[str, float]:
        """Each piece's share of the block's log-odds, under the piece's first word or sign."""
        pieces = self._pieces(form)
        counts = Counter(number for _, (numbers, _, _) in pieces for number in numbers)
        again = {number: count for number, count in counts.items() if count > 1}
        squares = sum(square for _, (_, _, square) in pieces)
        squares += sum((_tf(count) ** 2 - count) * self._squares[number] for number, count in again.items())
        length = math.sqrt(squares) if counts else 1.0
        # As in log_odds: the kept sums are right but for the n-grams that come again.
        excess = {number: (_tf(count) / count - 1.0) * self._weights[number] for number, count in again.items()}
        shares: dict[str, float] = {}
        for piece, (numbers, weight, _) in pieces:
            name = next(iter(words(piece)), piece)
            share = weight + sum(excess[number] for number in numbers if number in excess)
            shares[name] = shares.get(name, 0.0) + share / length
        return shares


def _piece_reader(
    lengths: tuple[int, int], *, numbers: dict[str, int], weights: Sequence[float], squares: Sequence[float]
) -> Callable[[str], Piece]:
    # A function rather than a method: a cache that held its own model would keep each replaced model in memory.
    find, weight_of, square_of = numbers.get, weights.__getitem__, squares.__getitem__

    def read(piece: str) -> Piece:
        found = [number for number in map(find, piece_ngrams(piece, lengths=lengths)) if number is not None]
        return tuple(found), sum(map(weight_of, found)), sum(map(square_of, found))

    return read


class LinearModel:
    """One loaded model. Scoring is safe from several threads; nothing changes but a bounded cache."""

    def __init__(self, parts: LinearParts) -> None:
        self.parts = parts
        self.threshold = parts.threshold
        self._word = _Block(parts.word, rows=parts.rows, slope=parts.slope)
        self._character = (
            None if parts.character is None else _CharacterBlock(parts.character, rows=parts.rows, slope=parts.slope)
        )

    @classmethod
    def load(cls, data: bytes) -> "LinearModel":
        """The model of an artefact's bytes; raises `ArtefactRejected` for anything that `dump` did not write."""
        return cls(parse_artefact(data))

    def dump(self) -> bytes:
        """The artefact: JSON, the same bytes for the same model."""
        return render_artefact(self.parts)

    def score(self, text: str) -> float:
        """The calibrated probability of spam, in [0, 1]."""
        form = canonical(text)
        log_odds = self.parts.offset + self._word.log_odds(self._count_words(form))
        if self._character is not None:
            log_odds += self._character.log_odds(form)
        return _sigmoid(log_odds)

    @property
    def cached_pieces(self) -> int:
        """How many pieces of earlier messages are kept; at most CACHED_PIECES."""
        return 0 if self._character is None else self._character.cached_pieces

    def scores(self, texts: Iterable[str]) -> list[float]:
        return [self.score(text) for text in texts]

    def predict(self, text: str) -> tuple[Label, float]:
        """The label, and the calibrated probability that this label is right."""
        return self.label_of(self.score(text))

    def label_of(self, score: float) -> tuple[Label, float]:
        """The label that a score means for this model, and the calibrated probability of that label."""
        return (Label.SPAM, score) if score >= self.threshold else (Label.HAM, 1.0 - score)

    def top_features(self, text: str, limit: int = 5) -> list[tuple[str, float]]:
        """What speaks most for spam here: terms with their positive shares of the log-odds, largest first."""
        shares = sorted(self.contributions(text).items(), key=lambda item: (-item[1], item[0]))
        return [(term, share) for term, share in shares[:limit] if share > 0.0]

    def contributions(self, text: str) -> dict[str, float]:
        """Each term's share of the message's log-odds; together with `parts.offset` they are the log-odds.

        A word's share holds its own weight and that of the characters of the piece that it begins.
        """
        form = canonical(text)
        shares = self._word.shares(self._count_words(form))
        if self._character is not None:
            for name, share in self._character.shares(form).items():
                shares[name] = shares.get(name, 0.0) + share
        return shares

    def _count_words(self, form: str) -> Counter[str]:
        tokens = preprocess(words(form), stems=self.parts.stems, stop_words=self.parts.stop_words)
        return Counter(word_terms(tokens, longest=self.parts.word.lengths[1]))


def _sigmoid(log_odds: float) -> float:
    # Each branch takes the exponential of a number that is not positive, so that none overflows.
    if log_odds >= 0.0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)
