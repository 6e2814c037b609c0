"""While Pods come and go no request is lost: by the Ingress on connections that live, by the Service on new ones."""

import json

import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "connections"
CALLER = "caller"
ROLLOUT_SECONDS = 120
# Runs in a Pod until its file says to stop: a connection for each request, as a client without a pool does.
CALL = """
import http.client, json, pathlib
failed, sent = [], 0
while not pathlib.Path("/tmp/stop").exists():
    sent += 1
    try:
        link = http.client.HTTPConnection("%s-serving", 80, timeout=10)
        link.request("POST", "/predict", b'{"message": "see you at eight"}', {"Content-Type": "application/json"})
        status = link.getresponse().status
        link.close()
        if status != 200:
            failed.append(f"request {sent}: status {status}")
    except Exception as error:
        failed.append(f"request {sent}: {error!r}")
print(json.dumps({"sent": sent, "failed": failed[:20]}))
"""


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    place.kube.apply(place.document(NAME, place.add_file("messages", corpus())), namespace=place.namespace)
    place.wait_ready(NAME)
    return place


def change_serving(place: Place, **serving: object) -> None:
    place.kube.patch("spammodel", NAME, {"spec": {"serving": serving}}, namespace=place.namespace)
    target = ("-n", place.namespace, f"deployment/{NAME}-serving")
    place.wait_ready(NAME, seconds=ROLLOUT_SECONDS)
    place.kube.run("rollout", "status", *target, f"--timeout={ROLLOUT_SECONDS}s", seconds=ROLLOUT_SECONDS + 10)


def start_caller(place: Place) -> None:
    image = place.deployment(NAME)["spec"]["template"]["spec"]["containers"][0]["image"]
    container = {
        "name": CALLER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", CALL % NAME],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": CALLER}, "spec": spec}
    place.kube.apply(pod, namespace=place.namespace)
    place.kube.run("wait", "-n", place.namespace, f"pod/{CALLER}", "--for=condition=Ready", "--timeout=60s", seconds=70)


def stop_caller(place: Place) -> dict[str, object]:
    place.kube.run("exec", "-n", place.namespace, CALLER, "--", "touch", "/tmp/stop")
    told = wait("its count", lambda: place.kube.run("logs", "-n", place.namespace, CALLER).strip(), seconds=30)
    counted: dict[str, object] = json.loads(told.splitlines()[-1])
    return counted


def test_rollouts_and_scaling_cost_no_request(ready: Place):
    start_caller(ready)
    with ready.client(NAME, per_second=120, threads=4) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        for number in range(3):
            change_serving(ready, podTemplate={"annotations": {"example.com/round": str(number)}})
        for replicas in (3, 1, 2):
            change_serving(ready, scaling={"replicas": replicas})
        wait("20,000 requests", lambda: client.sent >= 20_000, seconds=300)
    counted = stop_caller(ready)
    assert client.failures == []
    assert counted["failed"] == []
    assert isinstance(counted["sent"], int)
    assert counted["sent"] > 5000
