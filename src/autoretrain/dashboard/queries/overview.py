"""What does the first page show? A model's figures, its last spam and decisions, and the fleet that it belongs to."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from autoretrain.adapters.store import Store
from autoretrain.app.fleet import Reach, Seen
from autoretrain.dashboard.drawing import clock_time
from autoretrain.dashboard.masking import mask
from autoretrain.dashboard.queries.decisions import decision_link
from autoretrain.dashboard.queries.drift_window import metric_words
from autoretrain.dashboard.queries.standing import read_standing
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.observation import Performance
from autoretrain.domain.status import ActiveRun, HistoryEntry, Status

DAY: Final = timedelta(days=1)
WINDOWS: Final = 60
DECISIONS: Final = 1000
SHOWN_DECISIONS: Final = 10
SPAM: Final = 10

Heads = Sequence[tuple[int, HistoryEntry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store says of a model now: its last windows, live quality, and messages of the last day."""

    reports: tuple[DriftReport, ...]
    performance: Performance | None
    messages: int
    newest_message_at: datetime | None


def read_evidence(reach: Reach, seen: Seen, *, now: datetime) -> Evidence | None:
    """Return it; None where the store is out of reach."""
    store = reach.store
    if store is None:
        return None
    newest = store.recent_predictions(version=None, since=None, limit=1)
    return Evidence(
        reports=tuple(store.reports(version=None, limit=WINDOWS)),
        performance=reach.performance(seen, now=now),
        messages=store.count_predictions(version=None, since=now - DAY),
        newest_message_at=newest[0].at if newest else None,
    )


def last_change(status: Status) -> datetime | None:
    """Return when a decision or a window last changed the status: what it says is as old as that."""
    told = [status.history[-1].at] if status.history else []
    return max([*told, *([status.drift.checked_at] if status.drift else [])], default=None)


def read_card(store: Store, digest: str) -> dict[str, Any]:
    """Return what is written on a version: how, when and on what it was trained; empty where it is not known."""
    artefact = store.artefact(digest)
    card: dict[str, Any] = json.loads(artefact.card) if artefact and artefact.card else {}
    return card


def recent_spam(store: Store, *, now: datetime) -> list[Prediction]:
    """Return the newest spam of the last day, oldest first."""
    return store.recent_predictions(version=None, since=now - DAY, limit=SPAM, label=Label.SPAM)


def spam_rows(found: Sequence[Prediction], *, known: Container[str] | None) -> list[dict[str, Any]]:
    """One row a message, the last one first; words that are not in `known` are hidden, with None none."""
    return [
        {
            "time (UTC)": clock_time(each.at),
            "message": each.text if known is None else mask(each.text, known),
            "score": each.score,
            "version": f"v{each.model_version}",
        }
        for each in reversed(found)
    ]


def told_drift(status: Status, evidence: Evidence | None) -> str:
    """Say how far traffic is from what the champion knows; a window of the version before it says nothing of that."""
    if status.drift is not None:
        return f"{status.drift.score:.3f}"
    champion = status.champion.version if status.champion else ""
    own = [report for report in evidence.reports if report.model_version == champion] if evidence else []
    return f"{own[-1].score:.3f}" if own else "not measured"


def driving_metric(report: DriftReport) -> str:
    """Say which metric the window's score comes from, and how it stands to what is usual without drift."""
    if not report.metrics:
        return ""
    most = max(report.metrics, key=lambda metric: metric.score)
    return f"most moved: {metric_words(most.name)}, {most.raw:.3f}, noise floor {most.upper:.3f}"


def decision_rows(heads: Heads, *, key: str) -> list[dict[str, Any]]:
    """The last decisions, newest first; the same one for the same reason in a row is told once, with its number."""
    groups = [list(group) for _, group in groupby(heads, key=lambda head: (head[1].decision, head[1].reason))]
    rows = []
    for group in groups[: -SHOWN_DECISIONS - 1 : -1]:
        sequence, last = group[-1]
        rows.append(
            {
                "time (UTC)": clock_time(last.at),
                "decision": last.decision,
                "reason": last.reason,
                "times": len(group),
                "more": decision_link(key, sequence),
                "why": last.message,
            }
        )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is; `share` of its deadline, in [0, 1]."""

    share: float
    sentence: str


def run_progress(run: ActiveRun, *, deadline_seconds: int, now: datetime) -> Progress:
    elapsed = max((now - run.started_at).total_seconds(), 0.0)
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    passed = f"{_told_seconds(elapsed)} of at most {_told_seconds(deadline_seconds)}"
    return Progress(
        share=min(elapsed / deadline_seconds, 1.0), sentence=f"Run {run.name} ({run.trigger}{attempt}): {passed}"
    )


def told_until(at: datetime, now: datetime) -> str:
    """Return how long it is until then, in its two largest units."""
    return f"in {_told_seconds(max((at - now).total_seconds(), 0.0))}"


def _told_seconds(seconds: float) -> str:
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    parts, rest = [], int(seconds)
    for name, size in units:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def fleet_rows(fleet: Mapping[str, Seen], *, now: datetime) -> list[dict[str, Any]]:
    """A row a model, the most urgent first."""
    standing = {key: read_standing(seen, now=now) for key, seen in fleet.items()}
    rows = []
    for key in sorted(fleet, key=lambda key: (standing[key].urgency, key)):
        status = fleet[key].status
        rows.append(
            {
                "model": key,
                "urgency": standing[key].urgency,
                "state": standing[key].sentence,
                "champion": f"v{status.champion.version}" if status.champion else None,
                "live accuracy": status.performance.accuracy if status.performance else None,
                "drift": status.drift.score if status.drift else None,
                "threshold": status.drift.threshold if status.drift else None,
            }
        )
    return rows
