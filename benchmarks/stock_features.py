"""What are the features of a profile by scikit-learn alone? Ours are compared with them, in speed and to 1e-9."""

import re

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from autoretrain.ml.text import WORD_PATTERN, canonical


def stock_features(profile: str) -> FeatureUnion:
    """Scikit-learn's own vectorisers; nothing of ours but the canonical form of a message and the pattern of a word."""
    word = TfidfVectorizer(
        preprocessor=lambda text: re.sub("[0-9]", "0", canonical(text)),
        token_pattern=WORD_PATTERN,
        ngram_range=(1, 2),
        sublinear_tf=True,
    )
    character = TfidfVectorizer(
        analyzer="char_wb", preprocessor=canonical, ngram_range=(2, 5), min_df=2, sublinear_tf=True
    )
    return FeatureUnion([("word", word)] + ([("character", character)] if profile == "WordAndCharacter" else []))
