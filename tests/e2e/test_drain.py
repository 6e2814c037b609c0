"""A node is emptied while MLflow is away: Pods move, the budget holds, nobody's request fails. Needs two nodes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait
from tests.e2e.test_faults import is_ready, without

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "drain"
NODE = "autoretrain-worker"
SERVING = f"autoretrain.dev/spammodel={NAME},app.kubernetes.io/component=serving"
TRAINING = f"autoretrain.dev/spammodel={NAME},app.kubernetes.io/component=training"
MOVED_SECONDS = 180


@pytest.fixture(scope="module", autouse=True)
def two_nodes(kube: Kubectl) -> None:
    if len(kube.list("node", namespace=SYSTEM)) < 2:
        pytest.skip("one node has nowhere to drain to; KIND_CONFIG=manifests/kind/cluster-two-nodes.yaml make kind-up")


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    corpus = "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=0, messages=2500)).encode()
    place.kube.apply(place.document(NAME, place.add_file("messages", corpus)), namespace=place.namespace)
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


def test_a_node_drained_without_mlflow_costs_no_request(ready: Place):
    assert NODE in nodes(ready), "replicas spread over the nodes"
    with ready.client(NAME, per_second=50) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        with without(ready.kube, "deployment/mlflow"), drained(ready.kube, NODE, SERVING):
            wait(
                "two ready Pods on the other node",
                lambda: len(nodes(ready)) == 2 and NODE not in nodes(ready),
                seconds=MOVED_SECONDS,
            )
    assert client.failures == []
    wait("Ready", lambda: ready.condition(NAME, "Ready").get("status") == "True", seconds=60)


def test_a_run_whose_node_is_drained_goes_on_elsewhere_and_ends_once(ready: Place):
    jobs = len(ready.jobs(NAME))
    ready.kube.annotate(NAME, namespace=ready.namespace, retrain_requested="drained")
    running = wait(
        "a trainer at work",
        lambda: [
            pod
            for pod in ready.kube.list("pod", namespace=ready.namespace, labels=TRAINING)
            if pod["status"]["phase"] == "Running"
        ],
        seconds=90,
    )
    with drained(ready.kube, running[0]["spec"]["nodeName"], TRAINING):
        wait("the end of the run", lambda: "activeRun" not in ready.status(NAME), seconds=300)
    assert len(ready.jobs(NAME)) == jobs + 1
    assert not any(decision.startswith("ALERT Training") for decision in ready.decisions(NAME))
    assert ready.condition(NAME, "Ready")["status"] == "True"
