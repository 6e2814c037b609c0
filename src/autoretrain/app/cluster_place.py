"""What does a cluster know of a SpamModel, and how is something asked of it? The other side of `place.Place`.

Requests are annotations and `spec.suspend`, as anybody may write them with kubectl; answers are the resource's status
and the SpamModelDecision objects. The operator does the rest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import stamina

from autoretrain.adapters import spammodel
from autoretrain.adapters.kubectl import NotFound, Object, TooMany, Unanswered
from autoretrain.adapters.request_annotations import ANNOTATIONS, PREFIX
from autoretrain.app.place import Look
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.status import HistoryEntry, Status

MODELS: Final = "spammodels.autoretrain.dev"
DECISIONS: Final = "spammodeldecisions.autoretrain.dev"
SILENT_SECONDS: Final = 60.0
"""A cluster that does not answer for so long while it is followed ends the command."""


class ClusterCalls(Protocol):
    """One namespace: by a person's kubectl, or in a Pod by the API server itself."""

    def get(self, kind: str, name: str) -> Object: ...

    def list_labelled(self, kind: str, labels: Mapping[str, str]) -> list[Object]:
        """Return all of them. Raises TooMany rather than leave some out."""

    def merge(self, kind: str, name: str, change: Mapping[str, Any]) -> Object: ...


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """One SpamModel of a cluster."""

    calls: ClusterCalls
    name: str
    key: str
    pause_seconds: float = 2.0

    @classmethod
    def found(cls, calls: ClusterCalls, name: str) -> "ClusterPlace":
        """Return the place of a SpamModel that is there. Raises AutoRetrainError where it is not."""
        try:
            metadata = calls.get(MODELS, name)["metadata"]
        except NotFound:
            raise AutoRetrainError(f"there is no SpamModel {name} in {calls}") from None
        return cls(calls, name, f"{metadata['namespace']}.{name}")

    def status(self) -> Status:
        return spammodel.parse_status(self._model().get("status") or {})

    def suspended(self) -> bool:
        return bool(self._model()["spec"].get("suspend", False))

    def decisions(self, *, limit: int, after: int | None = None) -> Sequence[Mapping[str, Any]]:
        oldest_first = self._kept_decisions()
        if after is not None:
            return [_record(each) for each in oldest_first if int(each["sequence"]) > after][:limit]
        return [_record(each) for each in oldest_first[-limit:]]

    def heads(self, *, limit: int) -> Sequence[tuple[int, HistoryEntry]]:
        return [(int(each["sequence"]), _head(each)) for each in self._kept_decisions()[-limit:]]

    def comparison(self) -> list[dict[str, Any]]:
        """Return what was measured of each version that has a role when it was trained, and the champion live."""
        status = self.status()
        rows = [
            _row(role, ref.version, ref.metrics)
            for role, ref in (("champion", status.champion), ("previous", status.previous))
            if ref is not None
        ]
        if status.candidate is not None:
            summary = status.candidate.summary
            rows.append(_row(f"candidate, {status.candidate.decision}", summary.version, summary.holdout_metrics))
        if status.champion is not None and status.performance is not None:
            live = status.performance
            rows[0] |= {"audit_labels": live.labels, "live_accuracy": live.accuracy, "live_f1": live.f1}
        return rows

    def request(self, *, suspend: bool | None = None, **changes: str) -> None:
        change: dict[str, Any] = {}
        if suspend is not None:
            change["spec"] = {"suspend": suspend}
        if changes:
            # None removes what an earlier request has left, so that its reason is not told as this one's.
            given = {ANNOTATIONS[field]: value or None for field, value in changes.items()}
            change["metadata"] = {"annotations": given}
        self.calls.merge(MODELS, self.name, change)

    @contextmanager
    def following(self, purpose: str) -> Iterator[Look]:
        """Look on while the operator works; an API server that restarts meanwhile is waited for."""

        def look() -> Status:
            for attempt in stamina.retry_context(on=Unanswered, attempts=None, timeout=SILENT_SECONDS):
                with attempt:
                    status = self.status()
            return status

        yield look

    def _model(self) -> Object:
        return self.calls.get(MODELS, self.name)

    def _kept_decisions(self) -> list[Mapping[str, Any]]:
        try:
            kept = self.calls.list_labelled(DECISIONS, {f"{PREFIX}spammodel": self.name})
        except TooMany as error:
            # They are listed by name, which is a hash: the newest may be among those that were not read.
            raise AutoRetrainError(
                f"{error} of {self.name}. Which of them are the newest can't be told from a part, so none of them is "
                "told. The operator keeps the newest 100 of each SpamModel: does it run, and may it delete them?"
            ) from None
        return sorted((each["spec"] for each in kept), key=lambda spec: int(spec["sequence"]))


def _record(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the whole record, or where a release wrote it that we can't read, what the object says itself."""
    try:
        record = json.loads(spec["record"])
    except ValueError:
        record = None
    told = {name: spec[name] for name in ("at", "decision", "reason", "message")}
    return (told | record if isinstance(record, dict) else told) | {"sequence": int(spec["sequence"])}


def _head(spec: Mapping[str, Any]) -> HistoryEntry:
    told = {name: str(spec[name]) for name in ("decision", "reason", "message")}
    return HistoryEntry(at=datetime.fromisoformat(spec["at"]), **told)


def _row(role: str, version: str, metrics: ClassificationMetrics | None) -> dict[str, Any]:
    return {
        "version": f"v{version}",
        "role": role,
        "held_out": metrics.rows if metrics else None,
        "accuracy": metrics.accuracy if metrics else None,
        "f1": metrics.f1 if metrics else None,
        "audit_labels": None,
        "live_accuracy": None,
        "live_f1": None,
    }
