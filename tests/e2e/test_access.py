"""Who may ask: where everything needs a key nobody gets in without one, and one sender's flood is its own."""

import base64
import threading
import time

import httpx
import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.conftest import ADDRESS, API_KEY, Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "access"
OTHER_KEY = "another-key-of-the-end-to-end-tests"
PER_SECOND = 20
FEW_PER_SECOND = 2
RELOAD_SECONDS = 150
"""A kubelet looks at a mounted Secret about once a minute."""


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    document = place.document(NAME, place.add_file("messages", corpus()))
    document["spec"]["serving"] |= {"apiKeysFor": "Everything", "requestsPerSecond": PER_SECOND}
    document["spec"]["serving"]["scaling"] = {"replicas": 1}
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    return place


def ask(place: Place, key: str | None, *, message: str = "see you at eight") -> httpx.Response:
    headers = {"Host": place.host(NAME), **({"X-API-Key": key} if key else {})}
    return httpx.post(f"{ADDRESS}/predict", json={"message": message}, headers=headers, timeout=10)


def test_without_a_key_nothing_is_answered_and_with_one_everything(ready: Place):
    assert ask(ready, None).status_code == 401
    assert ask(ready, "a-key-that-nobody-has-given-out").status_code == 401
    assert ask(ready, API_KEY).status_code == 200


def test_the_monitor_still_measures_what_is_answered(ready: Place):
    for message in generate_traffic(seed=3, messages=600):
        assert ask(ready, API_KEY, message=message.text).status_code == 200
        time.sleep(1.5 / PER_SECOND)
    wait(
        "figures of this champion",
        lambda: ready.condition(NAME, "MetricsAvailable").get("status") == "True",
        seconds=RELOAD_SECONDS,
    )


def test_a_flood_of_one_sender_is_refused_and_leaves_the_others_theirs(ready: Place):
    change = {"spec": {"serving": {"requestsPerSecond": FEW_PER_SECOND}}}
    ready.kube.patch("spammodel", NAME, change, namespace=ready.namespace)
    ready.wait_ready(NAME)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.extend(ask(ready, API_KEY).status_code for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert set(statuses) == {200, 429}
    assert statuses.count(429) > statuses.count(200)
    assert ask(ready, None).status_code == 401  # an address of its own, which is asked for its key


def test_a_key_that_is_added_to_the_secret_is_taken_without_a_restart(ready: Place):
    wait("the end of the last change", lambda: ready.rolled_out(NAME), seconds=60)
    before = serving_pods(ready)
    added = {"data": {"other": base64.b64encode(OTHER_KEY.encode()).decode()}}
    ready.kube.patch("secret", "api-keys", added, namespace=ready.namespace)
    wait("the new key", lambda: ask(ready, OTHER_KEY).status_code == 200, seconds=RELOAD_SECONDS)
    assert ask(ready, API_KEY).status_code == 200
    assert serving_pods(ready) == before


def serving_pods(place: Place) -> set[str]:
    found = place.kube.list("pod", namespace=place.namespace, labels="app.kubernetes.io/component=serving")
    return {pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"]}
