"""The monitor: measures windows and live quality, publishes them as Prometheus metrics, and makes passes if told to."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.monitoring import WindowMonitor
from autoretrain.app.passes import PassResult, run_pass
from autoretrain.decide.transition import decide
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation, Performance
from autoretrain.domain.plan import Plan

BUSY_SECONDS = 1.0
TREND_WINDOWS = 8

log = structlog.get_logger("autoretrain.monitor")


class MonitorMetrics:
    """The gauges of the monitor; each value stands beside the time that it was measured at."""

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
            self.f1.labels(*labels).set(performance.overall.f1.value)
            self.live_time.labels(*labels).set(now)


@dataclass(slots=True)
class Monitor:
    """Measures one model. `world` also makes the passes where this process is the one that decides."""

    world: LocalWorld
    metrics: MonitorMetrics = field(default_factory=MonitorMetrics)
    _windows: WindowMonitor = field(init=False)

    def __post_init__(self) -> None:
        self._windows = WindowMonitor(self.world.store)

    def check(self) -> tuple[Observation, Plan]:
        """Measure, gather and decide; nothing is carried out and nothing but finished windows is written."""
        model = self.world.model()
        self._windows.measure(model.spec.monitoring, now=utc_now())
        observation = self.world.gather(utc_now())
        return observation, decide(observation)

    def act(self) -> PassResult:
        """Measure, then make a whole pass."""
        model = self.world.model()
        self._windows.measure(model.spec.monitoring, now=utc_now())
        return run_pass(self.world, utc_now())

    def publish(self) -> float:
        """Measure and show the figures; deciding is somebody else's. Return the seconds until the next time."""
        model = self.world.model()
        reports = self._windows.measure(model.spec.monitoring, now=utc_now())
        for report in reports[-1:] or self.recent_reports(limit=1):
            self.metrics.show_drift(model.key, report)
        champion = self.world.state.read_status(model.key).champion
        performance = self.world.evidence.performance(champion, spec=model.spec, now=utc_now())
        if performance is not None:
            self.metrics.show_performance(model.key, performance, now=time.time())
        return model.spec.monitoring.interval_seconds

    def recent_reports(self, *, limit: int = TREND_WINDOWS) -> list[DriftReport]:
        """Return the newest reports of the deployed version, oldest first."""
        deployment = self.world.store.deployment()
        return self.world.store.reports(version=deployment.version, limit=limit) if deployment else []


def serve_metrics(registry: CollectorRegistry, *, host: str, port: int) -> None:
    start_http_server(port, addr=host, registry=registry)


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
