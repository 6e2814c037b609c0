"""The whole loop on a cluster: installed, served, quiet while traffic is, and a new model when spam changes.

The stories build on one another, as a cluster's days do.
"""

import json
from datetime import datetime
from typing import Any

import pytest

from autoretrain.adapters.evidence_metrics import Evidence
from tests.e2e.asking import ask_registry, scraped_evidence
from tests.e2e.client import IngressClient, Labellers
from tests.e2e.conftest import API_KEY, Place, sample
from tests.e2e.kubectl import Object, wait
from tests.e2e.messages import base_data, new_messages, quiet_messages

pytestmark = pytest.mark.cluster

NAME = "sms-spam"
REPORTED_EVERY = 10
"""Of so many messages one is reported by somebody who has a key; the audit sample is one in five."""
REQUESTS = 20_000
TWO_CHECKS_SECONDS = 2 * 5
TRIGGERS = {"minNewLabels": 300, "minNewSpamLabels": 40, "performance": {"mode": "Advise"}}
JUDGED = {"minEvaluationRows": 300, "minEvaluationSpam": 40}
"""So many labels that the better of two models is seen to be better at the first try; drift alone asks for the run."""


@pytest.fixture(scope="module")
def data(place: Place) -> Object:
    return place.add_file("messages", base_data())


def test_the_sample_becomes_a_served_model(place: Place, data: Object):
    document = sample("sms-spam.yaml")
    document["metadata"] = {"name": NAME}
    document["spec"] |= {"data": data, "serving": {"ingress": {"host": place.host(NAME)}}}
    place.kube.apply(document, namespace=place.namespace)
    status = place.wait_ready(NAME, seconds=300)
    assert status["champion"]["version"] == "1"
    client = place.client(NAME)
    spam = client.predict("WINNER!! Claim your FREE prize now, call 09061701461 or text CLAIM to 81010 cost 150p")
    ham = client.predict("are you coming home for dinner tonight?")
    assert (spam.status_code, spam.json()["prediction"]) == (200, "spam")
    assert (ham.status_code, ham.json()["prediction"], ham.json()["model_version"]) == (200, "ham", "v1")
    assert place.decisions(NAME)[:2] == ["RETRAIN NoChampion", "PROMOTE FirstModel"]
    told = place.kube.run("describe", "spm", NAME, "-n", place.namespace).partition("Events:")[2]
    assert told.index("RETRAIN: ") < told.index("PROMOTE: ")


def test_quiet_traffic_fills_the_columns_and_starts_nothing(place: Place, data: Object):
    document = place.document(NAME, data, training={}, promotion=JUDGED)
    document["spec"]["triggers"] |= TRIGGERS
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    wait("its rollout", lambda: place.rolled_out(NAME), seconds=120)
    jobs = len(place.jobs(NAME))
    with place.client(NAME, per_second=60) as client, labellers(place, client):
        client.play(quiet_messages())
        wait("five windows", lambda: client.sent > 5 * 250, seconds=120)
        wait("drift is known", lambda: place.status(NAME).get("drift", {}).get("windowId"), seconds=60)
        wait("accuracy is known", lambda: place.status(NAME).get("performance"), seconds=60)
        assert client.failures == []
    shown = columns(place)
    assert (shown["READY"], shown["CHAMPION"]) == ("True", "1")
    assert float(shown["DRIFT"]) < 0.15
    assert 0.95 < float(shown["ACCURACY"]) <= 1
    assert len(place.jobs(NAME)) == jobs
    assert place.condition(NAME, "DriftDetected")["status"] == "False"


def test_new_spam_leads_to_one_run_and_a_new_champion_without_a_failed_request(place: Place):
    first, jobs = place.champion(NAME), {job["metadata"]["name"] for job in place.jobs(NAME)}
    generation = place.deployment(NAME)["metadata"]["generation"]
    with place.client(NAME, per_second=80, threads=4) as client, labellers(place, client) as people:
        client.play(new_messages())
        wait("drift is seen", lambda: place.condition(NAME, "DriftDetected").get("status") == "True", seconds=180)
        wait("a run", lambda: len(place.jobs(NAME)) > len(jobs), seconds=240)
        seen = scraped_evidence(place, NAME, version=first)
        wait("a new champion", lambda: place.champion(NAME) != first, seconds=400)
        wait("the guard's end", lambda: place.status(NAME)["guard"].get("ended"), seconds=240)
        wait("answers of the new one", lambda: len(client.versions) == 2, seconds=30)
        client.per_second = 250
        wait("enough requests", lambda: client.sent >= REQUESTS, seconds=240)
    assert client.failures == []
    assert 0 < people.labelled < client.sent / 2

    (run,) = [job for job in place.jobs(NAME) if job["metadata"]["name"] not in jobs]
    assert run["metadata"]["annotations"]["autoretrain.dev/trigger"] == "drift"
    spec = place.get(NAME)["spec"]
    asked_at = next(at for at, evidence in seen if asks_for_run(evidence, spec))
    # A Job's time has no fraction of its second.
    assert -1 < seconds_of(run["metadata"]["creationTimestamp"]) - asked_at <= TWO_CHECKS_SECONDS
    scores = [evidence.drift[-1].score for _, evidence in seen if evidence.drift]
    assert scores[0] < 0.15 < scores[-1]

    status = place.status(NAME)
    second = status["champion"]["version"]
    assert (status["previous"]["version"], status["guard"]["ended"]) == (first, "Passed")
    assert place.deployment(NAME)["metadata"]["generation"] > generation
    assert place.rolled_out(NAME)
    assert place.told(NAME, "PROMOTE", f"candidate {second}")
    compared = on_recent_rows(place)
    assert compared["candidate"]["f1"] > compared["champion"]["f1"]
    assert ask_registry(place, NAME).aliases == {"champion": second, "previous": first}


def labellers(place: Place, client: IngressClient) -> Labellers:
    """People whose labels come late, and only for the audit sample and for what is reported."""
    return Labellers(place.kube, place.namespace, f"{NAME}-serving", client, API_KEY, reported_every=REPORTED_EVERY)


def columns(place: Place) -> dict[str, str]:
    """What `kubectl get spm` shows."""
    header, row = place.kube.run("get", "spm", NAME, "-n", place.namespace).splitlines()
    return dict(zip(header.split(), row.split(), strict=True))


def asks_for_run(evidence: Evidence, spec: Object) -> bool:
    """Were as many windows in a row drifted as are needed, and the labels there that a run must have?"""
    policy, judged, supply = spec["triggers"], spec["promotion"], evidence.supply
    needed = policy["drift"]["consecutiveBreaches"]
    newest = evidence.drift[-needed:]
    drifted = len(newest) == needed and all(each.score > float(policy["drift"]["threshold"]) for each in newest)
    return (
        drifted
        and supply is not None
        and supply.changed_at is not None
        and supply.labels_since_change >= policy["minNewLabels"] + judged["minEvaluationRows"]
        and supply.spam_labels_since_change >= policy["minNewSpamLabels"] + judged["minEvaluationSpam"]
    )


def on_recent_rows(place: Place) -> dict[str, Any]:
    """The comparison on the same rows that the promotion rests on, as its decision keeps it."""
    found = place.kube.list("spammodeldecision", namespace=place.namespace, labels=f"autoretrain.dev/spammodel={NAME}")
    (promotion,) = [each["spec"] for each in found if each["spec"]["reason"] == "BetterOnRecentRows"]
    recent: dict[str, Any] = json.loads(promotion["record"])["observation"]["run"]["summary"]["recent"]
    return recent


def seconds_of(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
