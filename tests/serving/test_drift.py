"""POST /drift/calculate: the verdict of one window, measured by a process of its own that may die without harm."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import search
from autoretrain.serving.app import create_app
from autoretrain.serving.drift_route import render_report
from autoretrain.serving.drift_worker import DriftBusy, DriftFailed, DriftTimeout, DriftWorker
from autoretrain.serving.lineup import ServedModel
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from benchmarks.real_messages import data_dir, read_uci
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import MODEL, make_artefact, make_drift_artefact, make_ordinary

NEW_MESSAGES = Path(__file__).parents[2] / "test_data" / "new_messages.json"
JSON = {"content-type": "application/json"}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def artefact() -> ModelArtefact:
    """Building references takes seconds, so all tests share them."""
    return make_drift_artefact(rows=400)


@pytest.fixture
async def drift_client(settings: Settings, store: Store, artefact: ModelArtefact) -> AsyncIterator[httpx.AsyncClient]:
    serve_artefact(store, artefact)
    async with open_client(create_app(settings)) as client:
        yield client


async def test_the_file_in_the_repository_triggers_as_the_documented_request_sends_it(drift_client: httpx.AsyncClient):
    content = NEW_MESSAGES.read_bytes()
    answer = await drift_client.post("/drift/calculate", content=content, headers=JSON)
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["verdict"], body["drift_detected"], body["recommendation"]) == ("triggered", True, "RETRAIN")
    assert body["reason"] == "DriftThresholdExceeded"
    assert body["vocabulary_drift"] > body["threshold"] == 0.15
    assert body["drift_score"] >= body["vocabulary_drift"]
    assert (body["sample_size"], body["min_samples"]) == (len(json.loads(content)["messages"]), 200)
    metric = body["metrics"]["vocabulary_drift"]
    assert metric["raw"] > metric["upper"] > metric["median"]


@pytest.mark.slow
async def test_the_file_triggers_on_a_model_of_real_messages_and_names_what_is_new(settings: Settings, store: Store):
    data = data_dir() / "SMSSpamCollection"
    if not data.exists():
        pytest.skip(f"the UCI SMS Spam Collection is not at {data}")
    rows = read_uci(data)
    algorithms = (AlgorithmSpec(name="LinearSVM", parameters={}),)
    spec = TrainingSpec(profile="Word", seed=0, algorithms=algorithms, active_deadline_seconds=900, backoff_limit=0)
    trained = search(rows, spec)
    held_out = [row for row in rows if in_holdout(row.text)]
    reference = build_references(trained.model, held_out, seed=0)
    serve_artefact(store, replace(make_artefact(reference=reference), digest=trained.digest, model=trained.artefact))
    async with open_client(create_app(settings)) as client:
        body = (await client.post("/drift/calculate", content=NEW_MESSAGES.read_bytes(), headers=JSON)).json()
        calm = (await client.post("/drift/calculate", json={"messages": [row.text for row in held_out[:300]]})).json()
    assert (body["verdict"], calm["verdict"]) == ("triggered", "passed")
    assert body["new_spam_patterns"]


async def test_undrifted_messages_pass_and_few_are_inconclusive_without_scores(drift_client: httpx.AsyncClient):
    ordinary = [row.text for row in make_ordinary(300, seed=2)]
    passed = (await drift_client.post("/drift/calculate", json={"messages": ordinary})).json()
    few = (await drift_client.post("/drift/calculate", json={"messages": ordinary[:50]})).json()
    assert (passed["verdict"], passed["drift_detected"], passed["recommendation"]) == ("passed", False, "NO_ACTION")
    assert (few["verdict"], few["drift_detected"], few["reason"]) == ("inconclusive", False, "WindowTooSmall")
    assert (few["drift_score"], few["vocabulary_drift"], few["tfidf_drift"]) == (None, None, None)


async def test_a_killed_worker_costs_one_answer_and_the_next_request_starts_another(drift_client: httpx.AsyncClient):
    messages = {"messages": [row.text for row in make_ordinary(250, seed=3)]}
    assert (await drift_client.post("/drift/calculate", json=messages)).status_code == 200
    children = [one for one in psutil.Process().children() if "drift_child" in " ".join(one.cmdline())]
    assert len(children) == 1
    assert children[0].nice() >= 10
    children[0].send_signal(signal.SIGKILL)
    statuses = [(await drift_client.post("/drift/calculate", json=messages)).status_code for _ in range(2)]
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}


async def test_an_artefact_without_references_says_so(client: httpx.AsyncClient):
    answer = await client.post("/drift/calculate", json={"messages": ["a"]})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "drift reference" in answer.json()["detail"]


async def test_a_server_without_numpy_says_who_measures_drift_there(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "numpy", None)  # as in the serving image: it can't be found
    answer = await client.post("/drift/calculate", json={"messages": ["a"]})
    assert (answer.status_code, answer.headers["content-type"]) == (501, "application/problem+json")
    assert answer.json()["detail"] == "drift is not measured by this server: the monitor does, and publishes metrics"
    assert "retry-after" not in answer.headers


def report(score: float, *, size: int = 300, prior_shift: bool = False) -> DriftReport:
    metric = MetricDrift(name="tfidf_drift", raw=0.2, median=0.1, upper=0.3, score=score)
    return DriftReport(
        window_id="w",
        model_version="1",
        started_at=NOW,
        ended_at=NOW,
        size=size,
        score=score,
        metrics=(metric,),
        prior_shift=prior_shift,
    )


@pytest.mark.parametrize(
    ("given", "verdict", "detected", "reason", "recommendation"),
    [
        (report(0.1501), "triggered", True, "DriftThresholdExceeded", "RETRAIN"),
        (report(0.15), "passed", False, "DriftBelowThreshold", "NO_ACTION"),
        (report(0.1, prior_shift=True), "passed", False, "PriorShift", "ALERT"),
        (report(0.9, size=199), "inconclusive", False, "WindowTooSmall", "NO_ACTION"),
    ],
)
def test_the_verdict_of_a_report(given: DriftReport, verdict: str, detected: bool, reason: str, recommendation: str):
    body = render_report(given, threshold=0.15, min_samples=200)
    assert (body.verdict, body.drift_detected, body.reason, body.recommendation) == (
        verdict,
        detected,
        reason,
        recommendation,
    )


CHILD = """
import sys, time
from autoretrain.serving.drift_child import LENGTH, read_frame
from pathlib import Path
for _ in range(3):
    read_frame(sys.stdin.buffer)
{what}
"""
SLEEPS = "time.sleep(60)"
DIES = "sys.exit(3)"
TALKS_TOO_MUCH = "sys.stdout.buffer.write(LENGTH.pack(2**40)); sys.stdout.buffer.flush(); time.sleep(60)"


def fake(what: str) -> list[str]:
    return [sys.executable, "-c", CHILD.format(what=what)]


@pytest.fixture
def champion() -> ServedModel:
    plain = make_artefact()
    loader = ModelLoader([lambda *_: plain], ServingMetrics(MODEL))
    return loader.build(Deployment(version="1", digest=plain.digest), loaded=())[0].champion


async def ask(worker: DriftWorker, champion: ServedModel) -> DriftReport:
    return await worker.evaluate(champion, ["a"], window_id="w", at=NOW)


async def test_a_worker_that_takes_too_long_is_ended(champion: ServedModel):
    worker = DriftWorker(fake(SLEEPS), timeout_seconds=1.0)
    before = set(psutil.Process().children())
    with pytest.raises(DriftTimeout, match="within 1 s"):
        await ask(worker, champion)
    assert set(psutil.Process().children()) <= before


async def test_a_worker_that_dies_is_a_failure_and_not_a_hang(champion: ServedModel):
    worker = DriftWorker(fake(DIES), timeout_seconds=20)
    with pytest.raises(DriftFailed, match="ended while it measured"):
        await ask(worker, champion)
    with pytest.raises(DriftFailed, match="ended while it measured"):
        await ask(worker, champion)


async def test_an_answer_without_end_is_refused(champion: ServedModel):
    worker = DriftWorker(fake(TALKS_TOO_MUCH), timeout_seconds=20)
    with pytest.raises(DriftFailed, match="too long"):
        await ask(worker, champion)


async def test_more_requests_than_may_wait_are_refused_at_once(champion: ServedModel):
    worker = DriftWorker(fake(SLEEPS), waiting_requests=2, timeout_seconds=1.5)
    waiting = [asyncio.create_task(ask(worker, champion)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(DriftBusy):
        await ask(worker, champion)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [DriftTimeout] * 3


async def test_a_full_queue_is_429_with_a_time_to_come_back(settings: Settings, store: Store, monkeypatch):
    serve_artefact(store, make_artefact())

    def make_worker() -> DriftWorker:
        return DriftWorker(fake(SLEEPS), waiting_requests=0, timeout_seconds=1.0)

    monkeypatch.setattr("autoretrain.serving.app.DriftWorker", make_worker)
    async with open_client(create_app(settings)) as client:
        answers = await asyncio.gather(*(client.post("/drift/calculate", json={"messages": ["a"]}) for _ in range(3)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [429, 429, 504]
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)


async def test_the_child_ends_with_the_server(champion: ServedModel):
    worker = DriftWorker(fake("sys.stdin.buffer.read()"), timeout_seconds=20)
    before = set(psutil.Process().children())
    asking = asyncio.create_task(ask(worker, champion))
    async with asyncio.timeout(10):
        while not set(psutil.Process().children()) - before:
            await asyncio.sleep(0.01)
    await worker.close()
    with pytest.raises(DriftFailed):
        await asking
    assert set(psutil.Process().children()) <= before


async def test_a_child_that_is_begun_while_the_server_ends_does_not_outlive_it(champion: ServedModel, monkeypatch):
    worker, begin = DriftWorker(fake(SLEEPS), timeout_seconds=20), asyncio.create_subprocess_exec
    before = set(psutil.Process().children())

    async def begin_late(*command, **options):
        process = await begin(*command, **options)
        await worker.close()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin_late)
    async with asyncio.timeout(10):
        with pytest.raises(DriftFailed, match="the server ends"):
            await ask(worker, champion)
        with pytest.raises(DriftFailed, match="the server ends"):
            await ask(worker, champion)
    assert set(psutil.Process().children()) <= before
