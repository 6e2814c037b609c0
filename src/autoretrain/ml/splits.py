"""Which rows measure and which train? The frozen holdout, campaigns kept together, and folds for cross-validation."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from autoretrain.domain.messages import Label
from autoretrain.ml.text import campaign_form, canonical

HOLDOUT_SHARE = 0.2

_HASH_BYTES = 8


def in_holdout(text: str, *, share: float = HOLDOUT_SHARE) -> bool:
    """Whether a message belongs to the frozen holdout: it measures, and never trains anything.

    A hash of the canonical text decides, so that the answer is the same in every run, on every machine and for every
    copy, and no list has to be kept. `share` is the expected share of distinct messages, in [0, 1].
    """
    hashed = hashlib.sha256(canonical(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:_HASH_BYTES]) < share * 2 ** (8 * _HASH_BYTES)


def group_campaigns(texts: Sequence[str]) -> NDArray[np.intp]:
    """A group number for each text; copies that differ in digits, links and case only share one. Shape (texts,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(campaign_form(text), len(numbers)) for text in texts], dtype=np.intp)


def stratified_folds(
    labels: Sequence[Label], groups: NDArray[np.intp], *, folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of row numbers (train, test): no group on both sides, each fold with about the same share of spam.

    Groups are dealt out whole, by the label of their first row; they should be small.
    """
    _, firsts, group_of = np.unique(groups, return_index=True, return_inverse=True)
    spam = np.array([labels[row] is Label.SPAM for row in firsts])
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(group_of, train)), np.flatnonzero(np.isin(group_of, test)))
        for train, test in splitter.split(np.zeros(len(spam)), spam)
    ]
