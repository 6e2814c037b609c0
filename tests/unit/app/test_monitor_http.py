"""The monitor's port: metrics for Prometheus, and a door for the controller's alerts where there is one."""

import json
import threading

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from autoretrain.adapters import records
from autoretrain.adapters.alerts import Trial
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


def client_of(take, test=None) -> httpx.Client:
    registry = CollectorRegistry()
    Gauge("some_ratio", "A figure.", registry=registry).set(0.25)
    return httpx.Client(transport=httpx.WSGITransport(build_app(registry, take, test)), base_url="http://monitor")


def body(*alerts: Alert) -> str:
    return json.dumps([records.dump_record(alert) for alert in alerts])


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
        (json.dumps([records.dump_record(PROMOTED) | {"at": "0001-01-01T00:00:00+14:00"}]), 422, "no time in UTC"),
        (json.dumps([records.dump_record(PROMOTED) | {"event": "Held\nlevel=info"}]), 422, "no event"),
        (body(*[PROMOTED] * (MOST_ALERTS + 1)), 422, f"at most {MOST_ALERTS} items"),
        (f'["{"x" * MOST_BYTES}"]', 413, f"at most {MOST_BYTES} bytes"),
    ],
    ids=["no list", "no JSON", "a field is missing", "no time", "no event", "too many", "too long"],
)
def test_what_does_not_fit_is_refused_with_its_reason(client, taken, content, status, said):
    answer = client.post("/alerts", content=content)
    assert answer.status_code == status
    assert said in answer.text
    assert taken == []


def test_an_alert_that_fits_beside_one_that_does_not_is_not_taken_either(client, taken):
    content = json.dumps([records.dump_record(PROMOTED), {"event": "Degraded"}])
    assert client.post("/alerts", content=content).status_code == 422
    assert taken == []


def test_alerts_are_brought_by_post_with_their_length(client, taken):
    assert client.get("/alerts").status_code == 405
    assert client.post("/alerts", content=iter([body(PROMOTED).encode()])).status_code == 411
    assert taken == []


@pytest.mark.parametrize("length", ["-1", "\u00b2", "9" * 5000, "0x10"])
def test_a_length_that_is_none_is_refused(taken, length):
    app = build_app(CollectorRegistry(), taken.append, None)
    environ = {"PATH_INFO": "/alerts", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": length}
    statuses = []
    list(app(environ, lambda status, _headers: statuses.append(status)))
    assert (statuses, taken) == (["411 Length Required"], [])


def test_on_one_machine_nobody_brings_alerts():
    assert client_of(None).post("/alerts", content=body(PROMOTED)).status_code != 202


def test_an_alert_of_an_older_controller_is_taken_with_what_it_says(client, taken):
    old = {"event": "Promoted", "title": PROMOTED.title, "message": PROMOTED.message}
    assert client.post("/alerts", content=json.dumps([old])).status_code == 202
    assert taken == [PROMOTED]


def test_what_a_newer_controller_says_beside_it_is_left_out(client, taken):
    new = records.dump_record(PROMOTED) | {"mood": "good"}
    assert client.post("/alerts", content=json.dumps([new])).status_code == 202
    assert taken == [PROMOTED]


def test_a_test_is_asked_for_by_post_and_answered_address_by_address(taken):
    trial = Trial(service="Slack", delivered=False, seconds=0.5, reason="it answered 403")
    client = client_of(taken.append, lambda: (trial,))
    assert client.get("/alerts/test").status_code == 405
    answer = client.post("/alerts/test")
    assert answer.json() == [{"service": "Slack", "delivered": False, "seconds": 0.5, "reason": "it answered 403"}]
    assert taken == []


def test_one_test_goes_on_at_a_time(taken):
    began, go_on = threading.Event(), threading.Event()

    def slow():
        began.set()
        go_on.wait(10)
        return ()

    client = client_of(taken.append, slow)
    first = threading.Thread(target=client.post, args=("/alerts/test",))
    first.start()
    began.wait(10)
    assert client.post("/alerts/test").status_code == 429
    go_on.set()
    first.join(10)
    assert client.post("/alerts/test").json() == []
