"""Chart and manifests are two texts of one installation: with its defaults the chart renders the same objects."""

import copy
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from controller.settings import PREFIX, ControllerSettings
from tests.chart.rendering import CHART, ROOT, SYSTEM, key_of, needs_helm, objects_of

pytestmark = [
    needs_helm,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH"),
]

VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
NAMES = {
    # A chart may be installed in several namespaces of one cluster.
    ("ClusterRole", "autoretrain-controller"): "autoretrain-controller-autoretrain-system",
    ("ClusterRoleBinding", "autoretrain-controller"): "autoretrain-controller-autoretrain-system",
    ("ClusterRole", "autoretrain-prometheus"): "autoretrain-prometheus-autoretrain-system",
    ("ClusterRole", "autoretrain-dashboard"): "autoretrain-dashboard-autoretrain-system",
    ("ClusterRoleBinding", "autoretrain-dashboard"): "autoretrain-dashboard-autoretrain-system",
    ("ClusterRoleBinding", "autoretrain-prometheus"): "autoretrain-prometheus-autoretrain-system",
}
ONLY_MANIFESTS = {"Namespace//autoretrain-system"}  # `--create-namespace`
ONLY_CHART = {f"Pod/{SYSTEM}/autoretrain-test", f"Service/{SYSTEM}/autoretrain-test"}  # of `helm test`
LABELS = {
    "helm.sh/chart",
    *(f"app.kubernetes.io/{name}" for name in ("instance", "version", "managed-by", "part-of")),
}
ANNOTATIONS = {"helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy", "helm.sh/resource-policy"}


def renamed(document: dict[str, Any], hashed: str) -> dict[str, Any]:
    """A kustomize object with the chart's names; `hashed` is the one whose name kustomize adds a hash to."""
    text = yaml.safe_dump(document).replace(hashed, "prometheus-config")
    for image in ("controller", "trainer", "serving", "agent"):
        text = text.replace(f"autoretrain/{image}:dev", f"autoretrain/{image}:{VERSION}")
    document = yaml.safe_load(text)
    for named in filter(None, (document["metadata"], document.get("roleRef"))):
        named["name"] = NAMES.get((named.get("kind", document["kind"]), named["name"]), named["name"])
    return document


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Without what Helm adds; the operator's variables as the settings that they make."""
    document = copy.deepcopy(document)
    for metadata in filter(None, (document["metadata"], document.get("spec", {}).get("template", {}).get("metadata"))):
        metadata["labels"] = {k: v for k, v in metadata.get("labels", {}).items() if k not in LABELS}
        added = ANNOTATIONS | {"checksum/config"}
        metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k not in added}
        metadata.pop("creationTimestamp", None)
    for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
        variables = {each["name"]: each for each in container.get("env", ())}
        ours = {name: variables.pop(name)["value"] for name in list(variables) if name.startswith(PREFIX)}
        said = {name.removeprefix(PREFIX).lower(): value for name, value in ours.items()}
        container["env"] = (variables, ControllerSettings(own_namespace="", identity="", **said))
    return document


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    command = ["kubectl", "kustomize", str(ROOT / "manifests")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    (hashed,) = [
        name
        for name in (each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap")
        if name.startswith("prometheus-config-")
    ]
    return {key_of(each): each for each in (renamed(each, hashed) for each in documents)}


@pytest.fixture(scope="module")
def chart() -> dict[str, dict[str, Any]]:
    return objects_of()


def test_the_same_objects_are_there(manifests, chart):
    assert (set(manifests) - set(chart), set(chart) - set(manifests)) == (ONLY_MANIFESTS, ONLY_CHART)


def test_each_object_is_the_same(manifests, chart):
    different = {
        key: (comparable(manifests[key]), comparable(chart[key]))
        for key in set(manifests) & set(chart)
        if comparable(manifests[key]) != comparable(chart[key])
    }
    assert different == {}


def test_an_overlay_for_another_namespace_gives_the_rights_to_the_accounts_there(tmp_path):
    # kustomize takes no absolute paths, and none through a link.
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    (tmp_path / "kustomization.yaml").write_text("namespace: elsewhere\nresources: [manifests]\n")
    done = subprocess.run(["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, check=True)
    bindings = [each for each in yaml.safe_load_all(done.stdout) if "subjects" in each]
    assert {subject["namespace"] for each in bindings for subject in each["subjects"]} == {"elsewhere"}
    assert len(bindings) == 5
