"""How is one message scored? A TF-IDF linear model as plain data: standard library only, so that serving stays small.

The figures equal those of the scikit-learn pipeline that `autoretrain.ml.training` fits (tested to 1e-9): per block of
terms, `tf = 1 + ln(count)`, `idf = 1 + ln((1 + rows) / (1 + rows with the term))`, each block scaled to length one;
then a weighted sum and a sigmoid.
"""

import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from autoretrain.domain.messages import Label
from autoretrain.ml.artefact import LinearParts, TermBlock, digest_of, parse_artefact, render_artefact
from autoretrain.ml.text import canonical, piece_ngrams, preprocess, word_terms, words

__all__ = ["LinearModel", "digest_of"]

_CACHED_PIECES: Final = 8192
_LONGEST_CACHED_PIECE: Final = 24

# One whitespace-separated piece of a message, in the character block: the numbers of its known n-grams (repeats kept),
# and the sums of their weights and of their squared idf as if none came twice.
Piece: TypeAlias = tuple[tuple[int, ...], float, float]


class LinearModel:
    """One loaded model. Scoring is safe from several threads; nothing changes but a bounded cache."""

    def __init__(self, parts: LinearParts) -> None:
        self.parts = parts
        self.threshold = parts.threshold
        self._words = _word_table(parts.word, parts=parts)
        self._longest = parts.word.lengths[1]
        self._plain = not parts.stems and not parts.stop_words
        if parts.character is not None:
            block = parts.character
            self._gram_numbers = dict(zip(block.terms, range(len(block.terms)), strict=True))
            idf = _idf(block, rows=parts.rows)
            self._gram_weights = [weight * value * parts.slope for weight, value in zip(block.weights, idf, strict=True)]
            self._gram_squares = [value * value for value in idf]
            self._cached_piece = lru_cache(_CACHED_PIECES)(self._piece)

    @classmethod
    def load(cls, data: bytes) -> "LinearModel":
        """The model of an artefact's bytes; raises `ArtefactRejected` for anything that `dump` did not write."""
        return cls(parse_artefact(data))

    def dump(self) -> bytes:
        """The artefact: JSON, the same bytes for the same model."""
        return render_artefact(self.parts)

    def score(self, text: str) -> float:
        """The calibrated probability of spam, in [0, 1]."""
        return _sigmoid(self._log_odds(canonical(text)))

    def scores(self, texts: Iterable[str]) -> list[float]:
        return [self.score(text) for text in texts]

    def predict(self, text: str) -> tuple[Label, float]:
        """The label, and the calibrated probability that this label is right."""
        return self.label_of(self.score(text))

    def label_of(self, score: float) -> tuple[Label, float]:
        """The label that a score means here, and the calibrated probability of that label."""
        return (Label.SPAM, score) if score >= self.threshold else (Label.HAM, 1.0 - score)

    def top_features(self, text: str, limit: int = 5) -> list[tuple[str, float]]:
        """What speaks most for spam in this message, strongest first: terms of the message with their log-odds.

        A word's share holds its own weight and that of its characters; only positive shares are named. All shares
        together with the model's offset are the message's log-odds.
        """
        shares = sorted(self.contributions(text).items(), key=lambda item: (-item[1], item[0]))
        return [(term, share) for term, share in shares[:limit] if share > 0]

    def contributions(self, text: str) -> dict[str, float]:
        """Each term's share of the message's log-odds, without the model's offset."""
        form = canonical(text)
        counts = self._word_counts(form)
        known = [(term, _tf(count), *self._words[term]) for term, count in counts.items() if term in self._words]
        length = math.sqrt(sum((tf * idf) ** 2 for _, tf, _, idf in known)) or 1.0
        shares = {term: tf * weight / length for term, tf, weight, _ in known}
        if self.parts.character is not None:
            pieces = [(piece, self._lookup(piece)[0]) for piece in form.split()]
            grams = Counter(gram for _, numbers in pieces for gram in numbers)
            length = math.sqrt(sum(_tf(count) ** 2 * self._gram_squares[gram] for gram, count in grams.items())) or 1.0
            each = {gram: _tf(count) / count * self._gram_weights[gram] / length for gram, count in grams.items()}
            for piece, numbers in pieces:
                name = (words(piece) or [piece])[0]
                shares[name] = shares.get(name, 0.0) + sum(each[gram] for gram in numbers)
        return shares

    def _word_counts(self, form: str) -> Counter[str]:
        tokens = words(form)
        if not self._plain:
            tokens = preprocess(tokens, stems=self.parts.stems, stop_words=self.parts.stop_words)
        return Counter(word_terms(tokens, longest=self._longest))

    def _log_odds(self, form: str) -> float:
        total = squares = 0.0
        table = self._words
        for term, count in self._word_counts(form).items():
            entry = table.get(term)
            if entry is not None:
                weight, idf = entry
                if count > 1:
                    tf = 1.0 + math.log(count)
                    weight *= tf
                    idf *= tf
                total += weight
                squares += idf * idf
        log_odds = self.parts.offset
        if squares:
            log_odds += total / math.sqrt(squares)
        if self.parts.character is not None:
            log_odds += self._character_log_odds(form)
        return log_odds

    def _character_log_odds(self, form: str) -> float:
        numbers: list[int] = []
        total = squares = 0.0
        for piece in form.split():
            found, weight, square = self._lookup(piece)
            numbers += found
            total += weight
            squares += square
        # The sums count each n-gram as if it stood once in the whole message. The few that come more than once are
        # put right here, which is what makes sums kept by piece exact.
        for number, count in Counter(numbers).items():
            if count > 1:
                tf = 1.0 + math.log(count)
                total += (tf - count) * self._gram_weights[number]
                squares += (tf * tf - count) * self._gram_squares[number]
        return total / math.sqrt(squares) if squares > 0.0 else 0.0

    def _lookup(self, piece: str) -> Piece:
        # Long pieces are links and noise: they rarely come again, and would make the cache large.
        return self._cached_piece(piece) if len(piece) <= _LONGEST_CACHED_PIECE else self._piece(piece)

    def _piece(self, piece: str) -> Piece:
        block = self.parts.character
        if block is None:
            return (), 0.0, 0.0
        get = self._gram_numbers.get
        numbers = tuple(
            number for gram in piece_ngrams(piece, lengths=block.lengths) if (number := get(gram)) is not None
        )
        return (
            numbers,
            sum(self._gram_weights[number] for number in numbers),
            sum(self._gram_squares[number] for number in numbers),
        )


def _tf(count: int) -> float:
    return 1.0 + math.log(count)


def _idf(block: TermBlock, *, rows: int) -> list[float]:
    by_count = {count: 1.0 + math.log((1 + rows) / (1 + count)) for count in set(block.document_counts)}
    return [by_count[count] for count in block.document_counts]


def _word_table(block: TermBlock, *, parts: LinearParts) -> dict[str, tuple[float, float]]:
    """Weight (idf and slope already in it) and idf of each term."""
    idf = _idf(block, rows=parts.rows)
    return {
        term: (weight * value * parts.slope, value)
        for term, weight, value in zip(block.terms, block.weights, idf, strict=True)
    }


def _sigmoid(log_odds: float) -> float:
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)
