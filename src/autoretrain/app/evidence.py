"""Reads the evidence of one model from the store and the live server, in the form that the core decides on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoretrain.adapters.store import Store
from autoretrain.app.serving_client import LiveFigures, ServingClient
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label
from autoretrain.domain.observation import GuardEvidence, LabelSupply, Performance
from autoretrain.domain.spec import MonitoringSpec, SpamModelSpec, TriggersSpec
from autoretrain.domain.status import GuardState, ModelRef, Status
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.references import GoldenHam
from autoretrain.ml.guarding import measure_guard
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.performance import measure_performance

GUARD_MESSAGES = 5000
FELT_SECONDS = 0.025
"""Below this nobody feels a latency: 0.4 ms against 0.2 ms is a fresh cache or a busy machine, not a slow model."""


@dataclass(slots=True)
class EvidenceReader:
    """Keeps nothing but what it scored with last: the previous model by digest, the golden ham by version."""

    store: Store
    serving: ServingClient
    _models: dict[str, LinearModel] = field(default_factory=dict)
    _golden: dict[str, GoldenHam] = field(default_factory=dict)

    def drift(self, champion: ModelRef | None, *, triggers: TriggersSpec) -> tuple[DriftReport, ...]:
        """Return the champion's last windows, oldest first; whether they are too old is the core's question."""
        if champion is None:
            return ()
        reports = self.store.reports(version=champion.version, limit=triggers.drift.consecutive_breaches)
        since = champion.promoted_at
        # After a rollback the version's windows from before it was replaced are not about the present.
        return tuple(report for report in reports if since is None or report.started_at >= since)

    def pending(self, champion: ModelRef | None, *, monitoring: MonitoringSpec) -> int:
        if champion is None:
            return 0
        after = self.store.last_sequence(champion.version)
        return len(self.store.predictions_after(after, version=champion.version, limit=monitoring.window_size))

    def performance(self, champion: ModelRef | None, *, spec: SpamModelSpec, now: datetime) -> Performance | None:
        if champion is None:
            return None
        since = now - timedelta(seconds=spec.monitoring.max_age_seconds)
        if champion.promoted_at is not None:
            since = max(since, champion.promoted_at)
        audited, pending = self.store.audited(version=champion.version, since=since)
        return measure_performance(
            audited, model_version=champion.version, pending=pending, window_labels=spec.triggers.performance.min_labels
        )

    def supply(self, status: Status) -> LabelSupply:
        labels, spam, highest = self.store.count_new_labels(status.trained_cutoff)
        return LabelSupply(new_labels=labels, new_spam_labels=spam, highest_sequence=highest)

    def guard(self, status: Status) -> GuardEvidence | None:
        """Measure what the fresh champion does; None while nothing is guarded."""
        guard = status.guard
        if guard is None or guard.ended:
            return None
        predictions = self.store.recent_predictions(version=guard.version, since=guard.started_at, limit=GUARD_MESSAGES)
        previous = self._model(status.previous.digest) if status.previous else None
        audited, _ = self.store.audited(version=guard.version, since=guard.started_at)
        live = self.serving.figures()
        now, before = live.get(guard.version), live.get(status.previous.version) if status.previous else None
        golden, golden_expected = self._golden_ham(guard)
        return measure_guard(
            predictions,
            model_version=guard.version,
            expected=guard.expected,
            previous_scores=previous.scores([p.text for p in predictions]) if previous else None,
            previous_threshold=previous.threshold if previous else None,
            golden_ham=golden,
            golden_ham_expected=golden_expected,
            errors=round(now.errors) if now else None,
            requests=round(now.requests + now.errors) if now else None,
            p95_seconds=felt_seconds(now),
            previous_p95_seconds=felt_seconds(before),
            audited=audited,
        )

    def _golden_ham(self, guard: GuardState) -> tuple[list[Label] | None, float | None]:
        """Score held-out ham through the live server: a limit that does not depend on what the candidate promised."""
        if guard.version not in self._golden:
            artefact = self.store.artefact_by_version(guard.version)
            if artefact is None:
                return None, None
            detector = DriftDetector.load(artefact.reference, LinearModel.load(artefact.model))
            self._golden = {guard.version: detector.golden_ham}
        golden = self._golden[guard.version]
        return (self.serving.labels_of(golden.texts), golden.flagged) if golden.texts else (None, None)

    def _model(self, digest: str) -> LinearModel | None:
        if digest not in self._models:
            artefact = self.store.artefact(digest)
            if artefact is None:
                return None
            self._models = {digest: LinearModel.load(artefact.model)}
        return self._models[digest]


def felt_seconds(figures: LiveFigures | None) -> float | None:
    """Return the p95 of a version, or FELT_SECONDS where it is less than that."""
    if figures is None or figures.p95_seconds is None:
        return None
    return max(figures.p95_seconds, FELT_SECONDS)
