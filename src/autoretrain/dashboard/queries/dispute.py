"""On which labelled messages do candidate and champion differ, among those that neither learnt from?"""

from dataclasses import dataclass
from typing import Any, Final

from autoretrain.adapters.store import Store
from autoretrain.app.model_card import trained_until
from autoretrain.domain.training import TrainingSummary
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.linear import LinearModel

MOST_LABELS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """`rows` of the labelled messages that the models call differently, of `labels` that both were measured on."""

    labels: int
    rows: tuple[dict[str, Any], ...]


def read_dispute(store: Store, summary: TrainingSummary) -> Dispute | None:
    """Score again the labels that neither model learnt from; None where an artefact is no longer kept.

    Labels that came after the run do not count, nor more than three copies of a campaign. Raises ArtefactRejected.
    """
    ours = store.artefact(summary.digest)
    theirs = store.artefact(summary.champion_digest) if summary.champion_digest else None
    if ours is None or theirs is None:
        return None
    learnt = max((time for time in (trained_until(ours), trained_until(theirs)) if time is not None), default=None)
    labels = store.labels(up_to=summary.label_cutoff, predicted_since=learnt)[-MOST_LABELS:]
    later = [row for row in labels if row.predicted_at and (learnt is None or row.predicted_at > learnt)]
    rows = [later[index] for index in cap_per_cluster(cluster_ids([row.text for row in later]))]
    candidate, champion = LinearModel.load(ours.model), LinearModel.load(theirs.model)
    disputed = []
    for row in rows:
        score, other = candidate.score(row.text), champion.score(row.text)
        said, before = candidate.label_of(score)[0], champion.label_of(other)[0]
        if said is not before:
            disputed.append(
                {
                    "message": row.text,
                    "is": row.label.value,
                    "champion said": f"{before.value} ({other:.2f})",
                    "candidate said": f"{said.value} ({score:.2f})",
                    "so it is": "fixed" if said is row.label else "broken",
                }
            )
    return Dispute(labels=len(rows), rows=tuple(disputed))
