"""Turns answered messages into evidence: windows into drift reports, audit labels into live quality.

The monitor calls this and publishes the figures; nothing here decides anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import Waiting
from autoretrain.domain.messages import AuditedPrediction, Prediction
from autoretrain.domain.spec import MonitoringSpec
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.linear import LinearModel

MAX_WINDOWS_A_PASS = 40
HISTORY_WINDOWS = 50
ARTEFACT_SECONDS = 5.0
LABELLED_WINDOWS = 2  # labels come late: those of the two windows before count too


@dataclass(slots=True)
class WindowMonitor:
    """Closes and evaluates the windows of the version that is deployed; keeps that version's detector loaded."""

    store: Store
    _digest: str = ""
    _detector: DriftDetector | None = None

    def measure(self, spec: MonitoringSpec, *, deployed: Deployment | None, now: datetime) -> list[DriftReport]:
        """Evaluate every complete window that was not yet; return the new reports, oldest first.

        Looking again changes nothing: a window ends where its number of messages or its age says, and is saved under
        its id.
        """
        if deployed is None:
            return []
        detector = self._load(deployed.digest)
        reports: list[DriftReport] = []
        for _ in range(MAX_WINDOWS_A_PASS):
            after = self.store.last_sequence(deployed.version)
            rows = self.store.predictions_after(after, version=deployed.version, limit=spec.window_size)
            if not is_complete([row for _, row in rows], spec=spec, now=now):
                break
            history = self.store.reports(version=deployed.version, limit=HISTORY_WINDOWS)
            since = history[-LABELLED_WINDOWS:][0].started_at if history else rows[0][1].at
            audited, _ = self.store.audited(version=deployed.version, since=since)
            report = evaluate_window(detector, rows, version=deployed.version, history=history, audited=audited)
            self.store.save_report(report, first_sequence=rows[0][0], last_sequence=rows[-1][0])
            reports.append(report)
        return reports

    def _load(self, digest: str) -> DriftDetector:
        if self._detector is None or self._digest != digest:
            self._detector = load_detector(required_artefact(self.store, digest))
            self._digest = digest
        return self._detector


def required_artefact(store: Store, digest: str) -> ModelArtefact:
    artefact = store.artefact(digest)
    if artefact is None:
        raise Waiting(f"the store has no artefact {digest}", delay_seconds=ARTEFACT_SECONDS)
    return artefact


def load_detector(artefact: ModelArtefact) -> DriftDetector:
    return DriftDetector.load(artefact.reference, LinearModel.load(artefact.model))


def is_complete(rows: Sequence[Prediction], *, spec: MonitoringSpec, now: datetime) -> bool:
    """A window is complete at its size, or at its age if it has the messages that an evaluation needs."""
    if len(rows) >= spec.window_size:
        return True
    if len(rows) < spec.min_samples:
        return False
    return now - rows[0].at > timedelta(seconds=spec.max_age_seconds)


def evaluate_window(
    detector: DriftDetector,
    rows: Sequence[tuple[int, Prediction]],
    *,
    version: str,
    history: Sequence[DriftReport],
    audited: Sequence[AuditedPrediction],
) -> DriftReport:
    predictions = [row for _, row in rows]
    return detector.evaluate(
        [row.text for row in predictions],
        window_id=f"{version}-{rows[0][0]}-{rows[-1][0]}",
        model_version=version,
        started_at=predictions[0].at,
        ended_at=predictions[-1].at,
        scores=[row.score for row in predictions],
        history=history,
        audited=audited,
    )
