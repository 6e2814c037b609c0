"""What the controller hands to the monitor Pod: after the status is written, without waiting, and not for ever."""

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from autoretrain.domain.plan import Alert
from controller import alerts as relay_module
from controller.alerts import AlertRelay
from controller.cache import WatchCache
from controller.cluster import DECISION
from controller.metrics import ControllerMetrics
from tests.operator.operator_world import OperatorWorld

KEY = ("tenant-a", "sms")
PROMOTED = Alert(
    event="Promoted",
    title="tenant-a.sms: a new champion is served",
    message="v2",
    id="p1",
    at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    figures=("version 2 on 1000 held-out messages: accuracy 0.99, F1 0.96",),
    done="version 2 serves",
    todo="Nothing.",
    see="autoretrain explain sms",
)
LIMIT = 10.0


def monitor_pod(name="sms-monitor-1", *, ip="127.0.0.1", component="monitor", **metadata):
    labels = {"autoretrain.dev/spammodel": "sms", "app.kubernetes.io/component": component}
    own = {"name": name, "namespace": KEY[0], "uid": name, "labels": labels, "resourceVersion": "1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**own, "creationTimestamp": "2026-03-02T12:00:00Z", **metadata},
        "spec": {},
        "status": {"phase": "Running", "podIP": ip},
    }


@asynccontextmanager
async def relaying(*pods, answers=(202,), give_up_seconds=LIMIT):
    """A relay, and a monitor that answers with each status in turn and then with the last; yields what it was given."""
    given, script = [], list(answers)

    async def take(request: web.Request) -> web.Response:
        given.append(await request.json())
        return web.Response(status=script.pop(0) if len(script) > 1 else script[0])

    app = web.Application()
    app.router.add_post("/alerts", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    cache, metrics = WatchCache(), ControllerMetrics()
    for pod in pods:
        cache.put(pod)
    waits = {"first_wait_seconds": 0.001, "give_up_seconds": give_up_seconds}
    try:
        yield SimpleNamespace(relay=AlertRelay(cache, metrics, port=port, **waits), given=given, metrics=metrics)
    finally:
        await runner.cleanup()


@pytest.fixture
def logged():
    """What is logged; other tests of the operator silence it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with capture_logs() as entries:
        yield entries


def not_sent(logged) -> list[tuple[str, str]]:
    told = [entry for entry in logged if entry["event"] == "alerts were not sent"]
    return [(entry["model"], entry["error"]) for entry in told]


def counted(metrics: ControllerMetrics) -> dict[str, float]:
    samples = [sample for family in metrics.alerts.collect() for sample in family.samples]
    return {sample.labels["outcome"]: sample.value for sample in samples if sample.name.endswith("_total")}


async def test_the_monitor_is_given_the_alerts():
    async with relaying(monitor_pod()) as place:
        place.relay.hand_over(KEY, (PROMOTED, PROMOTED))
        await place.relay.close()
        one = {
            "event": "Promoted",
            "title": PROMOTED.title,
            "message": "v2",
            "id": "p1",
            "at": "2026-03-02T12:00:00Z",
            "figures": ["version 2 on 1000 held-out messages: accuracy 0.99, F1 0.96"],
            "done": "version 2 serves",
            "todo": "Nothing.",
            "see": "autoretrain explain sms",
        }
        assert place.given == [[one, one]]
        assert counted(place.metrics) == {"handed_over": 2}


async def test_a_monitor_that_is_busy_is_asked_again():
    async with relaying(monitor_pod(), answers=(503, 500, 202)) as place:
        place.relay.hand_over(KEY, (PROMOTED,))
        await place.relay.close()
        assert len(place.given) == 3
        assert counted(place.metrics) == {"handed_over": 1}


@pytest.mark.parametrize(
    "pods",
    [
        (),
        (monitor_pod(component="serving"),),
        (monitor_pod(ip=""),),
        (monitor_pod(deletionTimestamp="2026-03-02T12:01:00Z"),),
    ],
    ids=["none", "serving's", "not started", "ending"],
)
async def test_without_a_running_monitor_it_is_given_up_and_counted(pods):
    async with relaying(*pods, give_up_seconds=0.05) as place:
        place.relay.hand_over(KEY, (PROMOTED,))
        await place.relay.close()
        assert place.given == []
        assert counted(place.metrics) == {"failed": 1}


async def test_the_newest_monitor_is_asked():
    old = monitor_pod("sms-monitor-0", ip="192.0.2.1", creationTimestamp="2026-03-02T11:00:00Z")
    async with relaying(old, monitor_pod()) as place:
        place.relay.hand_over(KEY, (PROMOTED,))
        await place.relay.close()
        assert len(place.given) == 1


async def test_more_than_may_be_under_way_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay_module, "MOST_UNDER_WAY", 1)
    async with relaying(monitor_pod()) as place:
        place.relay.hand_over(KEY, (PROMOTED,))
        place.relay.hand_over(KEY, (PROMOTED, PROMOTED))
        await place.relay.close()
        assert counted(place.metrics) == {"handed_over": 1, "dropped": 2}


async def test_a_namespace_whose_monitors_are_away_does_not_keep_another_s_alerts_waiting(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(relay_module, "MOST_UNDER_WAY", 10)
    async with relaying(monitor_pod()) as place:
        for number in range(20):
            place.relay.hand_over(("tenant-b", f"sms-{number}"), (PROMOTED,))
        place.relay.hand_over(KEY, (PROMOTED,))
        async with asyncio.timeout(LIMIT):
            while len(counted(place.metrics)) < 2:
                await asyncio.sleep(0.001)
        assert counted(place.metrics) == {"handed_over": 1, "dropped": 11}


async def test_namespaces_that_want_more_than_there_is_have_the_same_share(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay_module, "MOST_UNDER_WAY", 10)
    monkeypatch.setattr(relay_module, "CLOSE_SECONDS", 0.0)
    async with relaying(give_up_seconds=600) as place:
        for namespace in ("tenant-a", "tenant-b"):
            for number in range(20):
                place.relay.hand_over((namespace, f"sms-{number}"), (PROMOTED,))
        assert place.relay.under_way == {"tenant-a": 5, "tenant-b": 5}
        await place.relay.close()


async def test_what_is_given_up_for_another_is_what_was_tried_the_longest(monkeypatch: pytest.MonkeyPatch, logged):
    monkeypatch.setattr(relay_module, "MOST_UNDER_WAY", 2)
    monkeypatch.setattr(relay_module, "CLOSE_SECONDS", 0.0)
    async with relaying(give_up_seconds=600) as place:
        for key in (("tenant-b", "old"), ("tenant-b", "new"), KEY):
            place.relay.hand_over(key, (PROMOTED,))
        async with asyncio.timeout(LIMIT):
            while not not_sent(logged):
                await asyncio.sleep(0)
        assert not_sent(logged) == [("tenant-b.old", "given up, for other namespaces or at the end")]
        await place.relay.close()


async def test_an_alert_that_can_not_be_handed_over_for_a_fault_of_ours_is_counted_and_logged(monkeypatch, logged):
    async with relaying(monitor_pod()) as place:
        monkeypatch.setattr(relay_module, "running_host", lambda *_: 1 / 0)
        place.relay.hand_over(KEY, (PROMOTED,))
        await place.relay.close()
        assert counted(place.metrics) == {"failed": 1}
        assert not_sent(logged) == [("tenant-a.sms", "ZeroDivisionError")]


async def test_the_end_of_the_process_is_not_held_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay_module, "CLOSE_SECONDS", 0.01)
    async with relaying(give_up_seconds=600) as place:
        place.relay.hand_over(KEY, (PROMOTED,))
        async with asyncio.timeout(LIMIT):
            await place.relay.close()


def listening(**spec) -> tuple[OperatorWorld, list[tuple[str, str]]]:
    """A world, and each alert that is handed over, with the run that the written status has at that moment."""
    world, handed = OperatorWorld(), []
    world.create_model(**spec)

    def hand_over(_key, alerts) -> None:
        handed.extend((alert.event, world.status.active_run.name) for alert in alerts)

    world.passes.hand_over = hand_over
    return world, handed


def test_a_pass_hands_over_what_changed_when_the_status_says_so_and_once():
    world, handed = listening(alerts={"secretRef": {"name": "people"}})
    world.make_pass()
    assert handed == [("Retraining", world.status.active_run.name)]
    world.make_pass()
    assert len(handed) == 1


CALLS_OF_A_PASS = 6
"""Job, settings read and made, decision, status, event."""


@pytest.mark.parametrize("at", range(1, CALLS_OF_A_PASS + 1))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_wherever_a_controller_is_killed_the_next_one_tells_what_came_about(at, after):
    """The id is that of the transition, so that the monitor knows what it was told before the kill."""
    world, told = OperatorWorld(), []
    world.create_model(alerts={"secretRef": {"name": "people"}})

    def hand_over(_key, alerts) -> None:
        told.extend((alert.event, alert.id) for alert in alerts)

    world.passes.hand_over = hand_over
    world.make_killed_pass(at=at, after=after)
    world.passes.hand_over = hand_over
    world.make_pass()
    world.make_pass()
    assert {event for event, _ in told} == {"Retraining"}
    assert len(set(told)) == 1


def test_a_controller_that_starts_long_after_tells_nothing_again():
    world, told = OperatorWorld(), []
    world.create_model(alerts={"secretRef": {"name": "people"}})
    world.make_pass()
    world.wait(3600)
    world.start()
    world.passes.hand_over = lambda _key, alerts: told.extend(alert.event for alert in alerts)
    world.make_pass()
    assert "Retraining" not in told


def test_an_alert_names_its_decision_by_its_sequence():
    world, seen = OperatorWorld(), []
    world.create_model(alerts={"secretRef": {"name": "people"}})
    world.passes.dashboard_url = "https://spam.example"
    world.passes.hand_over = lambda _key, alerts: seen.extend(alert.see for alert in alerts)
    world.make_pass()
    [decision] = world.cluster.of(DECISION)
    key = f"{decision['metadata']['namespace']}.{decision['spec']['spamModel']}"
    assert seen == [f"https://spam.example/decisions?model={key}&id={decision['spec']['sequence']}"]


def test_without_addresses_nothing_is_handed_over():
    world, handed = listening()
    world.make_pass()
    assert world.status.active_run is not None
    assert handed == []
