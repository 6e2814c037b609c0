"""A node is emptied while MLflow is away: Pods move, the budget holds, nobody's request fails. Needs two nodes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.breaking import is_ready, mid_cycle, training_pods, without
from tests.e2e.conftest import Place
from tests.e2e.kubectl import Kubectl, wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "drain"
NODE = "autoretrain-worker"
SERVING = f"autoretrain.dev/spammodel={NAME},app.kubernetes.io/component=serving"
TRAINING = f"autoretrain.dev/spammodel={NAME},app.kubernetes.io/component=training"
MOVED_SECONDS = 180


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    place.kube.apply(place.document(NAME, place.add_file("messages-0", corpus(0))), namespace=place.namespace)
    place.wait_ready(NAME)
    return place


@contextmanager
def drained(kube: Kubectl, node: str, pods: str) -> Iterator[None]:
    """Without the Pods of that selector on the node, and without new ones, while the block lasts."""
    options = (f"--pod-selector={pods}", "--delete-emptydir-data", f"--timeout={MOVED_SECONDS}s")
    try:
        kube.run("drain", node, *options, seconds=MOVED_SECONDS + 20)
        yield
    finally:
        kube.run("uncordon", node)


def nodes(place: Place) -> list[str]:
    found = place.kube.list("pod", namespace=place.namespace, labels=SERVING)
    return sorted(pod["spec"]["nodeName"] for pod in found if is_ready(pod))


def test_a_node_drained_without_mlflow_in_the_midst_of_a_run_costs_no_request(ready: Place):
    assert NODE in nodes(ready), "replicas spread over the nodes"
    with (
        mid_cycle(ready, NAME, seed=1),
        without(ready.kube, "deployment/mlflow"),
        drained(ready.kube, NODE, SERVING),
    ):
        wait(
            "two ready Pods on the other node",
            lambda: len(nodes(ready)) == 2 and NODE not in nodes(ready),
            seconds=MOVED_SECONDS,
        )


def test_a_run_whose_node_is_drained_goes_on_elsewhere_and_ends_once(ready: Place):
    jobs, decided = len(ready.jobs(NAME)), len(ready.decisions(NAME))
    ready.kube.annotate(NAME, namespace=ready.namespace, retrain_requested="drained")
    running = wait("a trainer at work", lambda: training_pods(ready, NAME, phase="Running"), seconds=90)
    with drained(ready.kube, running[0]["spec"]["nodeName"], TRAINING):
        wait("the end of the run", lambda: "activeRun" not in ready.status(NAME), seconds=300)
    assert len(ready.jobs(NAME)) == jobs + 1
    assert not any(decision.startswith("ALERT Training") for decision in ready.decisions(NAME)[decided:])
    assert ready.condition(NAME, "Ready")["status"] == "True"
