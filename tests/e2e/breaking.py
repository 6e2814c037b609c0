"""How do the stories break what is around the loop, and mend it again? And how do they see what came of it?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.client import IngressClient
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import Kubectl, Object, wait
from tests.e2e.messages import corpus

VERDICTS = ("PROMOTE", "HOLD", "REJECT")
LEASE = "autoretrain-controller"
RUN_SECONDS = 360
"""Of a run that a fault cost one attempt, or a back-off before the next."""


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


def leader(kube: Kubectl) -> str:
    """The Pod that holds the Lease, '' where none does."""
    lease = kube.get("lease", LEASE, namespace=SYSTEM)
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


def kill_controller(kube: Kubectl) -> None:
    """The process is gone at once; a new Pod starts without a back-off, and does not wait for the Lease to run out.

    That wait is tested by itself; here it would leave most moments of a cycle without anybody to kill.
    """
    labels = selector(kube, "deployment/autoretrain-controller")
    killed = [pod["metadata"]["name"] for pod in kube.list("pod", namespace=SYSTEM, labels=labels)]
    for name in killed:
        kube.delete("pod", name, namespace=SYSTEM, at_once=True)
    if leader(kube) in killed:
        kube.patch("lease", LEASE, {"spec": {"holderIdentity": ""}}, namespace=SYSTEM)


@contextmanager
def mid_cycle(place: Place, name: str, *, seed: int) -> Iterator[IngressClient]:
    """A block in which clients call and a trainer is at work on other base data; what breaks in it is mended there.

    After it: the run ends by itself in one verdict, nobody's request has failed, and the model is Ready.
    """
    decided, trained = len(place.decisions(name)), place.status(name)["trainedHash"]
    with place.client(name, per_second=30) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        change = place.document(name, place.add_file(f"messages-{seed}", corpus(seed)))
        place.kube.apply(change, namespace=place.namespace)
        wait("a trainer at work", lambda: training_pods(place, name, phase="Running"), seconds=120)
        yield client
        wait("its verdict", lambda: place.status(name)["trainedHash"] != trained, seconds=RUN_SECONDS)
        wait("rest", lambda: place.at_rest(name), seconds=RUN_SECONDS)
    assert client.failures == []
    made = [decision.split()[0] for decision in place.decisions(name)[decided:]]
    assert sum(made.count(verdict) for verdict in VERDICTS) == 1
    assert place.condition(name, "Ready")["status"] == "True"


def serve_with_candidate(place: Place, name: str) -> None:
    """Version 1 is served; version 2 is a candidate that was not promoted."""
    place.kube.apply(place.document(name, place.add_file("messages-0", corpus(0))), namespace=place.namespace)
    place.wait_ready(name)
    place.kube.apply(place.document(name, place.add_file("messages-1", corpus(1))), namespace=place.namespace)
    wait("a second version", lambda: place.status(name).get("candidate"), seconds=RUN_SECONDS)
    assert place.champion(name) == "1"


def promote(place: Place, name: str, version: str, *, token: str) -> None:
    """Promote a version by hand, and wait until its rollout has begun."""
    asked = {"promote_requested": version, "promote_token": token, "actor": "ann", "reason": "a test"}
    place.kube.annotate(name, namespace=place.namespace, **asked)
    wait("the request", lambda: place.status(name)["handledRequests"].get("promote") == token, seconds=60)


def training_pods(place: Place, name: str, *, phase: str) -> list[Object]:
    labels = f"autoretrain.dev/spammodel={name},app.kubernetes.io/component=training"
    found = place.kube.list("pod", namespace=place.namespace, labels=labels)
    return [pod for pod in found if pod["status"]["phase"] == phase]


def serving_pods(place: Place, name: str) -> list[Object]:
    labels = f"autoretrain.dev/spammodel={name},app.kubernetes.io/component=serving"
    return place.kube.list("pod", namespace=place.namespace, labels=labels)


def replace_serving_pod(place: Place, name: str) -> Callable[[], bool]:
    """Delete one of two serving Pods; what is returned says whether there are two ready ones without it."""
    gone = serving_pods(place, name)[0]["metadata"]["name"]
    place.kube.delete("pod", gone, namespace=place.namespace)

    def replaced() -> bool:
        pods = [pod for pod in serving_pods(place, name) if pod["metadata"]["name"] != gone]
        return len(pods) == 2 and all(is_ready(pod) for pod in pods)

    return replaced


def is_ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
