"""The monitor's port: metrics for Prometheus, and a door for the controller's alerts where there is one."""

import json
from dataclasses import asdict

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from autoretrain.app.monitor_http import MOST_ALERTS, MOST_BYTES, build_app
from autoretrain.domain.plan import Alert

PROMOTED = Alert(event="Promoted", title="tenant-a.sms: a new champion is served", message="BetterOnRecentRows: v2")
DEGRADED = Alert(event="Degraded", title="tenant-a.sms: degraded", message="GuardFailed: v2")


@pytest.fixture
def taken() -> list[Alert]:
    return []


@pytest.fixture
def client(taken: list[Alert]) -> httpx.Client:
    return client_of(taken.append)


def client_of(take) -> httpx.Client:
    registry = CollectorRegistry()
    Gauge("some_ratio", "A figure.", registry=registry).set(0.25)
    return httpx.Client(transport=httpx.WSGITransport(build_app(registry, take)), base_url="http://monitor")


def body(*alerts: Alert) -> str:
    return json.dumps([asdict(alert) for alert in alerts])


def test_metrics_are_where_prometheus_looks(client: httpx.Client):
    assert "some_ratio 0.25" in client.get("/metrics").text


def test_alerts_are_taken_in_their_order(client: httpx.Client, taken: list[Alert]):
    assert client.post("/alerts", content=body(PROMOTED, DEGRADED)).status_code == 202
    assert taken == [PROMOTED, DEGRADED]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        ("{}", 422, "Input should be a valid"),
        ("[{", 422, "Invalid JSON"),
        ('[{"event": "Promoted", "title": "a"}]', 422, "0.message: "),
        (body(*[PROMOTED] * (MOST_ALERTS + 1)), 422, f"at most {MOST_ALERTS} items"),
        (f'["{"x" * MOST_BYTES}"]', 413, f"at most {MOST_BYTES} bytes"),
    ],
    ids=["no list", "no JSON", "a field is missing", "too many", "too long"],
)
def test_what_does_not_fit_is_refused_with_its_reason(client, taken, content, status, said):
    answer = client.post("/alerts", content=content)
    assert answer.status_code == status
    assert said in answer.text
    assert taken == []


def test_an_alert_that_fits_beside_one_that_does_not_is_not_taken_either(client, taken):
    content = json.dumps([asdict(PROMOTED), {"event": "Degraded"}])
    assert client.post("/alerts", content=content).status_code == 422
    assert taken == []


def test_alerts_are_brought_by_post_with_their_length(client, taken):
    assert client.get("/alerts").status_code == 405
    assert client.post("/alerts", content=iter([body(PROMOTED).encode()])).status_code == 411
    assert taken == []


def test_on_one_machine_nobody_brings_alerts():
    assert client_of(None).post("/alerts", content=body(PROMOTED)).status_code != 202
