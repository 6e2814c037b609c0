"""What has the fresh champion done since its promotion? Measured without labels; the decision core judges it.

All figures are compared with what the candidate itself said about the window before its promotion (`ExpectedLive`),
never with what the previous model did: after a drift the two should differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import asin, pi, sqrt

from autoretrain.domain.messages import AuditedPrediction, Label, Prediction
from autoretrain.domain.observation import GuardEvidence, LabelWindow
from autoretrain.domain.training import SCORE_BINS, ExpectedLive
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.performance import measure_performance, wilson

SAMPLING_Z = (2.5758293035489004 - sqrt(2 / pi)) / sqrt(1 - 2 / pi)
"""How many standard deviations over its mean the 99 % quantile of |N(0, 1)| is. The distance of two samples is of that
shape where two bins hold everything, and less skewed otherwise, so one pair in a hundred at most shows a shift."""

BLOCK_MESSAGES = 500
"""The stretch in which copies are capped where no expected window gives it."""


def measure_guard(
    predictions: Sequence[Prediction],
    *,
    model_version: str,
    expected: ExpectedLive | None,
    previous_scores: Sequence[float] | None = None,
    previous_threshold: float | None = None,
    golden_ham: Sequence[Label] | None = None,
    golden_ham_expected: float | None = None,
    errors: int | None = None,
    requests: int | None = None,
    p95_seconds: float | None = None,
    previous_p95_seconds: float | None = None,
    audited: Sequence[AuditedPrediction] = (),
    audited_previous_scores: Sequence[float] | None = None,
) -> GuardEvidence:
    """Evidence about `model_version`; whatever was not given, or is of no messages, is None in the answer.

    `predictions` are those since the promotion; other versions, and the second version of an experiment, are left
    out. Of each stretch of messages as long as the expected window, at most three copies of one campaign count: one
    flood after a promotion says nothing about the model, and longer stretches would hold relatively fewer copies.
    `previous_scores` are the previous model's spam probabilities of the same messages, one a prediction, and go with
    `previous_threshold`. `golden_ham` is what the live server answered to the held-out ham set, `golden_ham_expected`
    the share of it that the artefact flagged when it was trained. `audited_previous_scores` are the previous model's of
    the `audited` messages. `errors` of `requests` ended in a server error.
    """
    if previous_scores is not None and len(previous_scores) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions, {len(previous_scores)} scores of the previous model")
    own = [
        index
        for index, prediction in enumerate(predictions)
        if prediction.model_version == model_version and prediction.role == "champion"
    ]
    block = expected.messages if expected is not None and expected.messages else BLOCK_MESSAGES
    kept = _capped_in_blocks(own, [prediction.text for prediction in predictions], block=block)
    live = [predictions[index] for index in kept]
    spam = sum(prediction.label is Label.SPAM for prediction in live)
    disagreement = None
    if live and previous_scores is not None and previous_threshold is not None:
        previous = [previous_scores[index] >= previous_threshold for index in kept]
        differing = sum(was is not (now.label is Label.SPAM) for was, now in zip(previous, live, strict=True))
        disagreement = wilson(differing, len(live))
    shift = None
    if live and expected is not None and expected.messages:
        histogram = score_histogram([prediction.score for prediction in live])
        shift = excess_distance(histogram, expected.score_histogram, size=len(live), expected_size=expected.messages)
    return GuardEvidence(
        model_version=model_version,
        messages=len(live),
        spam_share=wilson(spam, len(live)) if live else None,
        score_shift=shift,
        disagreement=disagreement,
        golden_ham_flagged=_share_of_spam(golden_ham),
        golden_ham_expected=golden_ham_expected,
        requests=requests or None,
        error_ratio=_ratio(errors, requests),
        latency_ratio=_ratio(p95_seconds, previous_p95_seconds),
        audit=_quality(audited, model_version=model_version),
        audit_previous=_previous_quality(
            audited, model_version=model_version, scores=audited_previous_scores, threshold=previous_threshold
        ),
    )


def _quality(audited: Sequence[AuditedPrediction], *, model_version: str) -> LabelWindow | None:
    return measure_performance(
        audited, model_version=model_version, pending=0, window_labels=max(1, len(audited))
    ).overall


def _previous_quality(
    audited: Sequence[AuditedPrediction], *, model_version: str, scores: Sequence[float] | None, threshold: float | None
) -> LabelWindow | None:
    """What the previous model's quality would have been on the audited messages that `model_version` answered."""
    if scores is None or threshold is None:
        return None
    answered = [
        replace(row, predicted=Label.SPAM if score >= threshold else Label.HAM)
        for row, score in zip(audited, scores, strict=True)
    ]
    return _quality(answered, model_version=model_version)


def score_histogram(scores: Iterable[float]) -> tuple[float, ...]:
    """The share of scores in each of SCORE_BINS equal bins over [0, 1]; 1 is in the last. Empty input: all zero."""
    counts = [0] * SCORE_BINS
    for score in scores:
        counts[min(int(score * SCORE_BINS), SCORE_BINS - 1)] += 1
    total = sum(counts) or 1
    return tuple(count / total for count in counts)


def excess_distance(live: Sequence[float], expected: Sequence[float], *, size: int, expected_size: int) -> float:
    """Total variation distance of two histograms less what sampling alone explains; 0 where it explains all.

    What sampling explains is the mean distance of two samples of one distribution p, and SAMPLING_Z of its standard
    deviations. The difference in a bin is near normal with variance p(1-p)(1/size + 1/expected_size), two bins have
    the correlation r of a multinomial, and the absolute values of two such normals of deviations s and t have the
    covariance 2/pi s t (sqrt(1-r^2) + r asin(r) - 1).
    """
    distance = sum(abs(a - b) for a, b in zip(live, expected, strict=True)) / 2
    pooled = [(a * size + b * expected_size) / (size + expected_size) for a, b in zip(live, expected, strict=True)]
    filled = [p for p in pooled if 0 < p < 1]
    deviations = [sqrt(p * (1 - p) * (1 / size + 1 / expected_size)) for p in filled]
    mean = sqrt(2 / pi) * sum(deviations) / 2
    variance = 0.0
    for i, (p, s) in enumerate(zip(filled, deviations, strict=True)):
        for j, (q, t) in enumerate(zip(filled, deviations, strict=True)):
            # Two bins that hold everything mirror each other exactly; rounding must not carry r beyond -1.
            r = 1.0 if i == j else max(-1.0, -sqrt(p * q / ((1 - p) * (1 - q))))
            variance += s * t * (sqrt(1 - r * r) + r * asin(r) - 1) / (2 * pi)
    return max(0.0, distance - mean - SAMPLING_Z * sqrt(variance))


def _capped_in_blocks(own: Sequence[int], texts: Sequence[str], *, block: int) -> list[int]:
    kept = []
    for start in range(0, len(own), block):
        stretch = own[start : start + block]
        kept += [stretch[index] for index in cap_per_cluster(cluster_ids([texts[index] for index in stretch]))]
    return kept


def _share_of_spam(labels: Sequence[Label] | None) -> float | None:
    return sum(label is Label.SPAM for label in labels) / len(labels) if labels else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
