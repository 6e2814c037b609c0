"""Has the cluster's Prometheus an answer to every query of the dashboards and the alerts, once a model has lived?

A model is trained, served and measured; another version is promoted by hand and taken back, under traffic with labels.
Then each query is asked over the time of that story, as Grafana asks: figures of the guard are there only while it is.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.chart.asked import Query, dashboard_queries, rule_selectors, variable_selectors
from tests.e2e.breaking import RUN_SECONDS, promote
from tests.e2e.client import Labellers
from tests.e2e.conftest import API_KEY, SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait
from tests.e2e.messages import corpus

pytestmark = pytest.mark.cluster

NAME = "panels"
STEP_SECONDS = 15
SCRAPES_SECONDS = 60
"""After the last thing that happened: so long until Prometheus has seen it, and can tell a rate."""
TIMEOUT_SECONDS = 30.0
ONLY_AFTER = {
    "autoretrain_controller_notice_info": "something that people must be told",
    "autoretrain_controller_alerts_total": "an alert: this model has no address for any",
    "autoretrain_alerts_total": "an alert",
    'condition="Ready",status!="True",reason!="NoChampion"': "a champion that is not served",
    'condition="DriftDetected",status="True"': "drift",
    'condition="MetricsAvailable",status!="True",reason="EvidenceMissing"': "evidence that can't be read",
    'result="failed"': "a pass that failed",
}
"""What a query asks for that this story need not have, with what must have happened for it."""


@pytest.fixture(scope="module")
def story(place: Place) -> tuple[float, float]:
    """Begin and end, in seconds since 1970, of all that happened to the model."""
    begun = time.time()
    document = place.document(NAME, place.add_file("messages-0", corpus(0)))
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    with (
        place.client(NAME, per_second=40) as client,
        Labellers(place.kube, place.namespace, f"{NAME}-serving", client, API_KEY),
    ):
        client.play(generate_traffic(seed=3, messages=3000))
        wait("drift is known", lambda: place.status(NAME).get("drift", {}).get("windowId"), seconds=180)
        wait("accuracy is known", lambda: place.status(NAME).get("performance"), seconds=120)
        wait("the guard's end", lambda: place.at_rest(NAME), seconds=240)
        # Only a run after traffic tells what to expect of its version, which is what the guard holds it to.
        # It is no better than the first one, so it waits for a hand. With Manual from the start there is no first one.
        # Its guard lasts until it was seen: one of some seconds may end between two scrapes.
        guard, data = document["spec"]["guard"] | {"durationSeconds": 120}, place.add_file("messages-1", corpus(1))
        document["spec"] |= {"data": data, "promotion": {"approval": "Manual"}, "guard": guard}
        place.kube.apply(document, namespace=place.namespace)
        wait("a second version", lambda: place.status(NAME).get("candidate"), seconds=RUN_SECONDS)
        promote(place, NAME, "2", token="panels")
        wait("the second version", lambda: place.champion(NAME) == "2", seconds=240)
        guarded = f'autoretrain_evidence_guard{{spammodel="{place.namespace}.{NAME}",model_version="v2"}}'
        with asking(place.kube) as ask:
            wait("figures of the guard", lambda: ask(guarded, begun, time.time()), seconds=120)
        place.kube.annotate(NAME, namespace=place.namespace, rollback_requested="panels", actor="ann", reason="a test")
        wait("the first version", lambda: place.champion(NAME) == "1", seconds=240)
        back = time.time()
        wait("some scrapes more", lambda: time.time() > back + SCRAPES_SECONDS, seconds=2 * SCRAPES_SECONDS)
    return begun, time.time()


@contextmanager
def asking(kube: Kubectl) -> Iterator[Any]:
    """A function that returns the series of a query between two times, while the block lasts."""
    with (
        kube.forwarded("service/prometheus", 9090, namespace=SYSTEM) as address,
        httpx.Client(base_url=address, timeout=TIMEOUT_SECONDS) as http,
    ):

        def ask(query: str, begin: float, end: float) -> list[dict[str, Any]]:
            asked = {"query": query, "start": begin, "end": end, "step": STEP_SECONDS}
            answer = http.post("/api/v1/query_range", data=asked)
            assert answer.status_code == httpx.codes.OK, answer.text
            found: list[dict[str, Any]] = answer.json()["data"]["result"]
            return [series for series in found if any(value != "NaN" for _, value in series["values"])]

        yield ask


def unanswered(place: Place, queries: Iterator[Query], span: tuple[float, float]) -> list[str]:
    """Those without a single number, asked about this model; each with its text, so that it can be tried by hand."""
    picked = {"namespace": place.namespace, "spammodel": f"{place.namespace}.{NAME}", "operator": SYSTEM}
    with asking(place.kube) as ask:
        texts = [(query.where, query.filled(**picked)) for query in queries]
        return [f"{where}\n  {text}" for where, text in texts if not ask(text, *span)]


def may_be_empty(found: str) -> bool:
    return any(part in found for part in ONLY_AFTER)


def test_every_panel_and_annotation_shows_something(place: Place, story: tuple[float, float]):
    empty = unanswered(place, dashboard_queries(), story)
    assert [each for each in empty if not may_be_empty(each)] == []


def test_every_variable_has_something_to_pick(place: Place, story: tuple[float, float]):
    assert unanswered(place, variable_selectors(), story) == []


def test_every_series_that_an_alert_looks_at_is_there(place: Place, story: tuple[float, float]):
    empty = unanswered(place, rule_selectors(), story)
    assert [each for each in empty if not may_be_empty(each)] == []
