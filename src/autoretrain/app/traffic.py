"""What each served version answered lately, side by side: the figures behind `autoretrain compare`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from autoretrain.domain.messages import Label, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTraffic:
    """`role` is champion, candidate (it answered its share of an A/B test) or shadow (it answered none).

    `disagreement` is the share of messages that a shadow labels differently from the answer; None for the others.
    """

    version: str
    role: str
    messages: int
    spam_share: float
    mean_score: float
    disagreement: float | None


def traffic_by_version(predictions: Iterable[Prediction], *, threshold: float = 0.5) -> list[VersionTraffic]:
    """Group answered messages by the version that scored them; a shadow labels at `threshold`."""
    answered: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    shadowed: dict[str, list[tuple[Prediction, float]]] = defaultdict(list)
    for prediction in predictions:
        answered[prediction.model_version, prediction.role].append(prediction)
        if prediction.other_version is not None and prediction.other_score is not None:
            shadowed[prediction.other_version].append((prediction, prediction.other_score))
    return [
        *(_answered(version, role, rows) for (version, role), rows in answered.items()),
        *(_shadow(version, rows, threshold=threshold) for version, rows in shadowed.items()),
    ]


def _answered(version: str, role: str, rows: list[Prediction]) -> VersionTraffic:
    spam = sum(row.label is Label.SPAM for row in rows)
    mean = sum(row.score for row in rows) / len(rows)
    return VersionTraffic(
        version=version, role=role, messages=len(rows), spam_share=spam / len(rows), mean_score=mean, disagreement=None
    )


def _shadow(version: str, rows: list[tuple[Prediction, float]], *, threshold: float) -> VersionTraffic:
    called_spam = [score >= threshold for _, score in rows]
    differs = sum(spam is not (row.label is Label.SPAM) for spam, (row, _) in zip(called_spam, rows, strict=True))
    return VersionTraffic(
        version=version,
        role="shadow",
        messages=len(rows),
        spam_share=sum(called_spam) / len(rows),
        mean_score=sum(score for _, score in rows) / len(rows),
        disagreement=differs / len(rows),
    )
