"""What does the first page show of a model? Its state, its live figures, its last windows and decisions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoretrain.adapters.store import Store
from autoretrain.app.fleet import Reach, Seen
from autoretrain.dashboard.drawing import clock_time
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import Performance
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status

MAX_WINDOWS = 200
MAX_DECISIONS = 50


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
    decisions: tuple[Mapping[str, Any], ...]


def read_overview(reach: Reach, seen: Seen, *, now: datetime) -> Overview:
    status, store = seen.status, reach.store
    champion = status.champion
    card = read_card(store, champion.digest) if champion and store else {}
    return Overview(
        model=seen.model,
        status=status,
        reports=tuple(store.reports(version=None, limit=MAX_WINDOWS)) if store else (),
        performance=reach.performance(seen, now=now),
        messages=store.count_predictions(version=champion.version, since=None) if champion and store else 0,
        data_note=str(card.get("data_source", "")),
        sample=bool(card.get("generated_sample", False)),
        decisions=tuple(reach.place.decisions(limit=MAX_DECISIONS)),
    )


def read_card(store: Store, digest: str) -> dict[str, Any]:
    """Return what is written on a version: how, when and on what it was trained; empty where it is not known."""
    artefact = store.artefact(digest)
    card: dict[str, Any] = json.loads(artefact.card) if artefact and artefact.card else {}
    return card


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


def decision_rows(decisions: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    """Newest first."""
    fields = ("at", "decision", "reason", "message")
    return [{name: record[name] for name in fields} for record in reversed(decisions)]
