"""What a Prometheus says becomes evidence only if it is whole, fresh and about this model; all else is a reason."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from autoretrain.adapters.evidence_metrics import Evidence
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.observation import GuardEvidence, LabelSupply
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import GuardState, ModelRef, Status
from controller.prometheus import QUERIES, EvidenceReading, PrometheusEvidence
from tests.default_spec import default_spec
from tests.operator import prometheus_server
from tests.operator.prometheus_server import name_of, prometheus, vector

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = SpamModel(name="sms", namespace="tenant-a", uid="u", generation=1, training_hash="h", spec=default_spec())
CHAMPION = ModelRef(version="7", digest="sha256:7")
PREVIOUS = ModelRef(version="6", digest="sha256:6")
STATUS = Status(champion=CHAMPION, previous=PREVIOUS)
GUARDED = replace(STATUS, guard=GuardState(version="7", started_at=NOW, expected=None))
REPORT = DriftReport(
    window_id="7-1-500",
    model_version="7",
    started_at=NOW - timedelta(minutes=9),
    ended_at=NOW - timedelta(minutes=1),
    size=500,
    score=0.31,
    metrics=(MetricDrift(name="vocabulary", raw=0.31, median=0.0, upper=0.15, score=0.31),),
)
SUPPLY = LabelSupply(new_labels=120, new_spam_labels=30, highest_sequence=400)
EVIDENCE = Evidence(
    model_version="7",
    measured_at=NOW - timedelta(seconds=20),
    drift=(REPORT,),
    pending_messages=12,
    supply=SUPPLY,
    guard=GuardEvidence(model_version="7", messages=321, score_shift=0.02),
)
READ = EvidenceReading(drift=(REPORT,), pending=12, performance=None, supply=SUPPLY, guard=EVIDENCE.guard)


def rows(evidence: Evidence, *, namespace: str = "tenant-a", key: str = "tenant-a.sms", **more: str) -> list[dict]:
    return prometheus_server.rows(evidence, namespace=namespace, key=key, **more)


def figure(version: str, value: float | str, **labels: str) -> dict:
    own = {"namespace": "tenant-a", "spammodel": "tenant-a.sms", "model_version": f"v{version}"}
    return {"metric": {**own, **labels}, "value": [NOW.timestamp(), str(value)]}


def answers(evidence=EVIDENCE, **others) -> dict:
    """What a Prometheus that is well says to each query."""
    return {"evidence": rows(evidence), "requests": [], "errors": [], "p95": []} | others


async def read(answer, *, status=STATUS, model=MODEL, now=NOW, timeout_seconds=2.0) -> EvidenceReading:
    async with prometheus(lambda name, _: answer(name)) as server, aiohttp.ClientSession() as http:
        return await asks(http, server.url, timeout_seconds=timeout_seconds).read(model, status, now=now)


def asks(http: aiohttp.ClientSession, url: str, **options) -> PrometheusEvidence:
    """The evidence port, of which one model's series are at `url`."""
    return PrometheusEvidence(http, url_of=lambda _: url, keys_at=lambda _: [("tenant-a", "sms")], **options)


async def test_what_the_monitor_measured_is_read():
    assert await read(answers().get) == READ


async def test_windows_without_a_champion_are_asked_for_without_a_version():
    none = Evidence(model_version="", measured_at=NOW, supply=SUPPLY)
    assert await read(answers(none).get, status=Status()) == EvidenceReading(drift=(), supply=SUPPLY)


async def test_the_guard_gets_errors_and_latency_over_all_replicas():
    guarded = answers(
        requests=[figure("7", 990.4), figure("6", 5000)],
        errors=[figure("7", 9.6), figure("6", 0)],
        p95=[figure("7", 0.3), figure("6", 0.1)],
    )
    reading = await read(guarded.get, status=GUARDED)
    assert reading.problem is None
    assert reading.guard == replace(
        EVIDENCE.guard, requests=1000, error_ratio=pytest.approx(0.0096), latency_ratio=pytest.approx(3.0)
    )


async def test_a_latency_that_nobody_feels_is_no_slower_model():
    guarded = answers(
        requests=[figure("7", 500), figure("6", 5000)],
        errors=[figure("7", 0), figure("6", 0)],
        p95=[figure("7", 0.004), figure("6", 0.0004)],
    )
    assert (await read(guarded.get, status=GUARDED)).guard.latency_ratio == 1.0


async def test_the_previous_version_that_nobody_asked_lately_makes_no_ratio():
    guarded = answers(requests=[figure("7", 500)], errors=[figure("7", 0)], p95=[figure("7", "NaN")])
    assert (await read(guarded.get, status=GUARDED)).guard == replace(EVIDENCE.guard, requests=500, error_ratio=0.0)


async def test_errors_are_seen_although_the_monitor_is_away():
    guarded = answers(requests=[figure("7", 10)], errors=[figure("7", 90)], p95=[])
    guarded["evidence"] = []
    reading = await read(guarded.get, status=GUARDED)
    assert reading.guard == GuardEvidence(model_version="7", messages=0, requests=100, error_ratio=0.9)
    assert "no series" in reading.problem


NAN = [{**row, "value": [0, "NaN"]} if "drift" in row["metric"]["__name__"] else row for row in rows(EVIDENCE)]
TWICE = rows(EVIDENCE) + [{**row, "metric": {**row["metric"], "pod": "sms-monitor-2"}} for row in rows(EVIDENCE)]
VECTOR = {"resultType": "vector", "result": rows(EVIDENCE)}


async def slow() -> web.Response:
    await asyncio.sleep(0.5)
    return vector([])


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (list, "no series"),
        (lambda: rows(replace(EVIDENCE, measured_at=NOW - timedelta(seconds=300))), "too long ago"),
        (lambda: rows(replace(EVIDENCE, measured_at=NOW + timedelta(hours=1))), "in the future"),
        (lambda: NAN, "not a number"),
        (lambda: TWICE, "more than once"),
        (lambda: rows(EVIDENCE)[:-2], "missing"),
        (lambda: rows(EVIDENCE)[1:], "series are there"),
        (lambda: rows(replace(EVIDENCE, model_version="6")), "no series"),
        (lambda: rows(EVIDENCE, namespace="tenant-b"), "no series"),
        (lambda: rows(EVIDENCE, key="tenant-a.other"), "no series"),
        (lambda: vector(rows(EVIDENCE), warnings=["one store did not answer"]), "partial"),
        (lambda: web.json_response({"status": "error", "errorType": "timeout", "error": "x"}, status=503), "503"),
        (lambda: web.json_response({"status": "error", "errorType": "bad_data", "error": "x"}, status=400), "bad_data"),
        (lambda: web.json_response({"status": "error"}), "200"),
        (lambda: web.json_response({"status": "success", "data": VECTOR}, status=500), "500"),
        (lambda: web.Response(text="<html>Sign in</html>", content_type="text/html"), "not JSON"),
        (lambda: web.Response(text=json.dumps({"status": "success"})[:-4]), "not JSON"),
        (lambda: web.Response(text="[" * 100_000), "not JSON"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "not JSON"),
        (lambda: web.json_response([]), "understood"),
        (lambda: web.json_response({"status": "success"}), "understood"),
        (
            lambda: web.json_response({"status": "success", "data": {"resultType": "matrix", "result": []}}),
            "no instant",
        ),
        (lambda: [{"metric": None, "value": [0, "1"]}], "understood"),
        (lambda: [{"metric": {}, "value": [0, 1]}], "understood"),
        (lambda: [{"metric": {}, "value": [0, "many"]}], "understood"),
        (lambda: [{"metric": {}}], "understood"),
    ],
)
async def test_an_answer_that_lies_is_no_evidence_and_says_why(lie, says: str):
    reading = await read(lambda name: lie() if name == "evidence" else [])
    assert says in (reading.problem or "")
    assert replace(reading, problem=None) == EvidenceReading()


async def test_an_answer_that_takes_too_long_is_no_evidence():
    reading = await read(lambda _: slow(), timeout_seconds=0.2)
    assert reading == EvidenceReading(problem="Prometheus did not answer within 0.2 s")


async def test_nobody_there_is_no_evidence():
    async with aiohttp.ClientSession() as http:
        reading = await asks(http, "http://127.0.0.1:9").read(MODEL, STATUS, now=NOW)
    assert reading == EvidenceReading(problem="Prometheus can't be reached (ClientConnectorError)")


async def test_an_address_that_is_none_is_no_evidence():
    async with aiohttp.ClientSession() as http:
        reading = await asks(http, "prometheus:9090").read(MODEL, STATUS, now=NOW)
    assert (reading.problem or "").startswith("Prometheus can't be reached")


async def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("controller.instant_query.MAX_BODY_BYTES", 1000)
    assert (await read(answers().get)).problem == "Prometheus answers more than 1000 bytes"


@pytest.mark.parametrize("name", ["requests", "errors", "p95"])
async def test_a_guard_without_servings_figures_says_so_and_keeps_what_the_monitor_measured(name: str):
    def answer(asked: str):
        return web.Response(status=500) if asked == name else answers()[asked]

    reading = await read(answer, status=GUARDED)
    assert replace(reading, problem=None) == READ
    assert "500" in (reading.problem or "")


async def test_figures_of_a_version_that_come_twice_are_not_used():
    doubled = answers(requests=[figure("7", 1), figure("7", 2, job="other")], errors=[figure("7", 0)])
    reading = await read(doubled.get, status=GUARDED)
    assert reading == replace(READ, problem="Prometheus gives the requests of a version more than once")


async def test_all_models_are_asked_about_at_once_and_the_answer_serves_for_a_while():
    other = replace(MODEL, namespace="tenant-b")
    both = answers()
    both["evidence"] = rows(EVIDENCE) + rows(EVIDENCE, namespace="tenant-b", key="tenant-b.sms")
    moment = [0.0]
    async with prometheus(lambda name, _: both[name]) as server, aiohttp.ClientSession() as http:
        evidence = PrometheusEvidence(
            http,
            url_of=lambda _: server.url,
            keys_at=lambda _: [("tenant-a", "sms"), ("tenant-b", "sms")],
            timeout_seconds=2,
            cache_seconds=1,
            clock=lambda: moment[0],
        )
        readings = await asyncio.gather(*(evidence.read(model, STATUS, now=NOW) for model in (MODEL, other) * 20))
        assert readings == [READ] * 40
        assert sorted(map(name_of, server.asked)) == sorted(QUERIES)
        moment[0] = 1.5
        await evidence.read(MODEL, STATUS, now=NOW)
        assert len(server.asked) == 2 * len(QUERIES)


async def test_each_query_finds_anew_who_prometheus_is():
    moment = [0.0]
    async with prometheus(lambda name, _: answers()[name]) as server, aiohttp.ClientSession() as http:
        evidence = asks(http, server.url, timeout_seconds=2, clock=lambda: moment[0])
        for _ in range(3):
            await evidence.read(MODEL, STATUS, now=NOW)
            moment[0] += 100
        assert len(server.connections) == len(server.asked) == 3 * len(QUERIES)


async def test_what_a_monitor_said_that_has_ended_is_left_out():
    before = replace(EVIDENCE, measured_at=EVIDENCE.measured_at - timedelta(minutes=4), pending_messages=99)
    both = answers()
    both["evidence"] = rows(before, pod="sms-monitor-0") + rows(EVIDENCE)
    assert await read(both.get) == READ


async def test_two_monitors_that_live_are_no_evidence():
    other = replace(EVIDENCE, measured_at=EVIDENCE.measured_at - timedelta(seconds=5))
    both = answers()
    both["evidence"] = rows(other, pod="sms-monitor-0") + rows(EVIDENCE)
    reading = await read(both.get)
    assert reading.drift is None
    assert "more than once" in (reading.problem or "")
