"""Reads the evidence of one model from the store and the live server, in the form that the core decides on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from autoretrain.adapters.evidence_metrics import Evidence
from autoretrain.adapters.live_figures import LiveFigures
from autoretrain.adapters.store import Store
from autoretrain.decide.change import find_change
from autoretrain.domain.advice import Advice
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.observation import GuardEvidence, LabelSupply, Performance
from autoretrain.domain.spec import MonitoringSpec, SpamModel, SpamModelSpec, TriggerMode, TriggersSpec
from autoretrain.domain.status import GuardState, ModelRef, Status
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.references import GoldenHam
from autoretrain.ml.guarding import measure_guard
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.performance import measure_performance
from autoretrain.ml.trust import select_trusted

GUARD_MESSAGES = 5000
CHANGE_WINDOWS = 200
CHANGE_LABELS = 2000
"""More windows and labels need not be looked at to know that there are enough since a change."""


class LiveServer(Protocol):
    """What is asked of the server that answers; in a replay the model itself does."""

    def labels_of(self, messages: Sequence[str], *, version: str) -> list[Label] | None: ...

    def figures(self) -> dict[str, LiveFigures]: ...


@dataclass(slots=True)
class EvidenceReader:
    """Keeps nothing but what it scored with last: the previous model by digest, the golden ham by version.

    `counts_requests` is false where several servers answer behind one address: the counters of one of them say little,
    and Prometheus has those of all.
    """

    store: Store
    serving: LiveServer
    counts_requests: bool = True
    _models: dict[str, LinearModel] = field(default_factory=dict)
    _golden: dict[str, GoldenHam] = field(default_factory=dict)

    def read(self, model: SpamModel, status: Status, *, now: datetime) -> Evidence:
        """Return everything that a decision about the champion of `status` rests on."""
        spec, champion = model.spec, status.champion
        performance = self.performance(champion, spec=spec, now=now)
        return Evidence(
            model_version=champion.version if champion else "",
            measured_at=now,
            drift=self.drift(champion, triggers=spec.triggers),
            pending_messages=self.pending(champion, monitoring=spec.monitoring),
            performance=performance,
            supply=self.supply(status, triggers=spec.triggers, performance=performance),
            guard=self.guard(status),
        )

    def drift(self, champion: ModelRef | None, *, triggers: TriggersSpec) -> tuple[DriftReport, ...]:
        """Return the champion's last windows, oldest first; whether they are too old is the core's question."""
        return self._windows(champion, limit=triggers.drift.consecutive_breaches)

    def _windows(self, champion: ModelRef | None, *, limit: int) -> tuple[DriftReport, ...]:
        if champion is None:
            return ()
        reports = self.store.reports(version=champion.version, limit=limit)
        since = champion.promoted_at
        # After a rollback the version's windows from before it was replaced are not about the present.
        return tuple(report for report in reports if since is None or report.started_at >= since)

    def pending(self, champion: ModelRef | None, *, monitoring: MonitoringSpec) -> int:
        if champion is None:
            return 0
        after = self.store.last_sequence(champion.version)
        return len(self.store.predictions_after(after, version=champion.version, limit=monitoring.window_size))

    def performance(self, champion: ModelRef | None, *, spec: SpamModelSpec, now: datetime) -> Performance | None:
        return live_performance(self.store, champion, spec=spec, now=now)

    def supply(self, status: Status, *, triggers: TriggersSpec, performance: Performance | None) -> LabelSupply:
        labels, spam, highest = self.store.count_new_labels(status.trained_cutoff)
        windows = self._windows(status.champion, limit=CHANGE_WINDOWS)
        changed_at = find_change(windows, performance, triggers=triggers)
        since_change = self._distinct_labels(changed_at) if changed_at else ()
        return LabelSupply(
            new_labels=labels,
            new_spam_labels=spam,
            highest_sequence=highest,
            changed_at=changed_at,
            labels_since_change=len(since_change),
            spam_labels_since_change=sum(row.label is Label.SPAM for row in since_change),
        )

    def _distinct_labels(self, since: datetime) -> Sequence[LabelledMessage]:
        """The newest labels of messages predicted since then, as a run would find them before it caps the sources."""
        return select_trusted(self.store.labels(predicted_since=since)[-CHANGE_LABELS:], max_source_share=1.0).rows

    def advice(self, spec: SpamModelSpec) -> Advice | None:
        """Return the agent's newest, without what the chat model wrote: it is not ours, and nothing rests on it."""
        if spec.agent.mode is TriggerMode.DISABLED:
            return None
        newest = self.store.advice(limit=1)
        return replace(newest[0], reason="") if newest else None

    def guard(self, status: Status) -> GuardEvidence | None:
        """Measure what the fresh champion does; None while nothing is guarded."""
        guard = status.guard
        if guard is None or guard.ended:
            return None
        predictions = self.store.recent_predictions(version=guard.version, since=guard.started_at, limit=GUARD_MESSAGES)
        previous = self._model(status.previous.digest) if status.previous else None
        audited, _ = self.store.audited(version=guard.version, since=guard.started_at)
        live = self.serving.figures() if self.counts_requests else {}
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
            p95_seconds=now.felt_seconds if now else None,
            previous_p95_seconds=before.felt_seconds if before else None,
            audited=audited,
            audited_previous_scores=previous.scores([row.text for row in audited]) if previous else None,
        )

    def _golden_ham(self, guard: GuardState) -> tuple[list[Label] | None, float | None]:
        """Score held-out ham through the live server: a limit that does not depend on what the candidate promised."""
        if guard.version not in self._golden:
            artefact = self.store.artefact_by_version(guard.version)
            if artefact is None:
                return None, None
            try:
                detector = DriftDetector.load(artefact.reference, LinearModel.load(artefact.model))
            except ArtefactRejected:
                return None, None  # somebody's own trainer wrote another reference: that limit can't be measured
            self._golden = {guard.version: detector.golden_ham}
        golden = self._golden[guard.version]
        if not golden.texts:
            return None, None
        return self.serving.labels_of(golden.texts, version=guard.version), golden.flagged

    def _model(self, digest: str) -> LinearModel | None:
        if digest not in self._models:
            artefact = self.store.artefact(digest)
            if artefact is None:
                return None
            try:
                self._models = {digest: LinearModel.load(artefact.model)}
            except ArtefactRejected:
                return None
        return self._models[digest]


def live_performance(
    store: Store, champion: ModelRef | None, *, spec: SpamModelSpec, now: datetime
) -> Performance | None:
    """Measure the champion by the audit sample since its promotion, within the window's age; None without one."""
    if champion is None:
        return None
    since = now - timedelta(seconds=spec.monitoring.max_age_seconds)
    if champion.promoted_at is not None:
        since = max(since, champion.promoted_at)
    audited, pending = store.audited(version=champion.version, since=since)
    return measure_performance(
        audited, model_version=champion.version, pending=pending, window_labels=spec.triggers.performance.min_labels
    )
