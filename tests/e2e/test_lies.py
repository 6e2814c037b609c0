"""What answers, but wrongly: a Prometheus that is none, a model whose bytes are others. Nobody acts on either."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoretrain.ml.sample_corpus import generate_traffic, generate_wave
from tests.e2e.asking import ask_prometheus
from tests.e2e.breaking import promote, replace_serving_pod, serve_with_candidate, serving_pods, without
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "lies"
HEAL_SECONDS = 120
OFFSET = 1000
"""Of the byte that is wrong; turned twice it is right again."""
TURN_FILES = """
import pathlib, sys
for path in pathlib.Path("/var/lib/mlflow").rglob("model.json"):
    data = bytearray(path.read_bytes())
    data[int(sys.argv[1])] ^= 255
    path.write_bytes(data)
"""


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    serve_with_candidate(place, NAME)
    return place


@contextmanager
def answered_by_mlflow(kube: Kubectl) -> Iterator[None]:
    """Whoever asks Prometheus is answered by a web server that knows nothing of queries."""
    select(kube, "mlflow")
    try:
        with without(kube, "deployment/prometheus"):  # else connections that are open would go on to it
            yield
    finally:
        select(kube, "prometheus")


def select(kube: Kubectl, name: str) -> None:
    change = {"spec": {"selector": {"app.kubernetes.io/name": name}}}
    kube.patch("service", "prometheus", change, namespace=SYSTEM)


def test_nonsense_for_metrics_is_no_evidence_and_starts_nothing(ready: Place):
    with ready.client(NAME, per_second=50) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        wait("a quiet window", lambda: ready.status(NAME).get("drift"), seconds=HEAL_SECONDS)
        jobs = len(ready.jobs(NAME))
        with answered_by_mlflow(ready.kube):
            wait("it is said", lambda: reason(ready) == "EvidenceMissing", seconds=HEAL_SECONDS)
            client.play(generate_wave(seed=7, messages=5000))
            sent = client.sent
            wait("windows of new spam", lambda: client.sent > sent + 1000, seconds=HEAL_SECONDS)
            assert len(ready.jobs(NAME)) == jobs
            assert ready.condition(NAME, "Ready")["status"] == "True"
        wait("drift is seen", lambda: ready.condition(NAME, "DriftDetected").get("status") == "True", seconds=180)
    assert client.failures == []


@contextmanager
def damaged_everywhere(place: Place) -> Iterator[None]:
    """No copy of the model has the bytes of its digest: neither the store's nor the registry's."""
    turn(place)
    try:
        yield
    finally:
        turn(place)


def turn(place: Place) -> None:
    """Turn one byte of each copy of this model in the store, and of each model in the registry."""
    change = f"artefact = set_byte(artefact, {OFFSET}, 255 - get_byte(artefact, {OFFSET}))"
    statement = f"UPDATE artefacts SET {change} WHERE model = '{place.namespace}.{NAME}'"
    in_postgres = ("exec", "-n", SYSTEM, "statefulset/postgres", "--", "psql", "--username=postgres")
    place.kube.run(*in_postgres, "--dbname=autoretrain", f"--command={statement}")
    place.kube.run("exec", "-n", SYSTEM, "deployment/mlflow", "--", "python", "-c", TURN_FILES, str(OFFSET))


def test_a_damaged_model_is_not_served_and_the_champion_answers_on_from_the_pods_that_have_it(ready: Place):
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        with damaged_everywhere(ready):
            known = {pod["metadata"]["name"] for pod in serving_pods(ready, NAME)}
            replaced = replace_serving_pod(ready, NAME)
            wait("it says why it is not ready", lambda: "digest" in log_of_others(ready, known), seconds=HEAL_SECONDS)
            assert not replaced()
        wait("two that are ready", replaced, seconds=HEAL_SECONDS)
    assert (client.failures, client.versions) == ([], {"v1"})


def test_a_promotion_of_a_damaged_model_waits_for_its_bytes_and_the_champion_answers_meanwhile(ready: Place):
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        with damaged_everywhere(ready):
            known = {pod["metadata"]["name"] for pod in serving_pods(ready, NAME)}
            promote(ready, NAME, "2", token="damaged")
            wait("it says why it is not ready", lambda: "digest" in log_of_others(ready, known), seconds=HEAL_SECONDS)
            wait("an event", lambda: ready.told(NAME, "ServingAvailable", "not ready on every replica"), seconds=60)
            wait("its condition says why", lambda: "has digest" in serving_message(ready), seconds=HEAL_SECONDS)
            wait("it is counted", lambda: refusals(ready) > 0, seconds=60)
            assert ready.condition(NAME, "Ready")["reason"] == "RolloutInProgress"
            assert client.versions == {"v1"}
        wait("the new version", lambda: ready.champion(NAME) == "2", seconds=240)
    assert client.failures == []


def serving_message(place: Place) -> str:
    return str(place.condition(NAME, "ServingAvailable").get("message", ""))


def refusals(place: Place) -> float:
    model = f'spammodel="{place.namespace}.{NAME}"'
    found = ask_prometheus(place.kube, f"sum(autoretrain_model_load_failures_total{{{model}}})")
    return float(found[0]["value"][1]) if found else 0.0


def log_of_others(place: Place, known: set[str]) -> str:
    """What the Pod of serving says that is not among the `known`."""
    others = [pod["metadata"]["name"] for pod in serving_pods(place, NAME) if pod["metadata"]["name"] not in known]
    return place.kube.run("logs", "-n", place.namespace, others[0]) if others else ""


def reason(place: Place) -> str:
    return place.condition(NAME, "MetricsAvailable").get("reason", "")
