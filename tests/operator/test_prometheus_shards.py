"""Evidence of many models: asked for in shards, and nobody's series take away what others' say."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from autoretrain.adapters.evidence_metrics import MAX_WINDOWS
from autoretrain.domain.observation import LabelSupply
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import ModelRef, Status
from controller.allowed import prometheus_url
from controller.instant_query import MAX_BODY_BYTES
from controller.prometheus import MODELS_A_QUERY, PROBE, QUERIES, EvidenceReading, PrometheusEvidence
from controller.settings import ControllerSettings
from tests.default_spec import default_spec
from tests.operator.operator_world import OperatorWorld, document, settled
from tests.operator.prometheus_server import name_of, namespaces_in, prometheus, rows, vector
from tests.unit.decide.builders import NOW, but, guard_evidence, label_window, performance
from tests.unit.evidence.test_evidence_metrics import PLAIN, windows

STATUS = Status(champion=ModelRef(version="7", digest="sha256:7"))


def model(namespace: str, name: str = "sms") -> SpamModel:
    return SpamModel(name=name, namespace=namespace, uid="u", generation=1, training_hash="h", spec=default_spec())


def supply(number: int) -> LabelSupply:
    return LabelSupply(new_labels=number, new_spam_labels=0, highest_sequence=number)


def series(models: list[SpamModel]) -> list[dict]:
    """Every model's evidence; each has as many labels as its number."""
    found = []
    for number, each in enumerate(models):
        evidence = replace(PLAIN, measured_at=NOW, supply=supply(number))
        found += rows(evidence, namespace=each.namespace, key=each.key)
    return found


async def read_all(answer, models: list[SpamModel], **options):
    """What is read of each model, and the server that was asked."""
    async with prometheus(answer) as server, aiohttp.ClientSession() as http:
        evidence = PrometheusEvidence(
            http,
            url_of=lambda _: server.url,
            keys_at=lambda _: [(each.namespace, each.name) for each in models],
            **{"timeout_seconds": 5.0, **options},
        )
        return [await evidence.read(each, STATUS, now=NOW) for each in models], server


async def test_many_models_are_asked_about_in_a_few_queries_each_about_some(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("controller.prometheus.MODELS_A_QUERY", 10)
    models = [model("team", f"sms-{number}") for number in range(35)]
    found = series(models)
    readings, server = await read_all(lambda name, _: found if name == "evidence" else [], models)
    assert [reading.supply for reading in readings] == [supply(number) for number in range(35)]
    assert sorted(map(name_of, server.asked)) == sorted(4 * list(QUERIES))


def test_models_with_as_many_series_as_can_be_fit_into_one_answer():
    live = but(performance(windows=(label_window(), label_window())), model_version="7")
    guard = but(guard_evidence(), model_version="7", requests=9, audit_previous=label_window())
    full = replace(PLAIN, drift=windows(MAX_WINDOWS), performance=live, guard=guard)
    found = rows(full, namespace="a-namespace-of-a-tenant", key="a-namespace-of-a-tenant.sms-spam-of-a-market")
    assert len(json.dumps(found)) * MODELS_A_QUERY * 2 < MAX_BODY_BYTES


LOUD = [{"metric": {"namespace": "loud", "spammodel": "loud.sms", "n": "x" * 2000}, "value": [0, "1"]}] * 100


async def slow() -> web.Response:
    await asyncio.sleep(1.5)
    return vector([])


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (lambda: LOUD, "more than 100000 bytes"),
        (slow, "within 1 s"),
        (lambda: vector([], warnings=["bucket label le is malformed"]), "partial"),
        (lambda: web.json_response({"status": "error", "errorType": "execution"}, status=422), "execution"),
    ],
    ids=["too much", "too late", "warnings", "refused"],
)
async def test_one_tenants_series_take_away_nobody_elses_evidence(monkeypatch: pytest.MonkeyPatch, lie, says):
    monkeypatch.setattr("controller.instant_query.MAX_BODY_BYTES", 100_000)
    models = [model("quiet"), model("loud"), model("calm")]
    found = series(models)

    def answer(name: str, query: str):
        return (lie() if "loud" in namespaces_in(query) else found) if name == "evidence" else []

    # With less, a busy machine is late for the quiet ones too.
    readings, _ = await read_all(answer, models, timeout_seconds=1.0)
    quiet, loud, calm = readings
    assert (quiet.supply, quiet.problem, calm.supply, calm.problem) == (supply(0), None, supply(2), None)
    assert loud.supply is None
    assert says in loud.problem


async def test_where_prometheus_itself_is_away_namespaces_are_not_asked_about_one_by_one():
    models = [model(f"team-{number}") for number in range(20)]
    async with prometheus(lambda name, _: []) as server, aiohttp.ClientSession() as http:
        evidence = PrometheusEvidence(
            http, url_of=lambda _: "http://127.0.0.1:9", keys_at=lambda _: [(m.namespace, m.name) for m in models]
        )
        began = []
        ask = evidence._ask
        evidence._ask = lambda url, query: began.append(query) or ask(url, query)
        readings = [await evidence.read(each, STATUS, now=NOW) for each in models]
        assert server.asked == []
    assert {reading.problem for reading in readings} == {"Prometheus can't be reached (ClientConnectorError)"}
    assert sorted(map(name_of, began)) == sorted([*QUERIES, PROBE])


async def test_a_model_that_is_new_is_asked_about_too():
    models = [model("quiet")]
    moment = [0.0]
    found = series([model("quiet"), model("new")])
    async with (
        prometheus(lambda name, _: found if name == "evidence" else []) as server,
        aiohttp.ClientSession() as http,
    ):
        evidence = PrometheusEvidence(
            http,
            url_of=lambda _: server.url,
            keys_at=lambda _: [(m.namespace, m.name) for m in models],
            clock=lambda: moment[0],
        )
        await evidence.read(models[0], STATUS, now=NOW)
        models.append(model("new"))
        moment[0] = 1.0
        assert (await evidence.read(models[1], STATUS, now=NOW)).supply == supply(1)


# Which Prometheus is asked?

OWN, OTHER = "http://prometheus.ours:9090", "https://prometheus.theirs:9090"
SETTINGS = ControllerSettings(prometheus_url=OWN, prometheus_allowed=f" {OTHER}/ , http://third:9090")
NOT_ALLOWED = "spec.monitoring.prometheus.url is not on the operator's allow-list"


def naming(url: str) -> dict:
    return document(monitoring={"prometheus": {"url": url}})


def asking(resource) -> PrometheusEvidence:
    """The port of a controller that knows this resource; it has nothing to ask with."""
    return PrometheusEvidence(None, url_of=lambda _: prometheus_url(resource, SETTINGS), keys_at=lambda _: [])


async def test_another_prometheus_than_the_operator_allows_is_no_evidence_rather_than_the_operators():
    reading = await asking(naming("http://elsewhere:9090")).read(model("default"), STATUS, now=NOW)
    assert reading == EvidenceReading(problem=NOT_ALLOWED)


def test_a_model_that_names_a_prometheus_that_is_not_allowed_shows_why_it_has_no_metrics():
    world = OperatorWorld()
    world.create_model()
    settled(world)
    world.passes.gatherer.evidence = asking(naming("http://elsewhere:9090"))
    world.make_pass()
    status, reason, message = world.condition("MetricsAvailable")
    assert (status, reason) == ("False", "EvidenceMissing")
    assert message.endswith(NOT_ALLOWED)
