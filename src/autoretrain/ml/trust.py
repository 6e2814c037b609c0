"""Which labels may train, how many of each source, and how much does each row weigh?

Every rule looks only at the labels it is given and at their order, never at absolute numbers: without a source's
labels the answer is the one that would have been, had the source never sent any.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.ml.clusters import COPIES_COUNTED, cluster_ids
from autoretrain.ml.text import canonical

LEAST_SPAM_SHARE, GREATEST_SPAM_SHARE = 0.02, 0.5
"""Bounds of the class prior that weights restore: an estimate outside is a flood, or a fault in what counted it."""

GREATEST_WEIGHT = 5.0
"""No class's rows may weigh more than this: few rows of a class can't stand for all of it."""


class Exclusion(StrEnum):
    """Why a label does not train."""

    SUPERSEDED = "superseded"
    OVERRULED = "overruled"
    CONTRADICTED = "contradicted"
    COPIES = "copies"
    SOURCE_SHARE = "source-share"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedLabels:
    """`rows` in the order of arrival; `excluded` counts labels for every reason; `clusters` the campaigns of `rows`."""

    rows: tuple[LabelledMessage, ...]
    excluded: Mapping[Exclusion, int]
    clusters: int


def select_trusted(labels: Sequence[LabelledMessage], *, max_source_share: float, base_rows: int = 0) -> TrustedLabels:
    """The labels that may train. `labels` come from approved sources only; anonymous reports never get here.

    In this order:

    1. The latest label of one source for one message (canonical text) replaces its earlier ones: people correct
       themselves.
    2. Where one campaign has both labels, audit and imported labels, which the operator's own people gave, overrule
       reports. If those disagree, or there are none, the whole campaign is quarantined.
    3. Three rows of a campaign at most: the operator's before reports, then the newest.
    4. No reporting source gives more than `max_source_share` of all training rows, which are the rows chosen here and
       the `base_rows`; its newest are kept. Audit and imported labels are not capped: which messages are audited is
       drawn by lot, and a file is imported by the operator's own hand, so neither lets a sender choose the rows.
    """
    ordered = sorted(labels, key=_arrival)
    latest = list({(row.source, canonical(row.text)): row for row in ordered}.values())
    excluded = Counter(dict.fromkeys(Exclusion, 0))
    excluded[Exclusion.SUPERSEDED] = len(ordered) - len(latest)
    campaigns: dict[int, list[LabelledMessage]] = defaultdict(list)
    for cluster, row in zip(cluster_ids([row.text for row in latest]), latest, strict=True):
        campaigns[cluster].append(row)
    kept = []
    for rows in campaigns.values():
        agreed, reason = _agreed(rows)
        excluded[reason] += len(rows) - len(agreed)
        # Sorting is stable: among rows of one rank the newest stay last.
        counted = sorted(agreed, key=_by_operator)[-COPIES_COUNTED:]
        excluded[Exclusion.COPIES] += len(agreed) - len(counted)
        kept += counted
    chosen = _within_source_share(sorted(kept, key=_arrival), max_source_share=max_source_share, base_rows=base_rows)
    excluded[Exclusion.SOURCE_SHARE] = len(kept) - len(chosen)
    return TrustedLabels(
        rows=tuple(chosen),
        excluded=dict(excluded),
        clusters=len(set(cluster_ids([row.text for row in chosen]))),
    )


def prior_weights(labels: Sequence[Label], *, spam_share: float) -> list[float]:
    """A weight for each row, of mean 1, so that spam has `spam_share` of the weight: the traffic's estimated prior.

    The share is first brought within its bounds, and no weight exceeds GREATEST_WEIGHT, in which case the prior is
    restored only so far. With rows of one class only there is nothing to restore, and all weights are 1.
    """
    spam = sum(label is Label.SPAM for label in labels)
    ham = len(labels) - spam
    if not spam or not ham:
        return [1.0] * len(labels)
    share = min(max(spam_share, LEAST_SPAM_SHARE), GREATEST_SPAM_SHARE)
    # The bound on the weight is a bound on the share, both ways; mean 1 then holds without another scaling.
    share = min(max(share, 1 - GREATEST_WEIGHT * ham / len(labels)), GREATEST_WEIGHT * spam / len(labels))
    weight = {Label.SPAM: share * len(labels) / spam, Label.HAM: (1 - share) * len(labels) / ham}
    return [weight[label] for label in labels]


def _agreed(campaign: Sequence[LabelledMessage]) -> tuple[Sequence[LabelledMessage], Exclusion]:
    """The rows of one campaign whose label stands, and why the others' does not."""
    if len({row.label for row in campaign}) == 1:
        return campaign, Exclusion.CONTRADICTED
    verdicts = {row.label for row in campaign if _by_operator(row)}
    if len(verdicts) == 1:
        return [row for row in campaign if row.label in verdicts], Exclusion.OVERRULED
    return (), Exclusion.CONTRADICTED


def _within_source_share(
    rows: Sequence[LabelledMessage], *, max_source_share: float, base_rows: int
) -> Sequence[LabelledMessage]:
    reports = Counter(row.source for row in rows if not _by_operator(row))
    others = base_rows + len(rows) - reports.total()
    allowed = max(reports.values(), default=0)
    # What a source may give depends on what all give. Falling from the top, this ends at the largest number that holds.
    while allowed > (limit := int(max_source_share * (others + sum(min(n, allowed) for n in reports.values())))):
        allowed = limit
    excess = {source: count - allowed for source, count in reports.items()}
    kept = []
    for row in rows:
        if not _by_operator(row) and excess[row.source] > 0:
            excess[row.source] -= 1
        else:
            kept.append(row)
    return kept


def _by_operator(row: LabelledMessage) -> bool:
    return row.kind is not LabelKind.REPORT


def _arrival(row: LabelledMessage) -> int:
    return row.sequence or 0
