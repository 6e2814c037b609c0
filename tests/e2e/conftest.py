"""A cluster of this project's own with the operator on it, and a namespace for each test. `make e2e` makes both."""

import base64
import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.client import IngressClient
from tests.e2e.kubectl import Kubectl, Object, wait

CONTEXT = "kind-autoretrain"
NODE = "node/autoretrain-control-plane"
"""A context is no more than a name in a file; this is what `scripts/kind.py` looks for too."""
SYSTEM = "autoretrain-system"
ADDRESS = "http://127.0.0.1:8080"
API_KEY = "key-of-the-end-to-end-tests"
RUN = secrets.token_hex(3)
"""In every namespace's name: store and registry outlive a namespace, and a model that is found again is adopted."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
KUBECONFIG = Path(__file__).parents[2] / ".autoretrain" / "kind" / "kubeconfig"
if KUBECONFIG.exists():  # `make kind-up` leaves the selected context of this machine alone
    os.environ.setdefault("KUBECONFIG", str(KUBECONFIG))
DATA_DIRECTORY = Path(os.environ.get("AUTORETRAIN_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def own_cluster() -> Kubectl:
    """kubectl for the kind cluster of this project. Nothing is sent to one whose node is not its own."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH; `make kind-up` needs it, and kind")
    known = subprocess.run(["kubectl", "config", "get-contexts", "-o", "name"], capture_output=True, text=True)
    if CONTEXT not in known.stdout.split():
        pytest.skip(f"there is no context {CONTEXT}; `make kind-up` makes its cluster")
    cluster = Kubectl(CONTEXT)
    nodes = cluster.run("get", "nodes", "--output=name").split()
    if NODE not in nodes:
        pytest.fail(f"context {CONTEXT} leads to the nodes {nodes}, which are not this project's; nothing was changed")
    return cluster


@pytest.fixture(scope="session")
def kube(own_cluster: Kubectl) -> Kubectl:
    """The same, with the operator on it."""
    if own_cluster.get("deployment", "autoretrain-controller", namespace=SYSTEM) is None:
        pytest.skip("the operator is not installed; `make kind-deploy` installs it")
    return own_cluster


@pytest.fixture(scope="session", autouse=True)
def a_node_to_drain(request: pytest.FixtureRequest) -> None:
    """The full run empties a node, which one node can't spare: better said now than passed over after an hour."""
    if not any(item.get_closest_marker("full") for item in request.session.items):
        return
    cluster: Kubectl = request.getfixturevalue("own_cluster")
    if len(cluster.run("get", "nodes", "--output=name").split()) < 2:
        again = "make kind-down && KIND_CONFIG=manifests/kind/cluster-two-nodes.yaml make kind-up"
        pytest.fail(f"`make e2e-full` needs two nodes, and this cluster has one. Make another: {again}")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace in which SpamModels can live: Pod Security restricted, the store's Secret, API keys."""

    kube: Kubectl
    namespace: str

    def get(self, name: str) -> Object:
        found = self.kube.get("spammodel", name, namespace=self.namespace)
        assert found is not None, f"there is no SpamModel {name}"
        return found

    def status(self, name: str) -> dict[str, Any]:
        return self.get(name).get("status", {})

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        conditions = self.status(name).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def champion(self, name: str) -> str:
        return self.status(name).get("champion", {}).get("version", "")

    def decisions(self, name: str) -> list[str]:
        """What was decided, oldest first, as DECISION Reason."""
        found = self.kube.list(
            "spammodeldecision", namespace=self.namespace, labels=f"autoretrain.dev/spammodel={name}"
        )
        ordered = sorted(found, key=lambda each: each["spec"]["sequence"])
        return [f"{each['spec']['decision']} {each['spec']['reason']}" for each in ordered]

    def events(self, name: str) -> list[str]:
        """What `kubectl describe` tells of it, as Reason: message."""
        found = self.kube.list("event", namespace=self.namespace)
        return [
            f"{each['reason']}: {each['message']}"
            for each in found
            if each["involvedObject"]["kind"] == "SpamModel" and each["involvedObject"]["name"] == name
        ]

    def told(self, name: str, *words: str) -> bool:
        """Is there an event that says all of `words`?"""
        return any(all(word in event for word in words) for event in self.events(name))

    def jobs(self, name: str) -> list[Object]:
        return self._list("job", name)

    def _list(self, kind: str, name: str) -> list[Object]:
        return self.kube.list(kind, namespace=self.namespace, labels=f"autoretrain.dev/spammodel={name}")

    def deployment(self, name: str) -> Object:
        found = self.kube.get("deployment", f"{name}-serving", namespace=self.namespace)
        assert found is not None, f"{name} has no serving Deployment"
        return found

    def rolled_out(self, name: str) -> bool:
        """Are all Pods of serving of its newest template, and available?"""
        found = self.deployment(name)
        status, wanted = found["status"], found["spec"]["replicas"]
        counts = [status.get(kind) for kind in ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")]
        return status.get("observedGeneration") == found["metadata"]["generation"] and counts == [wanted] * len(counts)

    def at_rest(self, name: str) -> bool:
        """Is no run in flight, nothing rolled out, and no guard on?"""
        status = self.status(name)
        guard = status.get("guard")
        return "activeRun" not in status and "rollout" not in status and (not guard or bool(guard.get("ended")))

    def wait_ready(self, name: str, *, seconds: float = 300) -> dict[str, Any]:
        """Wait until the present generation is Ready, and return the status."""

        def ready() -> dict[str, Any] | None:
            found = self.get(name)
            status = found.get("status", {})
            conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
            current = status.get("observedGeneration") == found["metadata"]["generation"]
            return status if current and conditions.get("Ready") == "True" else None

        return wait(f"{name} is Ready", ready, seconds=seconds)

    def add_file(self, name: str, content: bytes) -> Object:
        """Put a file of base data into a ConfigMap; returns the `data` of a SpamModel that uses it."""
        self.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name},
                "binaryData": {"messages.tsv": base64.b64encode(content).decode()},
            },
            namespace=self.namespace,
        )
        return {
            "volume": {"configMap": {"name": name}, "path": "messages.tsv"},
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    def client(self, name: str, **options: Any) -> IngressClient:
        return IngressClient(ADDRESS, self.host(name), **options)

    def host(self, name: str) -> str:
        return f"{name}.{self.namespace}.test"

    def document(self, name: str, data: Object, **spec: Any) -> Object:
        """A SpamModel with short waits and small windows, all of them legal settings."""
        return {
            "apiVersion": "autoretrain.dev/v1alpha1",
            "kind": "SpamModel",
            "metadata": {"name": name},
            "spec": {
                "data": data,
                "training": {"profile": "Word", "activeDeadlineSeconds": 300},
                "serving": {
                    "scaling": {"replicas": 2},
                    "ingress": {"host": self.host(name)},
                    "apiKeysSecretRef": {"name": "api-keys"},
                },
                "monitoring": {
                    "intervalSeconds": 5,
                    "window": {"size": 250, "minSamples": 200},
                    "audit": {"rate": "0.2"},
                },
                "triggers": {"cooldownSeconds": 0, "maxRunsPerDay": 24},
                "guard": {"durationSeconds": 10, "minMessages": 200, "maxDurationSeconds": 180},
                **spec,
            },
        }


@pytest.fixture(scope="module")
def make_place(kube: Kubectl) -> Iterator[Callable[[str], Place]]:
    made: list[str] = []

    def make(name: str) -> Place:
        name = f"{name}-{RUN}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        kube.apply(namespace)
        made.append(name)
        passwords = kube.get("secret", "postgres-passwords", namespace=SYSTEM)
        assert passwords is not None, f"there is no Secret postgres-passwords in {SYSTEM}"
        address = {"url": passwords["data"]["url"]}
        secrets = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "autoretrain-store"}, "data": address},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "api-keys"},
                "stringData": {"desk": API_KEY},
            },
        ]
        kube.apply(*secrets, namespace=name)
        return Place(kube, name)

    yield make
    for name in made:
        kube.delete("namespace", name)


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Place:
    """A namespace of the module's own."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    return make_place(f"e2e-{name}"[:40])


def sample(path: str) -> Object:
    """A SpamModel of manifests/samples."""
    text = (Path(__file__).parents[2] / "manifests" / "samples" / path).read_text(encoding="utf-8")
    document: Object = yaml.safe_load(text)
    return document
