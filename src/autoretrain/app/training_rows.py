"""Which rows does a run train on, which does it judge on, and whom does it judge against?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autoretrain.adapters.store import Store
from autoretrain.app.model_card import trained_until
from autoretrain.app.registry import Registry
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.errors import ArtefactRejected, BadData
from autoretrain.domain.messages import AuditedPrediction, Label, LabelKind, LabelledMessage
from autoretrain.domain.spec import SpamModelSpec
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.comparison import split_recent
from autoretrain.ml.drift.references import BASE, parse_references
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.text import canonical
from autoretrain.ml.trust import prior_weights, select_trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version in service. `regimes` are its reference sets beside the base one; `trained_until` as in its card."""

    version: str
    digest: str
    model: LinearModel
    regimes: tuple[tuple[str, tuple[str, ...]], ...]
    trained_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRows:
    """`weights` has one number for each row of `training`; `evaluation` is empty where nothing is to be judged."""

    training: tuple[LabelledMessage, ...]
    weights: tuple[float, ...]
    holdout: tuple[LabelledMessage, ...]
    evaluation: tuple[LabelledMessage, ...]
    trained_until: datetime | None
    everything: tuple[LabelledMessage, ...]


def fetch_champion(store: Store, registry: Registry, *, deployed: Deployment | None = None) -> Champion | None:
    """What is to be served now, from the store or else the registry; None where nothing is.

    On a cluster the store does not say what that is: then `deployed` does.

    Raises ArtefactRejected where what is found is not what is to be served.
    """
    deployment = deployed or store.deployment()
    if deployment is None:
        return None
    artefact = store.artefact(deployment.digest) or registry.fetch_artefact(deployment.version)
    if digest_of(artefact.model) != deployment.digest:
        raise ArtefactRejected(f"version {deployment.version} is not the {deployment.digest} that is to be served")
    model = LinearModel.load(artefact.model)
    references = parse_references(artefact.reference, threshold=model.threshold)
    return Champion(
        version=deployment.version,
        digest=deployment.digest,
        model=model,
        regimes=tuple((item.name, item.texts) for item in references.sets if item.name != BASE),
        trained_until=trained_until(artefact),
    )


def select_rows(
    base: Sequence[LabelledMessage],
    store: Store,
    *,
    spec: SpamModelSpec,
    champion: Champion | None,
    label_cutoff: int,
    changed_at: datetime | None,
) -> RunRows:
    """The rows of one run; the same for every attempt, since labels after `label_cutoff` do not count.

    Raises BadData where the frozen holdout can't measure a model.
    """
    labels = store.labels(up_to=label_cutoff)
    own = [row for row in base if not in_holdout(row.text)]
    trusted = select_trusted(labels, max_source_share=spec.feedback.max_source_share, base_rows=len(own))
    learnt: list[LabelledMessage] = list(trusted.rows)
    judged: tuple[LabelledMessage, ...] = ()
    if champion is not None:
        split = split_recent(
            trusted.rows,
            min_rows=spec.promotion.min_evaluation_rows,
            min_spam=spec.promotion.min_evaluation_spam,
            base=own,
            after=champion.trained_until,
            changed_at=changed_at,
        )
        learnt, judged = list(split.training), split.evaluation
    learnt = [row for row in learnt if not in_holdout(row.text)]
    training = (*own, *learnt)
    share = traffic_spam_share(store, labels, least=spec.triggers.performance.min_labels)
    if share is None:
        share = sum(row.label is Label.SPAM for row in own) / max(1, len(own))
    return RunRows(
        training=training,
        weights=tuple(prior_weights([row.label for row in training], spam_share=share)),
        holdout=frozen_holdout(base),
        evaluation=tuple(judged),
        trained_until=max((row.predicted_at for row in learnt if row.predicted_at), default=None),
        everything=(*base, *trusted.rows),
    )


def frozen_holdout(base: Sequence[LabelledMessage]) -> tuple[LabelledMessage, ...]:
    """The base rows that never train, each message once, without those that stand there as both ham and spam."""
    labels: dict[str, set[Label]] = {}
    first: dict[str, LabelledMessage] = {}
    for row in base:
        if in_holdout(row.text) and (form := canonical(row.text)):
            labels.setdefault(form, set()).add(row.label)
            first.setdefault(form, row)
    held = tuple(row for form, row in first.items() if len(labels[form]) == 1)
    for label in Label:
        if not any(row.label is label for row in held):
            raise BadData("base data", f"no {label} message falls into the frozen holdout; more rows are needed")
    return held


def traffic_spam_share(store: Store, labels: Sequence[LabelledMessage], *, least: int) -> float | None:
    """The spam share of traffic by the audit sample, weighted by inverse probability; None below `least` labels.

    Only audit labels among `labels` count, so that an attempt that starts later weighs its rows alike.
    """
    known = {(row.predicted_at, row.text) for row in labels if row.kind is LabelKind.AUDIT}
    audited, _ = store.audited(version=None, since=None)
    sample = [row for row in audited if (row.predicted_at, row.text) in known]
    if len(sample) < least:
        return None
    spam = [row for row in sample if row.label is Label.SPAM]
    return _messages_behind(spam) / _messages_behind(sample)


def _messages_behind(sample: Sequence[AuditedPrediction]) -> float:
    return sum(1 / row.probability for row in sample)
