"""What the dashboard shows, read from the store and the status file; no Streamlit here."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoretrain.app.local import LocalWorld
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.domain.observation import Performance
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status

MAX_WINDOWS = 200
MAX_DECISIONS = 50
LABEL_QUEUE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One look at one model. `data_note` says what the champion was trained on; `sample` that this was generated."""

    model: SpamModel
    status: Status
    reports: tuple[DriftReport, ...]
    performance: Performance | None
    messages: int
    data_note: str
    sample: bool
    decisions: tuple[dict[str, Any], ...]


def read_overview(world: LocalWorld, *, now: datetime) -> Overview:
    model = world.model()
    status = world.state.read_status(model.key)
    version = status.champion.version if status.champion else None
    card = world.card(status.champion.digest) if status.champion else {}
    return Overview(
        model=model,
        status=status,
        reports=tuple(world.store.reports(version=None, limit=MAX_WINDOWS)),
        performance=world.evidence.performance(status.champion, spec=model.spec, now=now),
        messages=world.store.count_predictions(version=version, since=None) if version else 0,
        data_note=str(card.get("data_source", "")),
        sample=bool(card.get("generated_sample", False)),
        decisions=tuple(world.store.decisions(limit=MAX_DECISIONS)),
    )


def drift_rows(reports: tuple[DriftReport, ...], *, threshold: float) -> list[dict[str, Any]]:
    """One row a window, oldest first: when it ended, its score, and the threshold that it is held against."""
    return [
        {
            "time (UTC)": clock_time(r.ended_at),
            "score": r.score,
            "threshold": threshold,
            "version": f"v{r.model_version}",
            "window": r.window_id,
        }
        for r in reports
    ]


def version_rows(status: Status) -> list[dict[str, Any]]:
    """One row a version that has a role now."""
    rows = []
    for role, ref in (("champion", status.champion), ("previous", status.previous)):
        if ref is not None:
            rows.append(
                {
                    "role": role,
                    "version": f"v{ref.version}",
                    "digest": ref.digest[:19],
                    "holdout F1": ref.metrics.f1 if ref.metrics else None,
                    "promoted (UTC)": clock_time(ref.promoted_at) if ref.promoted_at else None,
                }
            )
    if status.candidate is not None:
        summary = status.candidate.summary
        rows.append(
            {
                "role": f"candidate ({status.candidate.decision})",
                "version": f"v{summary.version}",
                "digest": summary.digest[:19],
                "holdout F1": summary.holdout_metrics.f1,
                "promoted (UTC)": None,
            }
        )
    return rows


def clock_time(at: datetime) -> datetime:
    """Return UTC without the zone: tables and charts show it as it is, and the column's name says which it is."""
    return at.astimezone(UTC).replace(tzinfo=None)


def decision_rows(decisions: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Newest first."""
    fields = ("at", "decision", "reason", "message")
    return [{name: record[name] for name in fields} for record in reversed(decisions)]


def next_to_label(world: LocalWorld) -> list[Prediction]:
    return world.store.labels_to_ask(limit=LABEL_QUEUE, now=datetime.now(UTC))


def store_label(world: LocalWorld, prediction_id: str, label: Label) -> None:
    world.store.add_labels([audit_label(prediction_id, label)])


def audit_label(prediction_id: str, label: Label) -> NewLabel:
    return NewLabel(
        label=label,
        kind=LabelKind.AUDIT,
        source="dashboard",
        trusted=True,
        received_at=datetime.now(UTC),
        prediction_id=prediction_id,
    )
