"""Which versions are there, in which role, of what are they made, and how good were they?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from autoretrain.adapters.records import load_record
from autoretrain.dashboard.drawing import clock_time
from autoretrain.domain.lineage import Lineage
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.status import ModelRef, Status
from autoretrain.domain.training import TrainingSummary

QUARANTINED: Final = "quarantined"

Card = Mapping[str, Any]
CardOf = Callable[[str], Card]
"""Digest -> what the store's artefact says of itself; empty where it has none of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its role by the status, what it came from, and how good it was on held-out rows."""

    lineage: Lineage
    role: str
    metrics: ClassificationMetrics | None
    algorithm: str
    training_rows: int | None

    @property
    def number(self) -> str:
        return self.lineage.version


def read_versions(status: Status, registered: Sequence[Lineage], *, card_of: CardOf) -> list[Version]:
    """Return every version that registry or status knows, newest first.

    The status says who has which role: the registry's aliases only follow it. `card_of` is asked of versions that the
    registry did not tell of.
    """
    held = _held(status)
    metrics = {each.ref.version: each.ref.metrics for each in held}
    versions = [_of_registry(entry, status, held, metrics.get(entry.version)) for entry in registered]
    told = {entry.version for entry in registered}
    for each in held:
        if each.ref.version not in told:
            told.add(each.ref.version)
            versions.append(_of_store(each, card_of(each.ref.digest)))
    return sorted(versions, key=lambda version: _number(version.number), reverse=True)


@dataclass(frozen=True, slots=True)
class _Held:
    """A version in a role that the status knows, and the report of its run where the status has it."""

    ref: ModelRef
    role: str
    summary: TrainingSummary | None = None


def _held(status: Status) -> list[_Held]:
    found = [_Held(ref, role) for ref, role in ((status.champion, "champion"), (status.previous, "previous")) if ref]
    if status.rollout is not None:
        found.append(_Held(status.rollout.to, "on its way"))
    if status.candidate is not None:
        summary = status.candidate.summary
        ref = ModelRef(
            version=summary.version, digest=summary.digest, run_id=summary.run_id, metrics=summary.holdout_metrics
        )
        found.append(_Held(ref, f"candidate, {status.candidate.decision}", summary))
    return found


def _of_registry(
    entry: Lineage, status: Status, held: Iterable[_Held], metrics: ClassificationMetrics | None
) -> Version:
    roles = [each.role for each in held if each.ref.version == entry.version]
    roles += [QUARANTINED] if entry.digest and entry.digest in status.quarantined else []
    summary = entry.summary
    return Version(
        lineage=entry,
        role=", ".join(roles),
        metrics=metrics or (summary.holdout_metrics if summary else None),
        algorithm=summary.algorithm if summary else "",
        training_rows=summary.training_rows if summary else None,
    )


def _of_store(held: _Held, card: Card) -> Version:
    try:
        measured = load_record(ClassificationMetrics, card["metrics"]) if "metrics" in card else None
    except ValidationError:
        measured = None
    ref, rows = held.ref, card.get("training_rows")
    lineage = Lineage(
        version=ref.version,
        digest=ref.digest,
        alias="",
        run_id=ref.run_id,
        run_name=str(card.get("run_name", "")),
        data_source=str(card.get("data_source", "")),
        data_hash=str(card.get("data_hash", "")),
        summary=held.summary,
    )
    return Version(
        lineage=lineage,
        role=held.role,
        metrics=ref.metrics or measured,
        algorithm=str(card.get("algorithm", "")),
        training_rows=rows if isinstance(rows, int) else None,
    )


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)


def table_rows(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """One row a version, in their order; a column in which none has anything is left out."""
    rows = [
        {
            "version": f"v{version.number}",
            "role": version.role,
            "registered (UTC)": clock_time(version.lineage.registered_at) if version.lineage.registered_at else None,
            "trigger": version.lineage.trigger,
            "rows": version.training_rows,
            "accuracy": version.metrics.accuracy if version.metrics else None,
            "F1": version.metrics.f1 if version.metrics else None,
            "compared with": f"v{version.lineage.parent}" if version.lineage.parent else "",
            # The longest one last, so that it hides no figure.
            "trained on": version.lineage.data_source,
        }
        for version in versions
    ]
    told = {name for row in rows for name, value in row.items() if value not in {None, ""}}
    return [{name: value for name, value in row.items() if name in told} for row in rows]


def lineage_rows(version: Version) -> list[dict[str, str]]:
    """What one version came from, a row a fact; what nobody wrote down is left out."""
    lineage, summary = version.lineage, version.lineage.summary
    facts = {
        "data": lineage.data_source,
        "hash of its rows": lineage.data_hash,
        "labels": f"up to number {summary.label_cutoff}" if summary else "",
        "algorithm": version.algorithm,
        "trigger": lineage.trigger,
        "compared with": f"v{lineage.parent}, the champion then" if lineage.parent else "",
        "code": f"autoretrain {lineage.code_version}" if lineage.code_version else "",
        "run": lineage.run_name,
        "MLflow run": lineage.run_id,
        "digest": lineage.digest,
    }
    return [{"what": name, "is": value} for name, value in facts.items() if value]


def metric_rows(version: Version) -> list[dict[str, str]]:
    """The figures of one version, a row a figure; none where they are not known."""
    measured = version.metrics
    if measured is None:
        return []
    shares = {
        "accuracy": measured.accuracy,
        "precision": measured.precision,
        "spam recall": measured.recall,
        "F1": measured.f1,
        "ham flagged as spam": measured.false_positive_rate,
    }
    counts = {"rows": measured.rows, "of them spam": measured.spam_rows}
    return [
        *({"figure": name, "value": f"{value:.3f}"} for name, value in shares.items()),
        *({"figure": name, "value": f"{count:,}"} for name, count in counts.items()),
    ]


def differing_aliases(status: Status, registered: Sequence[Lineage]) -> str:
    """Return a sentence where the registry's champion is another one than the status says; '' where they agree."""
    alias = next((entry.version for entry in registered if entry.alias == "champion"), "")
    champion = status.champion.version if status.champion else ""
    if not alias or not champion or alias == champion:
        return ""
    return f"The registry calls v{alias} the champion, but v{champion} is. It is set right on one of the next passes."
