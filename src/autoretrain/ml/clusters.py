"""Which messages are copies of one campaign? Copies are not independent evidence, so no count may hold many of them."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice, pairwise

from autoretrain.ml.text import campaign_form

SIMILARITY = 0.5
"""Jaccard similarity of word pairs from which two messages are copies. A template of 20 words with three of them
replaced keeps 0.52; replies that merely begin alike stay under 0.4."""

COPIES_COUNTED = 3
"""So many rows of one cluster count in a test, an interval, a window or the training rows."""

COMPARISONS = 200
"""So many leaders are looked at for one message, those of its rarest pairs first: the bound on hostile texts."""

Shingles = frozenset[tuple[str, str]]


def cluster_ids(texts: Sequence[str]) -> list[int]:
    """The cluster of each message, numbered from 0 in order of first appearance.

    Every distinct campaign form joins the most similar leader (at least SIMILARITY) or becomes one. Copies are
    compared with leaders only, so a flood of one campaign costs no more than its size, and similarity does not chain
    from one message to the next. Which messages share a cluster does not depend on their order.
    """
    forms = [campaign_form(text) for text in texts]
    leader_of = _leaders(set(forms))
    numbers: dict[str, int] = {}
    return [numbers.setdefault(leader_of[form], len(numbers)) for form in forms]


def cap_per_cluster(ids: Sequence[int], limit: int = COPIES_COUNTED) -> list[int]:
    """The indices of the first `limit` rows of each cluster, ascending."""
    seen: Counter[int] = Counter()
    kept = []
    for index, cluster in enumerate(ids):
        seen[cluster] += 1
        if seen[cluster] <= limit:
            kept.append(index)
    return kept


def _leaders(forms: set[str]) -> dict[str, str]:
    shingles = {form: _shingles(form) for form in forms}
    frequency = Counter(pair for pairs in shingles.values() for pair in pairs)
    leader_of: dict[str, str] = {}
    posted: dict[tuple[str, str], list[str]] = defaultdict(list)
    # Long forms first: a leader then holds the whole template, and copies that were cut short are measured against it.
    for form in sorted(forms, key=lambda form: (-len(shingles[form]), form)):
        own = shingles[form]
        # Two sets of Jaccard similarity s share a member among the rarest len - ceil(s * len) + 1 of each (prefix
        # filtering: Chaudhuri, Ganti and Kaushik, ICDE 2006), so the frequent pairs need no index.
        prefix = len(own) - math.ceil(SIMILARITY * len(own)) + 1
        rare = sorted(own, key=lambda pair: (frequency[pair], pair))[:prefix]
        candidates = dict.fromkeys(islice((leader for pair in rare for leader in posted[pair]), COMPARISONS))
        leader_of[form] = leader = _most_similar(form, list(candidates), shingles=shingles)
        if leader == form:
            for pair in rare:
                posted[pair].append(form)
    return leader_of


def _most_similar(form: str, leaders: Sequence[str], *, shingles: dict[str, Shingles]) -> str:
    """The first of the most similar leaders, or the form itself where none is similar enough."""
    own = shingles[form]
    best, best_similarity = form, 0.0
    for leader in leaders:
        shared = len(own & shingles[leader])
        similarity = shared / (len(own) + len(shingles[leader]) - shared)
        if similarity >= SIMILARITY and similarity > best_similarity:
            best, best_similarity = leader, similarity
    return best


def _shingles(form: str) -> Shingles:
    """Neighbouring words, the ends of the message counted as words: so that one word too has pairs."""
    tokens = ["", *form.split(), ""]
    return frozenset(pairwise(tokens))
