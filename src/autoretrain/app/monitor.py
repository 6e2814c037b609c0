"""The monitor: measures windows and live quality, publishes them as Prometheus metrics, and makes passes if told to."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, Gauge

from autoretrain.adapters.evidence_metrics import EvidenceCollector
from autoretrain.app.alert_totals import AlertCollector, AlertTotals, AlertTotalsFile
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.monitoring import WindowMonitor
from autoretrain.app.passes import PassResult, run_pass
from autoretrain.decide.transition import decide
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation, Performance
from autoretrain.domain.plan import Plan

BUSY_SECONDS = 1.0
TREND_WINDOWS = 8

log = structlog.get_logger("autoretrain.monitor")


class MonitorMetrics:
    """What the monitor exports: gauges, each beside its time, the counts of alerts, and evidence for a controller."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        model = ["spammodel", "model_version"]
        self.drift = Gauge("autoretrain_drift_ratio", "Calibrated drift score.", [*model, "metric"], registry=registry)
        self.floor = Gauge(
            "autoretrain_drift_noise_floor_ratio",
            "Upper quantile without drift.",
            [*model, "metric"],
            registry=registry,
        )
        self.window = Gauge("autoretrain_window_messages", "Messages of the window.", model, registry=registry)
        self.window_time = Gauge(
            "autoretrain_drift_measured_timestamp_seconds", "End of the window measured last.", model, registry=registry
        )
        self.window_id = Gauge(
            "autoretrain_drift_window_info", "Id of the window measured last.", [*model, "window_id"], registry=registry
        )
        self.accuracy = Gauge(
            "autoretrain_live_accuracy_ratio", "Live accuracy, audit labels.", model, registry=registry
        )
        self.f1 = Gauge("autoretrain_live_f1_ratio", "Live F1, audit labels.", model, registry=registry)
        self.labels = Gauge(
            "autoretrain_live_labels", "Audit labels behind the live figures.", model, registry=registry
        )
        self.live_time = Gauge(
            "autoretrain_live_measured_timestamp_seconds", "Time of the live figures.", model, registry=registry
        )
        self.alerts = AlertCollector()
        registry.register(self.alerts)
        self.evidence = EvidenceCollector()
        registry.register(self.evidence)

    def show_drift(self, key: str, report: DriftReport) -> None:
        labels = (key, f"v{report.model_version}")
        self.drift.labels(*labels, "overall").set(report.score)
        for metric in report.metrics:
            self.drift.labels(*labels, metric.name).set(metric.score)
            self.floor.labels(*labels, metric.name).set(metric.upper)
        self.window.labels(*labels).set(report.size)
        self.window_time.labels(*labels).set(report.ended_at.timestamp())
        self.window_id.clear()
        self.window_id.labels(*labels, report.window_id).set(1)

    def show_performance(self, key: str, performance: Performance, *, now: float) -> None:
        labels = (key, f"v{performance.model_version}")
        self.labels.labels(*labels).set(performance.labels)
        if performance.overall is not None:
            self.accuracy.labels(*labels).set(performance.overall.accuracy.value)
            f1 = performance.overall.f1
            # NaN is what Prometheus compares with nothing: a figure of earlier must not stand as today's.
            self.f1.labels(*labels).set(f1.value if f1 else math.nan)
            self.live_time.labels(*labels).set(now)


@dataclass(slots=True)
class Monitor:
    """Measures one model. `world` also makes the passes where this process is the one that decides.

    `alert_totals` counts the alerts; None: the process that decides leaves its counts in a file.
    """

    world: LocalWorld
    metrics: MonitorMetrics = field(default_factory=MonitorMetrics)
    alert_totals: Callable[[], AlertTotals] | None = None
    _windows: WindowMonitor = field(init=False)

    def __post_init__(self) -> None:
        self._windows = WindowMonitor(self.world.store)

    def check(self) -> tuple[Observation, Plan]:
        """Measure, gather and decide; nothing is carried out and nothing but finished windows is written."""
        self._measure(utc_now())
        observation = self.world.gather(utc_now())
        return observation, decide(observation)

    def act(self) -> PassResult:
        """Measure, then make a whole pass."""
        self._measure(utc_now())
        result = run_pass(self.world, utc_now())
        self.world.tidy_when_due(utc_now())
        return result

    def publish(self) -> float:
        """Measure and show the figures; deciding is somebody else's. Return the seconds until the next time."""
        model = self.world.model()
        reports = self._measure(utc_now())
        for report in reports[-1:] or self.recent_reports(limit=1):
            self.metrics.show_drift(model.key, report)
        evidence = self.world.evidence.read(model, self.world.status(model), now=utc_now())
        if evidence.performance is not None:
            self.metrics.show_performance(model.key, evidence.performance, now=evidence.measured_at.timestamp())
        self.metrics.evidence.show(model.key, evidence)
        counted = self.alert_totals or AlertTotalsFile(self.world.state.alert_totals).read
        self.metrics.alerts.totals[model.key] = counted()
        if self.world.settings.status_file is not None:
            self.world.tidy_when_due(evidence.measured_at)  # on one machine the process that decides does it
        return model.spec.monitoring.interval_seconds

    def recent_reports(self, *, limit: int = TREND_WINDOWS) -> list[DriftReport]:
        """Return the newest reports of the deployed version, oldest first."""
        deployed = self._deployed()
        return self.world.store.reports(version=deployed.version, limit=limit) if deployed else []

    def _measure(self, now: datetime) -> list[DriftReport]:
        deployed = self._deployed()
        if deployed is not None:
            self.world.require_artefact(deployed.version, deployed.digest)
        return self._windows.measure(self.world.model().spec.monitoring, deployed=deployed, now=now)

    def _deployed(self) -> Deployment | None:
        return self.world.deployed(self.world.status(self.world.model()))


def repeat(action: Callable[[], float], *, stop: threading.Event) -> None:
    """Call `action` until `stop`; it returns the seconds to wait. An outage is logged once and waited out."""
    failing = ""
    while not stop.is_set():
        try:
            delay = action()
            failing = ""
        except AutoRetrainError as error:
            delay = BUSY_SECONDS * 5
            if str(error) != failing:
                failing = str(error)
                log.warning("check failed, will be tried again", error=failing)
        stop.wait(delay)


def open_patiently(open_world: Callable[[], LocalWorld]) -> LocalWorld:
    """Return the world once it can be opened: a store that is away when this starts is waited for."""
    opened: list[LocalWorld] = []
    done = threading.Event()

    def attempt() -> float:
        opened.append(open_world())
        done.set()
        return 0.0

    repeat(attempt, stop=done)
    return opened[0]
