"""The chart under test, by helm: what a user types, with time limits, and what is then in the cluster."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.kind import images
from tests.e2e.conftest import CONTEXT
from tests.e2e.kubectl import Kubectl, Object

HELM_MINUTES = 8
KINDS_THAT_STAY = ("persistentvolumeclaim", "secret")


def our_images() -> Object:
    """The images that `scripts/kind.py load` brought, and those of others as the environment says."""
    values: Object = {"tag": "dev"}
    for part, name in (("postgresql", "postgres"), ("prometheus", "prom/prometheus")):
        repository, _, tag = images()[name].rpartition(":")
        values[part] = {"repository": repository, "tag": tag}
    return {"images": values}


def merged(one: Object, other: Object) -> Object:
    both = one.keys() & other.keys()
    inner = {name: merged(one[name], other[name]) for name in both if isinstance(one[name], dict)}
    return {**one, **other, **inner}


@dataclass(frozen=True, slots=True)
class Release:
    """One installation; every command gets all of its values, so that none depends on those of before."""

    name: str
    namespace: str
    values: Object

    def helm(self, *arguments: str, values: Object | None = None) -> str:
        ended = subprocess.run(
            ["helm", "--kube-context", CONTEXT, "--namespace", self.namespace, *arguments],
            input=None if values is None else yaml.safe_dump(values),
            capture_output=True,
            text=True,
            timeout=(HELM_MINUTES + 1) * 60,
            check=False,
        )
        assert ended.returncode == 0, f"helm {' '.join(arguments)}: {ended.stderr.strip()}"
        return ended.stdout

    def install(self, chart: Path, **values: Any) -> None:
        self._apply("install", chart, values)

    def upgrade(self, chart: Path, **values: Any) -> None:
        self._apply("upgrade", chart, values)

    def _apply(self, verb: str, chart: Path, values: Object) -> None:
        limits = ("--wait", f"--timeout={HELM_MINUTES}m", "--values=-")
        self.helm(verb, self.name, str(chart), *limits, values=merged(self.values, values))

    def uninstall(self) -> None:
        self.helm("uninstall", self.name, "--wait", f"--timeout={HELM_MINUTES}m", "--ignore-not-found")


def kept_uids(cluster: Kubectl, namespace: str) -> dict[str, str]:
    """Claims and Secrets of the release's namespace, but Helm's own records."""
    found = [each for kind in KINDS_THAT_STAY for each in cluster.list(kind, namespace=namespace)]
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"]
        for each in found
        if each.get("type") != "helm.sh/release.v1"
    }


def generations(cluster: Kubectl, namespace: str) -> dict[str, int]:
    found = [each for kind in ("deployment", "statefulset") for each in cluster.list(kind, namespace=namespace)]
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in found}


def writers(cluster: Kubectl, namespace: str) -> dict[str, set[str]]:
    """Who has set fields of the spec of each Deployment."""
    text = cluster.run("get", "deployments", "-n", namespace, "--show-managed-fields", "--output=json")
    return {
        each["metadata"]["name"]: {
            entry["manager"] for entry in each["metadata"]["managedFields"] if "f:spec" in entry["fieldsV1"]
        }
        for each in json.loads(text)["items"]
    }


def may(kube: Kubectl, verb: str, kind: str, namespace: str, account: str) -> bool:
    """What the API server says of an account's right."""
    group = {"spammodels": "autoretrain.dev", "jobs": "batch", "deployments": "apps"}.get(kind, "")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": account,
            "resourceAttributes": {"namespace": namespace, "verb": verb, "resource": kind, "group": group},
        },
    }
    told = kube.run("create", "--filename=-", "--output=json", text=json.dumps(review))
    return bool(json.loads(told)["status"]["allowed"])
