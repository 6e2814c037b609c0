"""Is what the chart renders safe: restricted Pods, no rights and no tokens that are not needed, no password?"""

import pytest

from tests.chart.rendering import ALL, container_of, needs_helm, objects_of, pods_of, variables_of, without_policies

pytestmark = needs_helm

SAFE_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
NEEDS_TOKEN = {"autoretrain-controller", "autoretrain-passwords", "autoretrain-sample", "dashboard", "prometheus"}


@pytest.mark.parametrize("values", ALL)
def test_every_pod_is_restricted(values: str):
    for key, pod in pods_of(objects_of(values)):
        spec, container = pod["spec"], container_of(pod)
        assert spec["securityContext"]["runAsNonRoot"] is True, key
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, key
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, key
        assert {part for volume in spec.get("volumes", []) for part in volume if part != "name"} <= SAFE_VOLUMES, key
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec), key


@pytest.mark.parametrize("values", ALL)
def test_only_who_speaks_to_the_api_server_has_a_token(values: str):
    specs = {key.split("/")[-1]: pod["spec"] for key, pod in pods_of(objects_of(values))}
    assert {name for name, spec in specs.items() if spec.get("automountServiceAccountToken", True)} <= NEEDS_TOKEN
    assert {name for name, spec in specs.items() if "serviceAccountName" in spec} <= NEEDS_TOKEN


@pytest.mark.parametrize("values", ALL)
def test_every_container_asks_for_memory_and_has_a_limit(values: str):
    for key, pod in pods_of(objects_of(values)):
        resources = container_of(pod)["resources"]
        assert resources["requests"], key
        assert "memory" in resources["limits"], key


@pytest.mark.parametrize("values", ALL)
def test_there_is_no_secret_and_no_password(values: str):
    documents = objects_of(values)
    assert not [key for key in documents if key.startswith("Secret/")]
    for key, pod in pods_of(documents):
        for name, value in variables_of(pod).items():
            assert "PASSWORD" not in name or "secretKeyRef" in value, (key, name)


@pytest.mark.parametrize("values", ALL)
def test_who_has_the_right_to_make_secrets_has_no_other_and_loses_it(values: str):
    documents = objects_of(values)
    touching = {"secrets", "*"}
    able = [
        each for each in documents.values() if any(touching & set(rule["resources"]) for rule in each.get("rules", []))
    ]
    if values in {"", "namespaces"}:
        (role,) = able
        assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
        owned = [each for key, each in without_policies(documents) if key.endswith("/autoretrain-passwords")]
        policies = {each["metadata"]["annotations"]["helm.sh/hook-delete-policy"] for each in owned}
        assert (len(owned), policies) == (4, {"before-hook-creation,hook-succeeded"})
    else:
        assert able == []


@pytest.mark.parametrize("values", ALL)
def test_a_pod_is_found_by_the_labels_that_select_it(values: str):
    for key, document in objects_of(values).items():
        if "template" in document.get("spec", {}) and "selector" in document["spec"]:
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert document["spec"]["selector"]["matchLabels"].items() <= labels.items(), key


@pytest.mark.parametrize("values", ALL)
def test_every_object_says_its_namespace_or_is_the_clusters(values: str):
    of_the_cluster = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for each in objects_of(values, namespace="elsewhere").values():
        assert ("namespace" in each["metadata"]) is (each["kind"] not in of_the_cluster)
