"""A second version beside the champion: in the shadow, then answering a stable share of senders through the Ingress."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait

pytestmark = pytest.mark.cluster

NAME = "experiment"
RUN_SECONDS = 240


def corpus(seed: int) -> bytes:
    return "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=seed, messages=2500)).encode()


@pytest.fixture(scope="module")
def two_versions(place: Place) -> Place:
    """Version 1 is served; version 2 is a candidate that was not promoted."""
    place.kube.apply(place.document(NAME, place.add_file("first", corpus(0))), namespace=place.namespace)
    place.wait_ready(NAME)
    place.kube.apply(place.document(NAME, place.add_file("second", corpus(1))), namespace=place.namespace)
    wait("a second version", lambda: place.status(NAME).get("candidate"), seconds=RUN_SECONDS)
    assert place.champion(NAME) == "1"
    return place


def experiment(place: Place, **wanted: object) -> None:
    place.kube.patch("spammodel", NAME, {"spec": {"serving": {"experiment": wanted}}}, namespace=place.namespace)
    place.wait_ready(NAME, seconds=120)
    wait("its rollout", lambda: not place.status(NAME).get("rollout") and rolled_out(place), seconds=120)


def rolled_out(place: Place) -> bool:
    found = place.deployment(NAME)
    status, wanted = found["status"], found["spec"]["replicas"]
    current = status.get("observedGeneration") == found["metadata"]["generation"]
    return current and status.get("updatedReplicas") == status.get("availableReplicas") == status["replicas"] == wanted


def shadow_scores(place: Place) -> float:
    """How many messages one Pod has scored with version 2; the series of a version are there at zero before."""
    with place.kube.forwarded(f"service/{NAME}-serving", 80, namespace=place.namespace) as address:
        families = text_string_to_metric_families(httpx.get(f"{address}/metrics", timeout=10).text)
    wanted = {"model_version": "v2", "outcome": "scored"}
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "autoretrain_shadow_scores_total" and wanted.items() <= sample.labels.items()
    )


def test_in_the_shadow_a_second_version_scores_and_answers_nobody(two_versions: Place):
    with two_versions.client(NAME, per_second=40) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        experiment(two_versions, mode="Shadow", version="2")
        wait("shadow scores", lambda: shadow_scores(two_versions) > 0, seconds=60)
    assert (client.failures, client.versions) == ([], {"v1"})


def test_in_an_a_b_test_a_sender_always_meets_the_same_version(two_versions: Place):
    experiment(two_versions, mode="AB", version="2", percent=50)
    met: dict[str, set[str]] = {}
    with httpx.Client(base_url=two_versions.client(NAME).address, timeout=10) as http:
        for number in range(200):
            sender = f"sender-{number % 20}"
            answer = http.post(
                "/predict",
                json={"message": f"are you coming home for dinner, {number}?", "sender": sender},
                headers={"Host": two_versions.host(NAME)},
            )
            met.setdefault(sender, set()).add(answer.raise_for_status().json()["model_version"])
    assert all(len(versions) == 1 for versions in met.values())
    assert set.union(*met.values()) == {"v1", "v2"}
