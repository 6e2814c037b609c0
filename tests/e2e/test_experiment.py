"""A second version beside the champion: in the shadow, then answering a stable share of senders through the Ingress."""

import json
import time

import httpx
import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.asking import ask_prometheus, ask_registry
from tests.e2e.breaking import promote, serve_with_candidate
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = pytest.mark.cluster

NAME, ALONE = "experiment", "alone"
SENDERS = 20
PAIRS = 3000
MOST_P99_RATIO = 1.5
"""What the machine itself does to a hundredth of the requests is more than the few per cent that may be the model's."""


@pytest.fixture(scope="module")
def two_versions(place: Place) -> Place:
    serve_with_candidate(place, NAME)
    return place


def experiment(place: Place, **wanted: object) -> None:
    place.kube.patch("spammodel", NAME, {"spec": {"serving": {"experiment": wanted}}}, namespace=place.namespace)
    place.wait_ready(NAME, seconds=120)
    settled = [] if wanted["mode"] == "Disabled" else [wanted]
    wait("its rollout", lambda: served_experiments(place) == settled and place.rolled_out(NAME), seconds=120)


def served_experiments(place: Place) -> list[dict[str, object]]:
    """What the Pods of the newest template are told of an experiment, without the digest."""
    variables = place.deployment(NAME)["spec"]["template"]["spec"]["containers"][0]["env"]
    told = [json.loads(each["value"]) for each in variables if each["name"] == "AUTORETRAIN_SERVED_EXPERIMENT"]
    return [{key: value for key, value in each.items() if key != "digest"} for each in told]


def counted(place: Place, query: str) -> dict[str, float]:
    """What Prometheus adds up of a counter of serving, by version."""
    model = f'spammodel="{place.namespace}.{NAME}"'
    found = ask_prometheus(place.kube, f"sum by (model_version) ({query.replace('MODEL', model)})")
    return {each["metric"]["model_version"]: float(each["value"][1]) for each in found}


def ask(http: httpx.Client, host: str, *, sender: str, number: int = 0) -> tuple[str, float]:
    """The version that answers a sender, and after how many seconds."""
    message = {"message": f"are you coming home for dinner, {number}?", "sender": sender}
    began = time.perf_counter()
    answer = http.post("/predict", json=message, headers={"Host": host})
    return answer.raise_for_status().json()["model_version"], time.perf_counter() - began


def test_in_the_shadow_a_second_version_scores_and_answers_nobody(two_versions: Place):
    with two_versions.client(NAME, per_second=40) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        experiment(two_versions, mode="Shadow", version="2", percent=10)
        scored = 'autoretrain_shadow_scores_total{MODEL,outcome="scored"}'
        wait("shadow scores", lambda: counted(two_versions, scored).get("v2"), seconds=60)
    assert (client.failures, client.versions) == ([], {"v1"})


def test_in_an_a_b_test_a_sender_always_meets_the_same_version_and_each_version_is_counted(two_versions: Place):
    experiment(two_versions, mode="AB", version="2", percent=50)
    met: dict[str, set[str]] = {}
    answered = 'autoretrain_predictions_total{MODEL,component="serving"}'
    with httpx.Client(base_url=two_versions.client(NAME).address, timeout=10) as http:

        def both_counted() -> bool:
            for number in range(200):
                sender = f"sender-{number % SENDERS}"
                met.setdefault(sender, set()).add(ask(http, two_versions.host(NAME), sender=sender, number=number)[0])
            found = counted(two_versions, answered)
            return bool(found.get("v1") and found.get("v2"))

        wait("figures of both", both_counted, seconds=60)
    assert all(len(versions) == 1 for versions in met.values())
    assert set.union(*met.values()) == {"v1", "v2"}


@pytest.mark.full
def test_an_experiment_leaves_the_champions_latency_alone(two_versions: Place, capsys: pytest.CaptureFixture[str]):
    """Beside it, request by request, the same champion is asked that has no experiment."""
    place = two_versions
    place.kube.apply(place.document(ALONE, place.add_file("messages-0", corpus(0))), namespace=place.namespace)
    place.wait_ready(ALONE)
    seconds: dict[str, list[float]] = {NAME: [], ALONE: []}
    with httpx.Client(base_url=place.client(NAME).address, timeout=10) as http:
        champions = next(
            sender
            for sender in map("sender-{}".format, range(SENDERS))
            if ask(http, place.host(NAME), sender=sender)[0] == "v1"
        )
        for number in range(PAIRS):
            for name in (NAME, ALONE) if number % 2 else (ALONE, NAME):
                version, took = ask(http, place.host(name), sender=champions, number=number)
                assert version == "v1"
                seconds[name].append(took)
    slow = {name: sorted(took)[int(PAIRS * 0.99)] for name, took in seconds.items()}
    ratio = slow[NAME] / slow[ALONE]
    with capsys.disabled():
        print(f"\np99 of the champion {slow[NAME] * 1000:.1f} ms, alone {slow[ALONE] * 1000:.1f} ms: {ratio:.3f}")
    assert ratio < MOST_P99_RATIO


def test_a_promotion_of_the_second_version_ends_the_experiment_without_a_failed_request(two_versions: Place):
    place = two_versions
    with place.client(NAME, per_second=40) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        promote(place, NAME, "2", token="beside-an-experiment")
        wait("the promotion", lambda: place.champion(NAME) == "2", seconds=120)
        wait("its rollout", lambda: place.rolled_out(NAME), seconds=60)
        assert served_experiments(place) == []
        client.versions.clear()
        sent = client.sent
        wait("answers", lambda: client.sent > sent + 100, seconds=30)
    assert client.failures == []
    assert "v2" in client.versions
    assert ask_registry(place, NAME).aliases["champion"] == "2"
