"""Which rows measure and which train? The frozen holdout, and folds that keep campaigns together."""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from autoretrain.domain.messages import Label
from autoretrain.ml.text import canonical

HOLDOUT_SHARE: Final = 0.2

Rows: TypeAlias = NDArray[np.intp]
"""Numbers of rows. Shape (rows,)."""

_HASH_BYTES: Final = 8
_HASHES: Final = 256.0**_HASH_BYTES


def in_holdout(text: str, *, share: float = HOLDOUT_SHARE) -> bool:
    """Whether a message belongs to the frozen holdout: it measures, and never trains anything.

    A hash of the canonical text decides, so that the answer is the same in every run, on every machine and for every
    copy, and no list has to be kept. `share` is the expected share of distinct messages, in [0, 1].
    """
    hashed = hashlib.sha256(canonical(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:_HASH_BYTES]) < share * _HASHES


def stratified_folds(
    labels: Sequence[Label], clusters: Sequence[int], *, folds: int, seed: int
) -> list[tuple[Rows, Rows]]:
    """Row numbers to train and to test on: no cluster on both sides, each fold with about the same share of spam.

    Clusters are dealt out whole, by the label of their first row; they should be small, and each label needs at least
    as many as there are folds.
    """
    _, firsts, cluster_of = np.unique(clusters, return_index=True, return_inverse=True)
    spam = np.array([labels[row] is Label.SPAM for row in firsts])
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(cluster_of, train)), np.flatnonzero(np.isin(cluster_of, test)))
        for train, test in splitter.split(np.zeros(len(spam)), spam)
    ]
