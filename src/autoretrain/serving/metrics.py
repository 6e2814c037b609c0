"""What does serving count? Names, labels and buckets of `/metrics`, and the counters of one version."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from autoretrain.domain.messages import Label

# Scoring takes a tenth of a millisecond; the guard compares p95 of two versions, so the buckets begin there.
BUCKETS_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMetrics:
    """The counters of one version, looked up once so that a request touches no label."""

    predictions: dict[Label, Callable[[], Any]]
    errors: Callable[[], Any]
    duration: Callable[[float], Any]


class ServingMetrics:
    """All series of one server, in a registry of its own. `spammodel` is the model's `<namespace>.<name>`."""

    def __init__(self, spammodel: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, which nothing here reads
        self.registry = CollectorRegistry()
        self._spammodel = spammodel
        version = ("spammodel", "model_version")
        self._predictions = self._counter("autoretrain_predictions", "Answered messages.", *version, "label")
        self._errors = self._counter("autoretrain_prediction_errors", "Messages that failed.", *version)
        self._duration = Histogram(
            "autoretrain_prediction_duration_seconds",
            "Time to score one message and say why.",
            version,
            buckets=BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._info = self._gauge("autoretrain_model_info", "What is served.", *version, "version", "digest", "role")
        self._loaded = self._gauge(
            "autoretrain_model_loaded_timestamp_seconds", "When the champion was put in place.", *version
        )
        self._labels = self._counter("autoretrain_labels", "Labels kept.", "spammodel", "source")
        self._dropped = self._counter(
            "autoretrain_predictions_dropped", "Predictions that were not kept.", "spammodel", "reason"
        )
        self._shadow = self._counter("autoretrain_shadow_scores", "Shadow scores.", *version, "outcome")
        self.queued = self._gauge(
            "autoretrain_prediction_queue_messages", "Predictions not yet kept.", "spammodel"
        ).labels(spammodel)
        self.stored = self._counter("autoretrain_predictions_stored", "Predictions kept.", "spammodel").labels(
            spammodel
        )
        self.stored_at = self._gauge(
            "autoretrain_predictions_stored_timestamp_seconds", "When predictions were last kept.", "spammodel"
        ).labels(spammodel)
        self.deployment_checked_at = self._gauge(
            "autoretrain_deployment_checked_timestamp_seconds",
            "When the store last said what is to be served.",
            "spammodel",
        ).labels(spammodel)
        self.load_failures = self._counter(
            "autoretrain_model_load_failures", "Versions that could not be loaded.", "spammodel"
        ).labels(spammodel)
        for reason in ("queue_full", "rejected", "shutdown"):
            self.dropped(reason, 0)

    def for_version(self, model_version: str) -> VersionMetrics:
        """The counters of `model_version` (as `v3`), present from now on, at zero."""
        labels = (self._spammodel, model_version)
        return VersionMetrics(
            predictions={label: self._predictions.labels(*labels, label.value).inc for label in Label},
            errors=self._errors.labels(*labels).inc,
            duration=self._duration.labels(*labels).observe,
        )

    def show_lineup(self, models: list[tuple[str, str, str]], *, loaded_at: float) -> None:
        """Publish (version, digest, role) of what is served now; the champion comes first."""
        self._info.clear()
        self._loaded.clear()
        for version, digest, role in models:
            self._info.labels(self._spammodel, f"v{version}", version, digest, role).set(1)
        self._loaded.labels(self._spammodel, f"v{models[0][0]}").set(loaded_at)

    def label_kept(self, source: str, count: int = 1) -> None:
        """`source` is a configured name, never a client's text."""
        self._labels.labels(self._spammodel, source).inc(count)

    def dropped(self, reason: str, count: int = 1) -> None:
        self._dropped.labels(self._spammodel, reason).inc(count)

    def shadow_scored(self, model_version: str, outcome: str, *, count: int = 1) -> None:
        self._shadow.labels(self._spammodel, model_version, outcome).inc(count)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
