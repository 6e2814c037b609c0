"""What is the same message, the same campaign, and what are a message's words? Training and serving both ask here."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

# Characters that are not seen: soft hyphen, zero-width spaces and joiners, direction marks, byte order mark. Spam
# hides words behind them.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/\S*)?\b")
_DIGITS = re.compile(r"\d+")

WORD_PATTERN = r"\w+|[^\w\s]"
"""A run of letters, digits and underscores, or one other sign: a currency, an exclamation mark, an emoji."""

_WORD = re.compile(WORD_PATTERN)
_ONE_DIGIT = str.maketrans("123456789", "000000000")


def canonical(text: str) -> str:
    """The identity of a message: NFKC, invisible characters dropped, case folded, white space folded to one space.

    Two messages of the same canonical form are one message: duplicates and the frozen holdout go by it, so what this
    function answers must never change for any text.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    # Case folding can leave a text that is no longer normal (and the reverse), so it is done before and after.
    folded = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).casefold().split())


def campaign_form(text: str) -> str:
    """The canonical form with links and e-mail addresses as `@` and every run of digits as `0`.

    Copies of one campaign differ in the telephone number, the code and the link; they share this form.
    """
    return _DIGITS.sub("0", _ADDRESS.sub("@", canonical(text)))


def words(canonical_text: str) -> list[str]:
    """The words and signs of a canonical text in order, repeats kept, each digit as `0`.

    Which number is called tells less than that one of eleven digits is.
    """
    return _WORD.findall(canonical_text.translate(_ONE_DIGIT))


def preprocess(tokens: Iterable[str], *, stems: Mapping[str, str], stop_words: frozenset[str]) -> list[str]:
    """Words as the word block counts them: without stop words, each as its stem where it has one."""
    return [stems.get(token, token) for token in tokens if token not in stop_words]


def word_terms(tokens: Sequence[str], *, longest: int) -> list[str]:
    """Runs of 1 to `longest` words, joined by a space, repeats kept."""
    terms = list(tokens)
    for length in range(2, longest + 1):
        terms += map(" ".join, zip(*(tokens[start:] for start in range(length)), strict=False))
    return terms


def piece_ngrams(piece: str, *, lengths: tuple[int, int]) -> list[str]:
    """Character n-grams of one piece with a space at both ends, shortest first, repeats kept.

    A piece that is shorter than n counts once, whole, and not again for longer n: as scikit-learn's `char_wb` does.
    """
    padded = f" {piece} "
    size = len(padded)
    grams: list[str] = []
    for length in range(lengths[0], lengths[1] + 1):
        if size <= length:
            grams.append(padded)
            break
        grams += [padded[start : start + length] for start in range(size - length + 1)]
    return grams
