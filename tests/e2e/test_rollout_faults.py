"""What breaks while a version is rolled out or under guard: the one before answers until the new one is ready."""

from datetime import UTC, datetime

import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.breaking import promote, serve_with_candidate, without
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "rollout"
IMAGE = "registry.invalid/nothing:here"
GUARD_SECONDS = 10
HEAL_SECONDS = 120


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    serve_with_candidate(place, NAME)
    return place


def test_with_a_serving_image_that_does_not_exist_the_old_version_answers_until_it_is_mended(ready: Place):
    with ready.client(NAME, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        use_image(ready, IMAGE)
        promote(ready, NAME, "2", token="without-an-image")
        said = f"image {IMAGE} can't be pulled"
        wait("it is said", lambda: said in ready.condition(NAME, "ServingAvailable").get("message", ""), seconds=60)
        wait("an event", lambda: ready.told(NAME, "ServingAvailable", said), seconds=30)
        assert ready.condition(NAME, "Ready")["reason"] == "RolloutInProgress"
        assert client.versions == {"v1"}
        use_image(ready, "")
        wait("the new version", lambda: ready.champion(NAME) == "2", seconds=HEAL_SECONDS)
        wait("rest", lambda: ready.at_rest(NAME), seconds=240)
    assert client.failures == []
    assert ready.wait_ready(NAME)["previous"]["version"] == "1"


def test_a_guard_without_prometheus_ends_only_when_there_is_evidence_again(ready: Place):
    with ready.client(NAME, per_second=50) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        with without(ready.kube, "deployment/prometheus"):
            promote(ready, NAME, "1", token="without-evidence")
            wait("the other version", lambda: ready.champion(NAME) == "1", seconds=HEAL_SECONDS)
            wait("twice the guard's time", lambda: guarded_seconds(ready) > 2 * GUARD_SECONDS, seconds=60)
            assert not ready.status(NAME)["guard"].get("ended")
            assert ready.condition(NAME, "Ready")["status"] == "True"
        wait("the guard's end", lambda: ready.at_rest(NAME), seconds=240)
    assert client.failures == []
    assert ready.champion(NAME) == "1"


def use_image(place: Place, image: str) -> None:
    place.kube.patch("spammodel", NAME, {"spec": {"serving": {"image": image}}}, namespace=place.namespace)


def guarded_seconds(place: Place) -> float:
    started = datetime.fromisoformat(place.status(NAME)["guard"]["startTime"])
    return (datetime.now(UTC) - started).total_seconds()
