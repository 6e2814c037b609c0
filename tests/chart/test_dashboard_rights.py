"""May the dashboard read our own kinds, and nothing else? With an operator's key it may change SpamModels, too."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import ROOT, SYSTEM, needs_helm, objects_of, pods_of, variables_of

READING = [
    {"apiGroups": ["autoretrain.dev"], "resources": ["spammodels", "spammodeldecisions"], "verbs": ["get", "list"]}
]
CHANGING = {"apiGroups": ["autoretrain.dev"], "resources": ["spammodels"], "verbs": ["patch"]}

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH")


def kustomized(directory: Path) -> list[dict[str, Any]]:
    command = ["kubectl", "kustomize", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def test_the_manifests_let_it_read_our_kinds_only():
    documents = yaml.safe_load_all((ROOT / "manifests" / "dashboard" / "rbac.yaml").read_text())
    (role,) = [each for each in documents if each["kind"] == "ClusterRole"]
    assert role["rules"] == READING


@needs_helm
@pytest.mark.parametrize(
    ("options", "rules"),
    [((), READING), (("--set", "dashboard.key.existingSecret=operators-key"), [*READING, CHANGING])],
)
def test_the_chart_lets_it_change_spammodels_only_with_an_operators_key(options: tuple[str, ...], rules: list[Any]):
    documents = objects_of("", *options)
    assert documents["ClusterRole//autoretrain-dashboard-autoretrain-system"]["rules"] == rules
    (pod,) = [pod for key, pod in pods_of(documents) if key == f"Deployment/{SYSTEM}/dashboard"]
    assert ("AUTORETRAIN_DASHBOARD_KEY" in variables_of(pod)) is (len(rules) == 2)


@needs_kubectl
def test_in_some_namespaces_it_is_bound_and_told_there_only(tmp_path: Path):
    # kustomize takes no absolute paths, and none through a link.
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    overlay = {"resources": ["manifests/dashboard"], "components": ["manifests/dashboard-namespaced"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = kustomized(tmp_path)
    bindings = [each for each in documents if each["kind"].endswith("Binding")]
    assert [(each["kind"], each["metadata"]["namespace"]) for each in bindings] == [("RoleBinding", "spam")]
    (pod,) = [each["spec"]["template"] for each in documents if each["kind"] == "Deployment"]
    assert variables_of(pod)["AUTORETRAIN_DASHBOARD_NAMESPACES"] == "spam"


@needs_helm
def test_the_store_of_the_releases_own_namespace_is_given_where_its_postgresql_is_ours():
    def stores(values: str) -> list[str]:
        (pod,) = [pod for key, pod in pods_of(objects_of(values)) if key == f"Deployment/{SYSTEM}/dashboard"]
        (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "stores"]
        assert all(each["secret"]["optional"] for each in volume["projected"]["sources"])
        return [each["secret"]["name"] for each in volume["projected"]["sources"]]

    assert stores("") == ["postgres-passwords", "dashboard-stores"]
    assert stores("full") == ["our-passwords", "our-stores"]
    assert stores("outside") == ["dashboard-stores"]
