"""What breaks around the loop, and what must hold: the champion serves on, nothing is done twice, all heals again."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic
from tests.e2e.conftest import API_KEY, SYSTEM, Place
from tests.e2e.kubectl import Kubectl, Object, wait

pytestmark = pytest.mark.cluster

NAME = "faults"
RUN_SECONDS = 240
HEAL_SECONDS = 120


def corpus(seed: int) -> bytes:
    return "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=seed, messages=2500)).encode()


@contextmanager
def without(kube: Kubectl, what: str) -> Iterator[None]:
    """Without one of the services in the operator's namespace, while the block lasts."""
    kube.run("scale", "-n", SYSTEM, what, "--replicas=0")
    kube.run("wait", "-n", SYSTEM, "--for=delete", "pod", "-l", selector(kube, what), "--timeout=90s", seconds=100)
    try:
        yield
    finally:
        kube.run("scale", "-n", SYSTEM, what, "--replicas=1")
        kube.run("rollout", "status", "-n", SYSTEM, what, "--timeout=180s", seconds=200)


def selector(kube: Kubectl, what: str) -> str:
    kind, _, name = what.partition("/")
    found = kube.get(kind, name, namespace=SYSTEM)
    assert found is not None
    return ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())


def kill_controller(kube: Kubectl) -> None:
    """The process is gone at once; a new Pod starts without a back-off."""
    labels = selector(kube, "deployment/autoretrain-controller")
    for pod in kube.list("pod", namespace=SYSTEM, labels=labels):
        kube.delete("pod", pod["metadata"]["name"], namespace=SYSTEM, at_once=True)


def serving_pods(place: Place) -> list[Object]:
    labels = f"autoretrain.dev/spammodel={NAME},app.kubernetes.io/component=serving"
    return place.kube.list("pod", namespace=place.namespace, labels=labels)


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    document = place.document(NAME, place.add_file("first", corpus(0)))
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    return place


def test_a_controller_killed_at_every_step_makes_one_run_and_judges_it_once(ready: Place):
    jobs, decisions = len(ready.jobs(NAME)), len(ready.decisions(NAME))
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        ready.kube.apply(ready.document(NAME, ready.add_file("second", corpus(1))), namespace=ready.namespace)
        kill_controller(ready.kube)  # before it has seen the change, or just after
        wait("a Job", lambda: len(ready.jobs(NAME)) > jobs, seconds=HEAL_SECONDS)
        kill_controller(ready.kube)  # while it trains
        newest = max(ready.jobs(NAME), key=lambda job: job["metadata"]["creationTimestamp"])["metadata"]["name"]
        ready.kube.run(
            "wait", "-n", ready.namespace, f"job/{newest}", "--for=condition=Complete", "--timeout=180s", seconds=200
        )
        kill_controller(ready.kube)  # when it is to be judged
        wait("the end of the run", lambda: "activeRun" not in ready.status(NAME), seconds=HEAL_SECONDS)
    assert client.failures == []
    assert len(ready.jobs(NAME)) == jobs + 1
    made = [decision.split()[0] for decision in ready.decisions(NAME)[decisions:]]
    assert made.count("RETRAIN") == 1
    assert sum(made.count(verdict) for verdict in ("PROMOTE", "HOLD", "REJECT")) == 1


def test_without_prometheus_there_is_no_evidence_and_no_action(ready: Place):
    jobs = len(ready.jobs(NAME))
    with without(ready.kube, "deployment/prometheus"):
        wait(
            "it is said",
            lambda: ready.condition(NAME, "MetricsAvailable").get("reason") == "EvidenceMissing",
            seconds=HEAL_SECONDS,
        )
        assert ready.condition(NAME, "Ready")["status"] == "True"
    wait(
        "evidence again",
        lambda: ready.condition(NAME, "MetricsAvailable").get("reason") != "EvidenceMissing",
        seconds=HEAL_SECONDS,
    )
    assert len(ready.jobs(NAME)) == jobs


def test_without_postgresql_predictions_go_on_and_feedback_is_refused_rather_than_lost(ready: Place):
    client = ready.client(NAME)
    known = client.predict("see you at the station at eight").json()["prediction_id"]
    with without(ready.kube, "statefulset/postgres"):
        assert client.predict("are you coming home for dinner?").status_code == httpx.codes.OK
        with ready.kube.forwarded(f"service/{NAME}-serving", 80, namespace=ready.namespace) as address:
            refused = give_feedback(address, known)
            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert refused.headers["Content-Type"].startswith("application/problem+json")

    def accepted() -> bool:
        with ready.kube.forwarded(f"service/{NAME}-serving", 80, namespace=ready.namespace) as address:
            answer = client.predict("see you at the station at nine").json()["prediction_id"]
            return give_feedback(address, answer).status_code < httpx.codes.BAD_REQUEST

    wait("feedback is taken again", accepted, seconds=HEAL_SECONDS)


def test_without_mlflow_a_new_serving_pod_still_becomes_ready(ready: Place):
    with without(ready.kube, "deployment/mlflow"):
        gone = serving_pods(ready)[0]["metadata"]["name"]
        ready.kube.delete("pod", gone, namespace=ready.namespace)

        def replaced() -> bool:
            pods = [pod for pod in serving_pods(ready) if pod["metadata"]["name"] != gone]
            return len(pods) == 2 and all(is_ready(pod) for pod in pods)

        wait("two Pods that are ready", replaced, seconds=HEAL_SECONDS)
        assert ready.client(NAME).predict("are you coming home for dinner?").status_code == httpx.codes.OK


def test_a_serving_image_that_does_not_exist_leaves_the_champion_serving(ready: Place):
    champion = ready.champion(NAME)
    serving = {**ready.get(NAME)["spec"]["serving"], "image": "registry.invalid/nothing:here"}
    ready.kube.patch("spammodel", NAME, {"spec": {"serving": serving}}, namespace=ready.namespace)
    wait(
        "a Pod that can't start",
        lambda: any(not is_ready(pod) for pod in serving_pods(ready)),
        seconds=60,
    )
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=500))
        wait("some answers", lambda: client.sent > 300, seconds=60)
    assert (client.failures, client.versions) == ([], {f"v{champion}"})
    serving["image"] = ""
    ready.kube.patch("spammodel", NAME, {"spec": {"serving": serving}}, namespace=ready.namespace)
    ready.wait_ready(NAME, seconds=HEAL_SECONDS)


def give_feedback(address: str, prediction: str) -> httpx.Response:
    return httpx.post(
        f"{address}/feedback",
        json={"prediction_id": prediction, "label": "ham"},
        headers={"X-API-Key": API_KEY},
        timeout=15,
    )


def is_ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
