"""Does a real API server say what the library here says, and take what the builders build?

Everything is a server-side dry run but for the definitions and one namespace. The cluster is this project's own,
whatever context is selected: the definitions are put over those that are there.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autoretrain.adapters.spammodel import load_document
from autoretrain.domain.status import Status
from controller.children.builder import Children
from tests.children import DEFAULTS, EXPERIMENT, RUN, SERVING, document, model_of
from tests.e2e.kubectl import Kubectl
from tests.spec_cases import Case, load_cases

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
DEFINITIONS = [ROOT / "manifests/crd.yaml", ROOT / "manifests/crd-decision.yaml"]
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))
NAMESPACE = "autoretrain-e2e-crd"
CASES = [case for case in load_cases() if not case.here_only]
BUILDER = Children(defaults=DEFAULTS, pod_monitors=True)
OPTIONAL_KINDS = {
    "HTTPRoute": "httproutes.gateway.networking.k8s.io",
    "PodMonitor": "podmonitors.monitoring.coreos.com",
}


class Cluster:
    """kubectl, bound to one context."""

    def __init__(self, context: str) -> None:
        self._context = context

    def __call__(self, *arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--context", self._context, "--request-timeout=20s", *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def do(self, *arguments: str, given: Any = None) -> str:
        done = self(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_out(self, thing: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Send `thing` as the controller does, and let nothing come of it."""
        apply = ("apply", "--server-side", "--field-manager=autoretrain", "--dry-run=server", "--validate=strict")
        return self(*apply, "-f", "-", given=thing)

    def has(self, definition: str) -> bool:
        return self("get", "crd", definition).returncode == 0


@pytest.fixture(scope="module")
def cluster(own_cluster: Kubectl):
    cluster = Cluster(own_cluster.context)
    cluster.do("apply", "--server-side", "--force-conflicts", *(f"--filename={path}" for path in DEFINITIONS))
    cluster.do("wait", "--for=condition=Established", "--timeout=30s", *(f"--filename={path}" for path in DEFINITIONS))
    enforced = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": enforced}}
    cluster.do("apply", "-f", "-", given=namespace)
    cluster.do("wait", "--for=create", "--timeout=30s", "-n", NAMESPACE, "serviceaccount/default")
    trainer = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "trainer", "namespace": NAMESPACE}}
    cluster.do("apply", "-f", "-", given=trainer)
    yield cluster
    cluster.do("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_api_server_refuses_what_the_library_refuses_at_the_same_place(cluster, case: Case):
    answer = cluster("create", "--dry-run=server", "--validate=strict", "-f", "-", given=in_namespace(case.document))
    assert answer.returncode != 0
    assert said_at(case, answer.stderr), answer.stderr


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_an_api_server_accepts_every_sample(cluster, sample):
    cluster.do("create", "--dry-run=server", "--validate=strict", "-f", "-", given=in_namespace(load_document(sample)))


@pytest.mark.parametrize("sample", ["minimal", "full"])
def test_an_api_server_fills_in_the_defaults_of_the_library(cluster, sample):
    given = in_namespace(load_document(ROOT / f"manifests/samples/{sample}.yaml"))
    created = json.loads(cluster.do("create", "--dry-run=server", "-o=json", "-f", "-", given=given))
    assert created["spec"] == document(sample)["spec"]


@pytest.mark.parametrize("which", ["minimal", "full", "scaled elsewhere", "routed", "on a volume"])
def test_an_api_server_takes_every_child_in_a_restricted_namespace(cluster, which):
    for thing in built(which):
        definition = OPTIONAL_KINDS.get(thing["kind"])
        if definition and not cluster.has(definition):
            continue
        answer = cluster.try_out(thing)
        assert answer.returncode == 0, (thing["kind"], answer.stderr)
        assert "would violate PodSecurity" not in answer.stderr


def test_an_api_server_takes_the_pods_themselves_where_restricted_is_enforced(cluster):
    for sample in ("minimal", "full"):
        for thing in built(sample):
            if "template" in thing.get("spec", {}):
                answer = cluster.try_out(pod_of(thing))
                assert answer.returncode == 0, answer.stderr


def test_the_namespace_does_refuse_a_pod_that_is_not_restricted(cluster):
    pod = next(pod_of(thing) for thing in built("minimal") if thing["kind"] == "Deployment")
    del pod["spec"]["containers"][0]["securityContext"]
    answer = cluster.try_out(pod)
    assert answer.returncode != 0
    assert "violates PodSecurity" in answer.stderr


def test_a_decision_is_taken_and_can_not_be_changed(cluster):
    decision = {
        "apiVersion": "autoretrain.dev/v1alpha1",
        "kind": "SpamModelDecision",
        "metadata": {"name": "sms-spam-0123456789", "namespace": NAMESPACE},
        "spec": {
            "spamModel": "sms-spam",
            "sequence": 812,
            "at": "2026-11-23T20:00:00.123456+00:00",
            "decision": "RETRAIN",
            "reason": "DriftThresholdExceeded",
            "message": "drift 0.21 > 0.15 in two windows",
            "record": "{}",
        },
    }
    cluster.do("apply", "-f", "-", given=decision)
    decision["spec"]["message"] = "nothing to see here"
    answer = cluster("apply", "-f", "-", given=decision)
    assert answer.returncode != 0
    assert "a decision can't be changed" in answer.stderr


def test_every_field_is_explained(cluster):
    explained = cluster.do("explain", "spammodel.spec", "--recursive", "--api-version=autoretrain.dev/v1alpha1")
    assert "cooldownSeconds" in explained
    text = cluster.do("explain", "spm.spec.triggers.cooldownSeconds", "--api-version=autoretrain.dev/v1alpha1")
    assert "in seconds" in " ".join(text.split())


def in_namespace(resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "metadata": {**resource["metadata"], "namespace": NAMESPACE}}


def built(which: str) -> list[dict[str, Any]]:
    """Every child of a document that differs from the others in what it makes of it, and its Job."""
    serving: dict[str, Any] = {
        "scaled elsewhere": {"scaling": {"mode": "External"}, "apiKeysSecretRef": {"name": "sources"}},
        "routed": {"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["spam.test"]}},
    }.get(which, {})
    data = {"data": {"volume": {"persistentVolumeClaim": {"claimName": "sms"}, "path": "a.tsv"}}}
    changes = {**({"serving": serving} if serving else {}), **(data if which == "on a volume" else {})}
    resource = in_namespace(document(which if which in {"minimal", "full"} else "minimal", **changes))
    model = model_of(resource)
    experiment = EXPERIMENT if which == "full" else None
    children = BUILDER.build_children(model, document=resource, status=SERVING, experiment=experiment)
    first = BUILDER.build_children(model, document=resource, status=Status(), experiment=None)
    return [*first, *children, BUILDER.build_job(model, RUN, document=resource, status=SERVING)]


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    template = workload["spec"]["template"]
    spec = {name: value for name, value in template["spec"].items() if name != "priorityClassName"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "tried-out", "namespace": NAMESPACE},
        "spec": spec,
    }


def said_at(case: Case, answer: str) -> bool:
    """Did the server say it at that path? Strict decoding says `unknown field "<path>"`; a root has the path <nil>."""
    if "unknown field" in case.says:
        return f'unknown field "{case.path}"' in answer
    place = re.escape(case.path or "<nil>")
    return any(
        re.search(rf"(^|[\s*]){place}: ", line) and plain(case.says) in plain(line)
        for line in re.split(r"\n\*? ?|(?<=\"), (?=spec\.)", answer)
    )


def plain(text: str) -> str:
    return " ".join(text.replace("\\", "").split())
