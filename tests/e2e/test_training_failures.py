"""Runs that can't end well say why in a condition and an event, the champion serves on, and the next run is well."""

import json

import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.breaking import training_pods
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "failing"
SECONDS = 240


@pytest.fixture(scope="module")
def served(place: Place) -> Place:
    place.kube.apply(place.document(NAME, place.add_file("first", corpus())), namespace=place.namespace)
    place.wait_ready(NAME)
    return place


SLOW = {"limits": {"cpu": "50m"}, "requests": {"cpu": "50m"}}
FAILURES = {
    "memory": ({"podTemplate": {"resources": {"limits": {"memory": "120Mi"}}}}, {}, "TrainingFailed", "out of memory"),
    "image": (
        {"image": "registry.invalid/nothing:here", "activeDeadlineSeconds": 60},
        {},
        "TrainingDeadlineExceeded",
        "image registry.invalid/nothing:here can't be pulled",
    ),
    "deadline": (
        {
            "podTemplate": {"resources": {"limits": {"cpu": "50m"}, "requests": {"cpu": "50m"}}},
            "activeDeadlineSeconds": 60,
        },
        {},
        "TrainingDeadlineExceeded",
        "more than 60 s",
    ),
    "checksum": ({}, {"sha256": "0" * 64}, "TrainingBadInput", "sha256"),
}


@pytest.mark.parametrize(("training", "data", "reason", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_a_run_that_fails_says_why_the_champion_serves_on_and_mended_it_trains(
    served: Place, training, data, reason, said
):
    with served.client(NAME, per_second=20) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        train(served, {"backoffLimit": 0, **training}, data)
        wait("the failure", lambda: served.condition(NAME, "Degraded").get("reason") == reason, seconds=SECONDS)
        assert said in served.condition(NAME, "Degraded")["message"]
        assert served.told(NAME, reason, said)
        assert served.condition(NAME, "Ready")["status"] == "True"
        trained = served.status(NAME)["trainedHash"]
        train(served, {}, {})
        wait("the end of a good run", lambda: served.status(NAME)["trainedHash"] != trained, seconds=SECONDS)
        wait("all is well", lambda: served.condition(NAME, "Degraded")["status"] == "False", seconds=60)
    assert (client.failures, client.versions) == ([], {"v1"})


def test_a_trainer_that_is_evicted_is_replaced_and_the_run_ends_once(served: Place):
    jobs = len(served.jobs(NAME))
    with served.client(NAME, per_second=20) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        served.kube.annotate(NAME, namespace=served.namespace, retrain_requested="evicted")
        running = wait("a trainer", lambda: training_pods(served, NAME, phase="Running"), seconds=120)
        evict(served, running[0]["metadata"]["name"])
        wait("it is said", lambda: served.told(NAME, "the Pod was taken from its node"), seconds=60)
        wait("the end of the run", lambda: served.at_rest(NAME), seconds=SECONDS)
    assert client.failures == []
    assert len(served.jobs(NAME)) == jobs + 1
    assert served.condition(NAME, "Degraded")["status"] == "False"


def train(place: Place, training: dict[str, object], data: dict[str, str]) -> None:
    """Ask for a run by a training spec that was not tried before."""
    document = place.document(NAME, {**place.add_file("first", corpus()), **data})
    seed = int(place.get(NAME)["spec"]["training"]["seed"]) + 1
    document["spec"]["training"] = {"profile": "Word", "seed": seed, **training}
    place.kube.apply(document, namespace=place.namespace)


def evict(place: Place, pod: str) -> None:
    """As `kubectl drain` does, a Pod at a time."""
    metadata = {"name": pod, "namespace": place.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{place.namespace}/pods/{pod}/eviction"
    place.kube.run("create", "--raw", path, "-f", "-", text=json.dumps(eviction))
