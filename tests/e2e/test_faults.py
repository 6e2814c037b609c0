"""What breaks around the loop in the midst of a run, and what must hold: the champion serves on, nothing is done twice,
all heals again."""

import httpx
import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.breaking import kill_controller, mid_cycle, replace_serving_pod, without
from tests.e2e.client import IngressClient
from tests.e2e.conftest import API_KEY, Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = pytest.mark.cluster

NAME = "faults"
HEAL_SECONDS = 120


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    place.kube.apply(place.document(NAME, place.add_file("messages-0", corpus(0))), namespace=place.namespace)
    place.wait_ready(NAME)
    return place


def test_a_controller_killed_at_every_step_makes_one_run_and_judges_it_once(ready: Place):
    jobs, decisions = len(ready.jobs(NAME)), len(ready.decisions(NAME))
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        ready.kube.apply(ready.document(NAME, ready.add_file("messages-1", corpus(1))), namespace=ready.namespace)
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


def test_without_prometheus_there_is_no_evidence_and_a_run_ends_in_one_verdict(ready: Place):
    jobs = len(ready.jobs(NAME))
    with mid_cycle(ready, NAME, seed=2):
        with without(ready.kube, "deployment/prometheus"):
            wait("it is said", lambda: reason(ready) == "EvidenceMissing", seconds=HEAL_SECONDS)
            assert ready.condition(NAME, "Ready")["status"] == "True"
        wait("evidence again", lambda: reason(ready) != "EvidenceMissing", seconds=HEAL_SECONDS)
    assert len(ready.jobs(NAME)) == jobs + 1


def test_without_postgresql_predictions_go_on_and_feedback_is_refused_rather_than_lost(ready: Place):
    with mid_cycle(ready, NAME, seed=3) as client:
        known = client.predict("see you at the station at eight").json()["prediction_id"]
        with without(ready.kube, "statefulset/postgres"):
            assert client.predict("are you coming home for dinner?").status_code == httpx.codes.OK
            refused = give_feedback(client, known)
            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert refused.headers["Content-Type"].startswith("application/problem+json")

        def accepted() -> bool:
            answer = client.predict("see you at the station at nine").json()["prediction_id"]
            return give_feedback(client, answer).status_code < httpx.codes.BAD_REQUEST

        wait("feedback is taken again", accepted, seconds=HEAL_SECONDS)


def test_without_mlflow_a_new_serving_pod_becomes_ready_and_the_run_ends_when_it_is_back(ready: Place):
    jobs = len(ready.jobs(NAME))
    with mid_cycle(ready, NAME, seed=4), without(ready.kube, "deployment/mlflow"):
        wait("two Pods that are ready", replace_serving_pod(ready, NAME), seconds=HEAL_SECONDS)
    assert len(ready.jobs(NAME)) >= jobs + 1


def reason(place: Place) -> str:
    return place.condition(NAME, "MetricsAvailable").get("reason", "")


def give_feedback(client: IngressClient, prediction: str) -> httpx.Response:
    return httpx.post(
        f"{client.address}/feedback",
        json={"prediction_id": prediction, "label": "ham"},
        headers={"Host": client.host, "X-API-Key": API_KEY},
        timeout=15,
    )
