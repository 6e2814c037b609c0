"""How do messages become matrices for training? Counted once in all, then weighed anew in each fold.

Weighing a fold with figures of its own training rows only (document counts, and the terms that stand in them) makes
cross-validation answer what fitting the whole pipeline in that fold would, without counting five times.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from autoretrain.ml.artefact import TermBlock
from autoretrain.ml.splits import Rows
from autoretrain.ml.text import canonical, piece_ngrams, preprocess, word_terms, words
from autoretrain.ml.variants import Preprocessing, Profile

WORD_LENGTHS: Final = (1, 2)
WORD_MIN_ROWS: Final = 1
CHARACTER_LENGTHS: Final = (2, 5)
CHARACTER_MIN_ROWS: Final = 2
"""An n-gram of a single row tells nothing that the row's words do not, and half of all n-grams are such."""

NLTK_DATA: Final = Path(__file__).with_name("nltk_data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each term stands in each row. `matrix` has the shape (rows, terms); terms are sorted."""

    matrix: csr_matrix
    terms: tuple[str, ...]
    lengths: tuple[int, int]
    min_rows: int


def count_terms(
    bags: Iterable[Sequence[str]], *, lengths: tuple[int, int], min_rows: int, terms: Sequence[str] | None = None
) -> Counts:
    """Counts of each bag's terms; only `terms`, in their order, where they are given."""
    counter = CountVectorizer(analyzer=_as_it_is, min_df=min_rows, vocabulary=terms, dtype=np.float64)
    matrix = counter.fit_transform(bags)
    return Counts(
        matrix=matrix, terms=tuple(counter.get_feature_names_out().tolist()), lengths=lengths, min_rows=min_rows
    )


def _as_it_is(bag: Sequence[str]) -> Sequence[str]:
    return bag


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTable:
    """What preprocessing does to words, as plain data that serving can carry: see `text.preprocess`."""

    stems: Mapping[str, str]
    stop_words: frozenset[str]


def learn_words(preprocessing: Preprocessing, vocabulary: Iterable[str]) -> WordTable:
    """The table of a preprocessing over the words of a training set. A word outside it stands for itself.

    NLTK is imported here, since it takes a second and most variants do without.
    """
    match preprocessing:
        case Preprocessing.PLAIN:
            return WordTable(stems={}, stop_words=frozenset())
        case Preprocessing.WITHOUT_STOP_WORDS:
            import nltk
            from nltk.corpus.reader import WordListCorpusReader

            # NLTK opens no file outside its search path. The reader is given our folder itself, so that a list of
            # the same name elsewhere on this machine cannot take its place.
            if str(NLTK_DATA) not in nltk.data.path:
                nltk.data.path.append(str(NLTK_DATA))
            listed = WordListCorpusReader(str(NLTK_DATA / "corpora" / "stopwords"), ["english"]).words()
            return WordTable(stems={}, stop_words=frozenset(token for entry in listed for token in words(entry)))
        case Preprocessing.STEMMED:
            from nltk.stem.snowball import SnowballStemmer

            stem = SnowballStemmer("english").stem
            stems = {token: stem(token) for token in sorted(set(vocabulary)) if token.isalpha()}
            return WordTable(
                stems={token: stemmed for token, stemmed in stems.items() if stemmed != token}, stop_words=frozenset()
            )


class Corpus:
    """Texts split once, and their counts: of words for each preprocessing, and of characters where the profile asks."""

    def __init__(self, texts: Sequence[str], *, profile: Profile) -> None:
        forms = [canonical(text) for text in texts]
        self._tokens = [words(form) for form in forms]
        self._tables: dict[Preprocessing, WordTable] = {}
        self._words: dict[Preprocessing, Counts] = {}
        self.profile = profile
        self._all_rows: Rows = np.arange(len(forms), dtype=np.intp)
        self.character = _count_characters(forms) if profile is Profile.WORD_AND_CHARACTER else None

    def table(self, preprocessing: Preprocessing) -> WordTable:
        if preprocessing not in self._tables:
            self._tables[preprocessing] = learn_words(preprocessing, self._vocabulary(self._all_rows))
        return self._tables[preprocessing]

    def words(self, preprocessing: Preprocessing) -> Counts:
        if preprocessing not in self._words:
            bags = self._bags(self._all_rows, table=self.table(preprocessing))
            self._words[preprocessing] = count_terms(bags, lengths=WORD_LENGTHS, min_rows=WORD_MIN_ROWS)
        return self._words[preprocessing]

    def word_fold(self, preprocessing: Preprocessing, *, train: Rows, test: Rows) -> tuple[csr_matrix, csr_matrix]:
        """Weighed word matrices of the rows to train on and to test on; nothing of them is learnt from the latter."""
        counts = self.words(preprocessing)
        weigher = weigh(counts, fitted_on=train)
        unseen = counts.matrix[test]
        table = self.table(preprocessing)
        if table.stems:
            # A model trained on these rows would have no stem for a word that only stands in the others.
            seen = self._vocabulary(train)
            known = WordTable(stems={t: s for t, s in table.stems.items() if t in seen}, stop_words=table.stop_words)
            bags = self._bags(test, table=known)
            unseen = count_terms(bags, lengths=counts.lengths, min_rows=1, terms=counts.terms).matrix
        return weigher.transform(counts.matrix[train]), weigher.transform(unseen)

    def character_fold(self, *, train: Rows, test: Rows) -> tuple[csr_matrix, csr_matrix] | None:
        """The same of the character block; None where the profile has none."""
        if self.character is None:
            return None
        weigher = weigh(self.character, fitted_on=train)
        return weigher.transform(self.character.matrix[train]), weigher.transform(self.character.matrix[test])

    def _vocabulary(self, rows: Rows) -> set[str]:
        return {token for row in rows for token in self._tokens[row]}

    def _bags(self, rows: Rows, *, table: WordTable) -> Iterator[list[str]]:
        for row in rows:
            tokens = preprocess(self._tokens[row], stems=table.stems, stop_words=table.stop_words)
            yield word_terms(tokens, longest=WORD_LENGTHS[1])


def _count_characters(forms: Sequence[str]) -> Counts:
    grams = cache(partial(piece_ngrams, lengths=CHARACTER_LENGTHS))
    bags = ([gram for piece in form.split() for gram in grams(piece)] for form in forms)
    return count_terms(bags, lengths=CHARACTER_LENGTHS, min_rows=CHARACTER_MIN_ROWS)


def weigh(counts: Counts, *, fitted_on: Rows | None = None) -> TfidfTransformer:
    """A TF-IDF weighing learnt from these rows alone (or all); a term that stands in too few of them weighs nothing."""
    fitted = counts.matrix if fitted_on is None else counts.matrix[fitted_on]
    weigher = TfidfTransformer(sublinear_tf=True).fit(fitted)
    weigher.idf_ = np.where(_rows_with(fitted) >= counts.min_rows, weigher.idf_, 0.0)
    return weigher


def stack(*blocks: csr_matrix) -> csr_matrix:
    """Blocks of the same rows side by side."""
    return blocks[0] if len(blocks) == 1 else hstack(blocks, format="csr")


def build_block(counts: Counts, *, weights: NDArray[np.float64]) -> TermBlock:
    """The block that serving loads, of counts over all training rows and one weight a term."""
    return TermBlock(
        lengths=counts.lengths,
        terms=counts.terms,
        document_counts=tuple(_rows_with(counts.matrix).tolist()),
        weights=tuple(weights.tolist()),
    )


def _rows_with(matrix: csr_matrix) -> NDArray[np.intp]:
    return np.bincount(matrix.indices, minlength=matrix.shape[1])
