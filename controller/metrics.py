"""What does the controller count of itself, and tell of models? Prometheus metrics in a registry of their own."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.cluster import Object
from controller.model_metrics import ModelCollector

PASS_BUCKETS = (0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0)


class ControllerMetrics:
    """All of the controller's metrics."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.passes = Counter(
            "autoretrain_controller_passes", "Passes by how they ended.", ["result"], registry=registry
        )
        self.pass_seconds = Histogram(
            "autoretrain_controller_pass_duration_seconds",
            "Duration of one pass.",
            buckets=PASS_BUCKETS,
            registry=registry,
        )
        self.actions = Counter(
            "autoretrain_controller_actions", "Actions carried out.", ["action", "result"], registry=registry
        )
        self.decisions = Counter(
            "autoretrain_controller_decisions", "Decisions that were recorded.", ["decision"], registry=registry
        )
        self.calls = Counter(
            "autoretrain_controller_api_calls", "Calls of passes and of pruning.", ["verb"], registry=registry
        )
        self.alerts = Counter(
            "autoretrain_controller_alerts", "Alerts by what became of them.", ["outcome"], registry=registry
        )
        self.advice = Counter(
            "autoretrain_controller_advice",
            "Questions to models' agents by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self.active_runs = Gauge("autoretrain_controller_active_runs", "Runs in flight.", registry=registry)
        self.upgrades = Gauge(
            "autoretrain_controller_upgrades",
            "Models by what a new operator's defaults are to their serving.",
            ["state"],
            registry=registry,
        )
        self.models = Gauge("autoretrain_controller_models", "SpamModels looked after.", registry=registry)
        self.queue_length = Gauge(
            "autoretrain_controller_queue_length", "Resources that are due and wait for a worker.", registry=registry
        )
        self.last_success = Gauge(
            "autoretrain_controller_last_successful_pass_timestamp_seconds",
            "When a pass last went through.",
            registry=registry,
        )
        self.leader = Gauge("autoretrain_controller_leader", "1 while this replica decides.", registry=registry)
        self._of_models = ModelCollector()
        registry.register(self._of_models)

    def show_models(self, documents: Sequence[Object]) -> None:
        """Tell of these SpamModels, and of no others, from now on."""
        self.models.set(len(documents))
        self._of_models.documents = documents

    def count_call(self, verb: str) -> None:
        self.calls.labels(verb).inc()
