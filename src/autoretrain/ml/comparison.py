"""Is the candidate better than the champion on the same rows, and what will it say to live traffic?

This file measures; `autoretrain.decide.promotion` judges. Both models are scored on the same rows in the same run, so
that no stored figure is ever compared with a fresh one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.training import ExpectedLive, PairedComparison
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.guarding import score_histogram
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.text import canonical

BOOTSTRAP_SAMPLES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSplit:
    """Labels to train on, and later ones to judge on. `cutoff` is the prediction time of the newest training row.

    `enough` is false where the evaluation rows, copies capped, fall short of the minima: such a run ends in HOLD.
    """

    training: tuple[LabelledMessage, ...]
    evaluation: tuple[LabelledMessage, ...]
    cutoff: datetime | None
    enough: bool


def split_recent(
    rows: Sequence[LabelledMessage],
    *,
    share: float = 0.4,
    min_rows: int,
    min_spam: int,
    base: Iterable[LabelledMessage] = (),
    after: datetime | None = None,
    changed_at: datetime | None = None,
) -> RecentSplit:
    """Keep the newest trusted labels, by prediction time, for evaluation only; learn from those before.

    Traffic changed at `changed_at`; of the labels since then the newest `share` is judged on, or more where the minima
    (counted with copies capped) need it. A share of all labels instead would keep most of a change from the candidate,
    and judge it on rows from before. Where no change is known, that is the labels since `after`, or all. What is judged
    on must be later than what either model learnt from, and unseen by both:

    - Evaluation rows are strictly later than every dated training row, and later than `after`, the champion's own
      cut-off. Late labels can push this run's cut-off before the champion's; those rows train and are not judged on.
    - Rows without a prediction time can't be shown to be later than anything, so they train.
    - An evaluation row whose canonical text is in the training rows or in `base` is left out: both models may simply
      remember it. It is not taken from the training rows instead, since a campaign under way would then be unlearnt.
    - Near-duplicates may stand on both sides. To know the next variant of a running campaign is what retraining is
      for; `compare` caps them at three rows and reports how much of the gain one campaign makes up.
    - Rows that hash into the frozen holdout (`in_holdout`) never train. They are judged on like any other.
    """
    dated = sorted((row for row in rows if row.predicted_at is not None), key=_prediction_time)
    since = max((time for time in (changed_at, after) if time is not None), default=None)
    recent = dated if since is None else [row for row in dated if _prediction_time(row) >= since]
    start = len(dated) - _evaluation_rows(
        dated, wanted=math.ceil(share * len(recent)), min_rows=min_rows, min_spam=min_spam
    )
    cutoff = _prediction_time(dated[start - 1]) if start else None
    border = max((time for time in (cutoff, after) if time is not None), default=None)
    later = [row for row in dated if border is None or _prediction_time(row) > border]
    learnt = [row for row in rows if row.predicted_at is None] + dated[: len(dated) - len(later)]
    training = [row for row in learnt if not in_holdout(row.text)]
    seen = {canonical(row.text) for row in (*training, *base)}
    evaluation = [row for row in later if canonical(row.text) not in seen]
    capped = _capped(evaluation)
    return RecentSplit(
        training=tuple(training),
        evaluation=tuple(evaluation),
        cutoff=max((row.predicted_at for row in training if row.predicted_at is not None), default=None),
        enough=len(capped) >= min_rows and sum(row.label is Label.SPAM for row in capped) >= min_spam,
    )


def compare(
    rows: Sequence[LabelledMessage],
    candidate: Sequence[float],
    champion: Sequence[float],
    *,
    candidate_threshold: float,
    champion_threshold: float,
    seed: int,
) -> PairedComparison:
    """Both models on the same rows; `candidate` and `champion` are their spam probabilities, one a row.

    Raises ValueError where the lengths differ or there is no row.
    """
    if not rows or not len(rows) == len(candidate) == len(champion):
        raise ValueError(f"{len(rows)} rows, {len(candidate)} candidate scores, {len(champion)} champion scores")
    ids = cluster_ids([row.text for row in rows])
    kept = cap_per_cluster(ids)
    labels = [rows[index].label for index in kept]
    clusters = [ids[index] for index in kept]
    candidate_scores = [candidate[index] for index in kept]
    champion_scores = [champion[index] for index in kept]
    ours = _labels(candidate_scores, threshold=candidate_threshold)
    theirs = _labels(champion_scores, threshold=champion_threshold)
    candidate_metrics = evaluate(labels, ours, scores=candidate_scores)
    champion_metrics = evaluate(labels, theirs, scores=champion_scores)
    triples = list(zip(labels, ours, theirs, strict=True))
    fixed = [cluster for cluster, (true, our, their) in zip(clusters, triples, strict=True) if our is true is not their]
    broken = sum(their is true is not our for true, our, their in triples)
    ham = [(our, their) for true, our, their in triples if true is Label.HAM]
    cleared = sum(our is not their is Label.SPAM for our, their in ham)
    flagged = sum(their is not our is Label.SPAM for our, their in ham)
    return PairedComparison(
        rows=len(kept),
        spam_rows=sum(label is Label.SPAM for label in labels),
        clusters=len(set(clusters)),
        candidate=candidate_metrics,
        champion=champion_metrics,
        fixed=len(fixed),
        broken=broken,
        p_value=mcnemar(len(fixed), broken),
        p_worse=mcnemar(broken, len(fixed)),
        p_more_ham_flagged=mcnemar(flagged, cleared),
        accuracy_gain=candidate_metrics.accuracy - champion_metrics.accuracy,
        f1_gain=candidate_metrics.f1 - champion_metrics.f1,
        f1_gain_low=f1_gain_low(triples, clusters, seed=seed),
        ham_false_positive_increase=candidate_metrics.false_positive_rate - champion_metrics.false_positive_rate,
        largest_cluster_share=max(Counter(fixed).values()) / len(fixed) if fixed else 0.0,
    )


def expect_live(
    candidate: Sequence[float],
    champion: Sequence[float],
    *,
    candidate_threshold: float,
    champion_threshold: float,
    texts: Sequence[str] | None = None,
) -> ExpectedLive:
    """What the candidate says about the recent unlabelled window, which the champion scored as well.

    With `texts`, at most three copies of a campaign count, as they do in `measure_guard`, which the answer is compared
    with. Raises ValueError for an empty window.
    """
    kept = range(len(candidate)) if texts is None else cap_per_cluster(cluster_ids(texts))
    pairs = list(zip(candidate, champion, strict=True))
    pairs = [pairs[index] for index in kept]
    if not pairs:
        raise ValueError("nothing can be expected of a window without messages")
    ours = _labels([ours for ours, _ in pairs], threshold=candidate_threshold)
    theirs = _labels([theirs for _, theirs in pairs], threshold=champion_threshold)
    return ExpectedLive(
        messages=len(pairs),
        spam_share=sum(label is Label.SPAM for label in ours) / len(pairs),
        score_histogram=score_histogram([ours for ours, _ in pairs]),
        disagreement=sum(our is not their for our, their in zip(ours, theirs, strict=True)) / len(pairs),
    )


def mcnemar(more: int, fewer: int) -> float:
    """The one-sided exact p-value of "of the rows on which the models differ, most go this way"; 1 without any."""
    if more + fewer == 0:
        return 1.0
    return float(binomtest(more, more + fewer, 0.5, alternative="greater").pvalue)


def f1_gain_low(triples: Sequence[tuple[Label, Label, Label]], clusters: Sequence[int], *, seed: int) -> float:
    """The lower 95 % bound (one-sided) of candidate's F1 minus champion's, bootstrapped within the classes.

    A triple is (true, candidate's, champion's) label. Whole clusters are drawn, since copies stand or fall together.
    """
    generator = np.random.default_rng(seed)
    sums = np.zeros((BOOTSTRAP_SAMPLES, 4))
    for label in sorted({true for true, _, _ in triples}):
        per_cluster: dict[int, NDArray[np.float64]] = {}
        for cluster, (true, ours, theirs) in zip(clusters, triples, strict=True):
            if true is label:
                row = np.array([*_f1_parts(true, ours), *_f1_parts(true, theirs)])
                per_cluster[cluster] = per_cluster.get(cluster, 0.0) + row
        # Clusters of equal content are interchangeable, so drawing how often each content comes is the same bootstrap.
        contents, often = np.unique(np.array(list(per_cluster.values())), axis=0, return_counts=True)
        drawn = generator.multinomial(often.sum(), often / often.sum(), size=BOOTSTRAP_SAMPLES)
        sums += drawn @ contents
    return float(np.quantile(_f1(sums[:, 0], sums[:, 1]) - _f1(sums[:, 2], sums[:, 3]), 0.05))


def _f1_parts(true: Label, predicted: Label) -> tuple[float, float]:
    """Spam found, and half an error: F1 is the first's share of both."""
    return float(true is predicted is Label.SPAM), 0.5 * (true is not predicted)


def _f1(found: NDArray[np.float64], half_errors: NDArray[np.float64]) -> NDArray[np.float64]:
    total = found + half_errors
    return np.divide(found, total, out=np.zeros_like(total), where=total > 0)


def _labels(scores: Iterable[float], *, threshold: float) -> list[Label]:
    return [Label.SPAM if score >= threshold else Label.HAM for score in scores]


def _prediction_time(row: LabelledMessage) -> datetime:
    if row.predicted_at is None:
        raise ValueError("a row without a prediction time has no place in time")
    return row.predicted_at


def _capped(rows: Sequence[LabelledMessage]) -> list[LabelledMessage]:
    return [rows[index] for index in cap_per_cluster(cluster_ids([row.text for row in rows]))]


def _evaluation_rows(dated: Sequence[LabelledMessage], *, wanted: int, min_rows: int, min_spam: int) -> int:
    """How many of the newest rows to judge on: `wanted`, or more where the minima need more and can be met."""
    newest_first = dated[::-1]
    counted = cap_per_cluster(cluster_ids([row.text for row in newest_first]))
    spam = list(accumulate(newest_first[index].label is Label.SPAM for index in counted))
    needed = next(
        (index + 1 for rank, index in enumerate(counted) if rank + 1 >= min_rows and spam[rank] >= min_spam), 0
    )
    return max(needed, wanted)
