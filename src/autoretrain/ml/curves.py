"""What would other thresholds do? How much spam a model catches for how much ham it flags, on the rows of a comparison.

Kept as counts: the curve of precision against recall and that of both classes' rates are two drawings of one list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids

CURVES_FILE: Final = "curves.json"
"""The artefact of a run that holds its RunCurves."""

MOST_POINTS: Final = 200
"""A curve is kept in as many points, evenly picked where it has more."""

Flagged = tuple[int, int]
"""How many rows of ham and how many of spam are called spam at one threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One model at every threshold, from the highest (nothing is flagged) to the lowest (everything is).

    `points` are the corners: between two of them both counts grow evenly. `chosen` is where the model's own threshold
    stands.
    """

    points: tuple[Flagged, ...]
    chosen: Flagged


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Both models on the same rows, at most three copies of a campaign counted.

    `champion` is None for a first model, and every row counts then.
    """

    ham: int
    spam: int
    candidate: Curve
    champion: Curve | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCurves:
    """What a run leaves of its comparison for whoever wants to see it; None where there were no such rows."""

    holdout: Curves | None
    recent: Curves | None


Scored = tuple[Sequence[float], float]
"""A model's spam probability of each row, and its threshold."""


def curves_of(rows: Sequence[LabelledMessage], candidate: Scored, champion: Scored | None) -> Curves | None:
    """The curves on the rows that `comparison.compare` counts; None without rows."""
    if not rows:
        return None
    # A first model has nothing to be compared with, and is measured on every row.
    kept = list(range(len(rows))) if champion is None else cap_per_cluster(cluster_ids([row.text for row in rows]))
    spam = np.array([rows[index].label is Label.SPAM for index in kept])
    return Curves(
        ham=int((~spam).sum()),
        spam=int(spam.sum()),
        candidate=_curve(spam, candidate, kept),
        champion=None if champion is None else _curve(spam, champion, kept),
    )


def _curve(spam: NDArray[np.bool_], scored: Scored, kept: Sequence[int]) -> Curve:
    every, threshold = scored
    scores = np.array([every[index] for index in kept])
    order = np.argsort(-scores, kind="stable")
    falling, is_spam = scores[order], spam[order]
    # Rows of one score are flagged together.
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    caught = np.cumsum(is_spam)[ends].tolist()
    alarms = np.cumsum(~is_spam)[ends].tolist()
    flagged = scores >= threshold
    return Curve(
        points=_thinned(_corners([(0, 0), *zip(alarms, caught, strict=True)])),
        chosen=(int((flagged & ~spam).sum()), int((flagged & spam).sum())),
    )


def _corners(points: Sequence[Flagged]) -> list[Flagged]:
    """`points` without those that lie on the straight line between their neighbours."""
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(points)]
    turns = [
        point
        for point, before, after in zip(points[1:], steps, steps[1:], strict=False)
        if before[0] * after[1] != before[1] * after[0]
    ]
    return [points[0], *turns, points[-1]]


def _thinned(points: Sequence[Flagged]) -> tuple[Flagged, ...]:
    if len(points) <= MOST_POINTS:
        return tuple(points)
    picked = np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int)
    return tuple(points[index] for index in picked)
