"""Who says how many replicas there are changes while clients call: none is lost, nor a request. Takes eight minutes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "scaling"
SERVING = f"{NAME}-serving"
CALLER = "caller"
CHANGED_SECONDS = 120
AUTOSCALED_SECONDS = 480
"""An autoscaler goes down by what it recommended at most in the last 300 s, and the number it began with counts."""
# Idle Pods with few requests stay far below it, so that one is enough.
RESOURCES = {"requests": {"cpu": "200m", "memory": "128Mi"}}
AUTOSCALING = {"mode": "Autoscaling", "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 100}
# A line for each state: how many replicas, and who has set that by scaling.
STATE = '{.spec.replicas} {.metadata.managedFields[?(@.subresource=="scale")].manager}{"\\n"}'
AUTOSCALER = "kube-controller-manager"
# Runs in a Pod until its file says to stop: a connection to the Service for each request, a few a second.
CALL = """
import http.client, json, pathlib, time
failed, sent = [], 0
while not pathlib.Path("/tmp/stop").exists():
    sent += 1
    try:
        link = http.client.HTTPConnection("%s", 80, timeout=10)
        link.request("POST", "/predict", b'{"message": "see you at eight"}', {"Content-Type": "application/json"})
        status = link.getresponse().status
        link.close()
        if status != 200:
            failed.append(f"request {sent}: status {status}")
    except Exception as error:
        failed.append(f"request {sent}: {error!r}")
    time.sleep(0.2)
print(json.dumps({"sent": sent, "failed": failed[:20]}))
"""


@pytest.fixture(scope="module", autouse=True)
def metrics_api(kube: Kubectl) -> None:
    if kube.get("apiservice", "v1beta1.metrics.k8s.io", namespace=SYSTEM) is None:
        pytest.skip("without the metrics API no autoscaler acts; install metrics-server")


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    corpus = "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=0, messages=2500)).encode()
    document = place.document(NAME, place.add_file("messages", corpus))
    document["spec"]["serving"].update(scaling={"mode": "Fixed", "replicas": 3}, podTemplate={"resources": RESOURCES})
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    return place


@contextmanager
def calling(place: Place) -> Iterator[dict[str, object]]:
    """A Pod calls the Service while the block lasts; its count is there after it."""
    counted: dict[str, object] = {}
    image = place.deployment(NAME)["spec"]["template"]["spec"]["containers"][0]["image"]
    container = {
        "name": CALLER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", CALL % SERVING],
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
    yield counted
    place.kube.run("exec", "-n", place.namespace, CALLER, "--", "touch", "/tmp/stop")
    told = wait("its count", lambda: place.kube.run("logs", "-n", place.namespace, CALLER).strip(), seconds=30)
    counted.update(json.loads(told.splitlines()[-1]))


@contextmanager
def watched(place: Place, path: Path) -> Iterator[None]:
    """Write every state of the Deployment to `path` while the block lasts: looks now and then could miss one."""
    target = ("deployment", SERVING, "-n", place.namespace, "--watch", "-o", f"jsonpath={STATE}")
    with (
        path.open("w", encoding="utf-8") as file,
        subprocess.Popen(["kubectl", "--context", place.kube.context, "get", *target], stdout=file) as process,
    ):
        try:
            wait("a first state", lambda: states(path), seconds=30)
            yield
            assert process.poll() is None, "the watch has ended before the story"
        finally:
            process.terminate()


def states(path: Path) -> list[tuple[int, bool]]:
    """(replicas, whether the autoscaler has set them) of every state so far, oldest first."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [(int(line[0]), AUTOSCALER in line[1:]) for line in lines if line]


def rescale(place: Place, **scaling: object) -> None:
    place.kube.patch("spammodel", NAME, {"spec": {"serving": {"scaling": scaling}}}, namespace=place.namespace)


def replicas(place: Place) -> int:
    number: int = place.deployment(NAME)["spec"]["replicas"]
    return number


def test_a_service_loses_neither_replicas_nor_requests_to_a_change_of_mode(ready: Place, tmp_path: Path):
    seen = tmp_path / "states"
    with calling(ready) as counted, ready.client(NAME, per_second=10) as client, watched(ready, seen):
        client.play(generate_traffic(seed=3, messages=1000))

        rescale(ready, **AUTOSCALING)
        wait(
            "an autoscaler",
            lambda: ready.kube.get("horizontalpodautoscaler", SERVING, namespace=ready.namespace),
            seconds=CHANGED_SECONDS,
        )
        wait("one replica", lambda: replicas(ready) == 1, seconds=AUTOSCALED_SECONDS)
        wait("the news of it", lambda: states(seen)[-1][0] == 1, seconds=30)
        assert [number for number, autoscaled in states(seen) if number < 3 and not autoscaled] == []
        assert max(number for number, _ in states(seen)) == 3

        rescale(ready, mode="Fixed", replicas=2)
        wait("two replicas", lambda: replicas(ready) == 2, seconds=CHANGED_SECONDS)
        wait(
            "no autoscaler",
            lambda: ready.kube.get("horizontalpodautoscaler", SERVING, namespace=ready.namespace) is None,
            seconds=CHANGED_SECONDS,
        )
        ready.wait_ready(NAME, seconds=CHANGED_SECONDS)
        target = ("-n", ready.namespace, f"deployment/{SERVING}")
        ready.kube.run("rollout", "status", *target, f"--timeout={CHANGED_SECONDS}s", seconds=CHANGED_SECONDS + 10)
        assert replicas(ready) == 2
    assert client.failures == []
    assert counted["failed"] == []
    assert isinstance(counted["sent"], int)
    assert min(counted["sent"], client.sent) > 500
