"""What do serving and monitor count? Out of their own /metrics on one machine, out of Prometheus on a cluster."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from autoretrain.adapters.prometheus import Prometheus, matching
from autoretrain.adapters.store.predictions import Traffic
from autoretrain.app.serving_client import quantile
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label

TIMEOUT_SECONDS: Final = 2.0
PERCENTILES: Final = (0.5, 0.95, 0.99)
DURATION: Final = "autoretrain_prediction_duration_seconds"
SINCE_START: Final = "since the server's start"
LAST_HOUR: Final = "in the last hour"
UNKNOWN: Final = "unknown"
"""Stands for a label that a series lacks: what is scraped may be another release, or relabelled on its way."""


class NotAnswered(AutoRetrainError):  # noqa: N818 - named for what happened
    """A service that is asked for its metrics does not give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFigures:
    """Of one version; a percentile in seconds is None where too few messages were scored."""

    version: str
    requests: float
    errors: float
    percentiles: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingFigures:
    """`counted` says over which time; `dropped` is by reason, `labels` by source, `alerts` by channel and outcome."""

    counted: str
    versions: tuple[VersionFigures, ...]
    queued: float | None
    dropped: Mapping[str, float]
    labels: Mapping[str, float]
    alerts: Mapping[tuple[str, str], float] = field(default_factory=dict)


def fetch_own(http: httpx.Client, *, serving: str, monitor: str) -> ServingFigures:
    """Ask the services of one machine. Raises NotAnswered; the figures of a monitor that does not run are left out."""
    served = _fetch(http, "Serving", serving)
    try:
        monitored = _fetch(http, "The monitor", monitor)
    except NotAnswered:
        monitored = ""
    return read_own(served, monitored)


def _fetch(http: httpx.Client, service: str, address: str) -> str:
    try:
        return http.get(f"{address}/metrics", timeout=TIMEOUT_SECONDS).raise_for_status().text
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise NotAnswered(f"{service} at {address} gives no metrics: it answered with HTTP status {code}") from None
    except httpx.TimeoutException:
        reason = f"no answer within {TIMEOUT_SECONDS:.0f} s"
    except httpx.ConnectError:
        reason = "nobody answers there"
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        reason = "that is no address"
    except httpx.HTTPError:
        reason = "the connection broke off"
    raise NotAnswered(f"{service} at {address} can't be reached: {reason}")


def read_own(serving: str, monitor: str) -> ServingFigures:
    """Read the figures of one machine out of the text that serving and monitor give. Raises NotAnswered."""
    try:
        return _count(
            sample
            for text in (serving, monitor)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
    except ValueError:
        raise NotAnswered("What serving or the monitor answers are no metrics") from None


def _of(labels: Mapping[str, str], name: str) -> str:
    return labels.get(name) or UNKNOWN


def _count(samples: Iterable[Sample]) -> ServingFigures:
    requests: dict[str, float] = defaultdict(float)
    errors: dict[str, float] = defaultdict(float)
    buckets: dict[str, list[tuple[float, float]]] = defaultdict(list)
    dropped: dict[str, float] = {}
    labels: dict[str, float] = {}
    alerts: dict[tuple[str, str], float] = {}
    queued = None
    for sample in samples:
        of = partial(_of, sample.labels)
        match sample.name:
            case "autoretrain_prediction_duration_seconds_count":
                requests[of("model_version")] += sample.value
            case "autoretrain_prediction_duration_seconds_bucket" if "le" in sample.labels:
                buckets[of("model_version")].append((float(sample.labels["le"]), sample.value))
            case "autoretrain_prediction_errors_total":
                errors[of("model_version")] += sample.value
            case "autoretrain_predictions_dropped_total":
                dropped[of("reason")] = sample.value
            case "autoretrain_labels_total":
                labels[of("source")] = sample.value
            case "autoretrain_prediction_queue_messages":
                queued = sample.value
            case "autoretrain_alerts_total":
                alerts[of("channel"), of("outcome")] = sample.value
    versions = tuple(
        VersionFigures(
            version=version,
            requests=requests[version],
            errors=errors[version],
            percentiles=tuple(quantile(buckets[version], q) if buckets[version] else None for q in PERCENTILES),
        )
        for version in sorted(requests)
    )
    return ServingFigures(
        counted=SINCE_START, versions=versions, queued=queued, dropped=dropped, labels=labels, alerts=alerts
    )


def ask_prometheus(prometheus: Prometheus, *, namespace: str, key: str) -> ServingFigures:
    """Ask for the same of all Pods of one model. Raises PrometheusUnavailable."""
    which = matching(namespace=namespace, spammodel=key)

    def by(label: str, query: str) -> dict[str, float]:
        return {_of(labels, label): value for labels, value in prometheus.instant(query)}

    def increase(metric: str, label: str) -> dict[str, float]:
        return by(label, f"sum by ({label}) (increase({metric}{which}[1h]))")

    rates = f"sum by (model_version, le) (rate({DURATION}_bucket{which}[1h]))"
    percentiles = [by("model_version", f"histogram_quantile({q}, {rates})") for q in PERCENTILES]
    requests = increase(f"{DURATION}_count", "model_version")
    errors = increase("autoretrain_prediction_errors_total", "model_version")
    queued = prometheus.instant(f"sum(autoretrain_prediction_queue_messages{which})")
    return ServingFigures(
        counted=LAST_HOUR,
        versions=tuple(
            VersionFigures(
                version=version,
                requests=requests[version],
                errors=errors.get(version, 0.0),
                percentiles=tuple(each.get(version) for each in percentiles),
            )
            for version in sorted(requests)
        ),
        queued=queued[0][1] if queued else None,
        dropped=increase("autoretrain_predictions_dropped_total", "reason"),
        labels=increase("autoretrain_labels_total", "source"),
    )


def ask_traffic(
    prometheus: Prometheus, *, namespace: str, key: str, since: datetime, until: datetime, step: timedelta
) -> list[Traffic]:
    """Ask how many messages were answered in each `step`: what the store says, where it is out of reach."""
    which, seconds = matching(namespace=namespace, spammodel=key), round(step.total_seconds())
    query = f"sum by (model_version, label) (increase(autoretrain_predictions_total{which}[{seconds}s]))"
    found = prometheus.over_time(query, since=since, until=until, step_seconds=seconds)
    return [
        # The value at a time is about the step before it.
        Traffic(
            started_at=at - step,
            version=_of(labels, "model_version").removeprefix("v"),
            label=Label(labels["label"]),
            messages=round(value),
        )
        for labels, points in found
        # Without a label it is not told what was answered, and a third kind would only blur the share of spam.
        if labels.get("label") in set(Label)
        for at, value in points
    ]
