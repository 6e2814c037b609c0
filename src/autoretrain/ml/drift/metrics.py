"""How far are two sets of messages apart? The formulas of the metrics, for one window and for thousands of resamplings.

Every formula broadcasts: its arguments are numbers, or arrays with one entry a resampling. None is biased by the size
of the reference, so what was calibrated on part of a reference holds for all of it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

METRICS: Final = ("vocabulary_drift", "tfidf_drift", "score_drift", "term_drift")
"""Measured in each view; the name in a view other than the whole ends with the view's."""

SPAM_SHARE: Final = "spam_share"
STRONGEST_TERMS: Final = 5
_MOST_DECADES = 50.0
_MOST_SURPRISAL = 10.0


def metric_name(metric: str, view: str) -> str:
    """
    >>> metric_name("tfidf_drift", "whole"), metric_name("tfidf_drift", "spam")
    ('tfidf_drift', 'tfidf_drift_spam')
    """
    return metric if view == "whole" else f"{metric}_{view}"


def largest_value(name: str) -> float:
    """The value at which a metric's score is 1: decades for tests, nats of surprisal for scores, 1 for shares."""
    if name.startswith("score_drift"):
        return _MOST_SURPRISAL
    return 1.0 if name.startswith(("vocabulary_drift", "tfidf_drift", SPAM_SHARE)) else _MOST_DECADES


def kernel_distance(
    *, within_window: Values, within_reference: Values | float, across: Values, window: int, reference: int
) -> Values:
    """`tfidf_drift`: half the squared distance of the mean TF-IDF vectors of `window` and `reference` messages.

    The arguments are sums of cosine similarities over all ordered pairs of different messages. Leaving out each
    message's similarity to itself makes the estimate unbiased (Gretton et al., JMLR 2012, equation 3): 0 on average
    without drift at every size, and so at times a little below it.
    """
    inner = within_window / max(window * (window - 1), 1)
    outer = within_reference / max(reference * (reference - 1), 1)
    return np.asarray((inner + outer - 2.0 * across / max(window * reference, 1)) / 2.0)


class TermTest:
    """The exact one-sided test that a term is more frequent in the window than in the reference.

    Given that a term is in t of all messages, the number of them in the window is hypergeometric. Holds
    -log10 P(at least a) for every t up to `most` and every a, shape (most + 1, min(window, most) + 1).
    """

    def __init__(self, *, window: int, reference: int, most: int) -> None:
        total = np.arange(most + 1)[:, None]
        hits = np.arange(min(window, most) + 1)[None, :]
        possible = (hits <= total) & (total - hits <= reference)
        inside = np.where(possible, hits, 0)
        outside = np.where(possible, total - hits, 0)
        log_chance = (
            _log_choose(window, inside) + _log_choose(reference, outside) - _log_choose(window + reference, total)
        )
        chance = np.where(possible, np.exp(np.minimum(log_chance, 0.0)), 0.0)
        tail = np.cumsum(chance[:, ::-1], axis=1)[:, ::-1]
        self._decades = -np.log10(np.clip(tail, 10.0**-_MOST_DECADES, 1.0))

    def decades(self, hits: NDArray[np.intp] | int, total: NDArray[np.intp] | int) -> Values:
        """-log10 of the chance of at least `hits` of `total` in the window, of the broadcast shape of both."""
        return np.asarray(self._decades[total, hits], dtype=np.float64)


def strongest_terms(decades: Values) -> Values:
    """`term_drift`: the mean of the five largest along the last axis. One word alone is chance; a campaign has five."""
    if decades.shape[-1] < STRONGEST_TERMS:
        return np.asarray(decades.sum(axis=-1) / STRONGEST_TERMS)
    return np.asarray(np.partition(decades, -STRONGEST_TERMS, axis=-1)[..., -STRONGEST_TERMS:].mean(axis=-1))


def _log_choose(n: int, k: NDArray[np.intp]) -> Values:
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return np.asarray(factorial[n] - factorial[k] - factorial[n - k])
