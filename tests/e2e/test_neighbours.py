"""Two resources of one name in two namespaces: each has its own evidence, runs and requests; advice starts nothing."""

from collections.abc import Callable

import pytest

from autoretrain.ml.sample_corpus import generate_traffic, generate_wave
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = pytest.mark.cluster

NAME = "twin"
ONE_REPLICA = {"replicas": 1}


def apply(place: Place, **triggers: object) -> None:
    document = place.document(NAME, place.add_file("messages", corpus()))
    document["spec"]["serving"]["scaling"] = ONE_REPLICA
    document["spec"]["triggers"] |= triggers
    place.kube.apply(document, namespace=place.namespace)


@pytest.fixture(scope="module")
def twins(make_place: Callable[[str], Place]) -> tuple[Place, Place]:
    """One that acts, one that only advises; both are trained at the same time."""
    acting, advised = make_place("e2e-acting"), make_place("e2e-advised")
    apply(acting)
    apply(advised, drift={"mode": "Advise"}, performance={"mode": "Advise"})
    acting.wait_ready(NAME)
    advised.wait_ready(NAME)
    return acting, advised


def test_drift_of_one_is_not_the_others_and_advice_starts_no_run(twins: tuple[Place, Place]):
    acting, advised = twins
    with acting.client(NAME, per_second=25) as quiet, advised.client(NAME, per_second=40) as changed:
        quiet.play(generate_traffic(seed=3, messages=1000))
        changed.play(generate_wave(seed=7, messages=5000))
        wait("advice", lambda: "ALERT AdviseOnly" in advised.decisions(NAME), seconds=180)
        wait("a quiet window", lambda: acting.status(NAME).get("drift", {}).get("windowId"), seconds=60)
    assert quiet.failures + changed.failures == []
    assert advised.condition(NAME, "DriftDetected")["status"] == "True"
    assert acting.condition(NAME, "DriftDetected")["status"] == "False"
    assert [len(place.jobs(NAME)) for place in twins] == [1, 1]


def test_a_request_to_one_is_nothing_to_the_other(twins: tuple[Place, Place]):
    acting, advised = twins
    acting.kube.annotate(NAME, namespace=acting.namespace, retrain_requested="mine-alone")
    wait("a Job", lambda: len(acting.jobs(NAME)) == 2, seconds=60)
    wait("its end", lambda: "activeRun" not in acting.status(NAME), seconds=240)
    assert len(advised.jobs(NAME)) == 1
    assert not advised.status(NAME)["handledRequests"].get("retrain")


def test_one_deleted_the_other_answers_on(twins: tuple[Place, Place]):
    acting, advised = twins
    acting.kube.delete("spammodel", NAME, namespace=acting.namespace)
    wait("its Pods are gone", lambda: not acting.kube.list("pod", namespace=acting.namespace), seconds=120)
    assert advised.client(NAME).predict("are you coming home for dinner?").status_code == 200
    assert advised.condition(NAME, "Ready")["status"] == "True"
