"""Every Pod is restricted and has no API token, whatever a template adds; what a template adds is all there."""

import pytest

from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.errors import InvalidSpec
from controller.children.pods import build_resources
from tests.children import children_of, container_of, document, job_of
from tests.unit.children.test_serving import DEPLOYMENT, LABELS

TEMPLATE = document("full")["spec"]["training"]["podTemplate"]


def workloads(sample):
    resource = document(sample)
    deployments = [child for child in children_of(resource).values() if child["kind"] == "Deployment"]
    assert len(deployments) == {"minimal": 2, "full": 3}[sample]
    return [*deployments, job_of(resource)]


@pytest.mark.parametrize("sample", ["minimal", "full"])
def test_every_pod_is_restricted_and_has_no_token(sample):
    for workload in workloads(sample):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container_of(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


@pytest.mark.parametrize("sample", ["minimal", "full"])
def test_no_name_stands_twice_in_a_list_that_an_api_server_merges_by_it(sample):
    for workload in workloads(sample):
        pod, container = workload["spec"]["template"]["spec"], container_of(workload)
        for entries, key in (
            (pod["volumes"], "name"),
            (container["env"], "name"),
            (container["volumeMounts"], "mountPath"),
        ):
            names = [entry[key] for entry in entries]
            assert len(names) == len(set(names))


def test_what_a_template_adds_is_all_there():
    job = job_of(document("full"))
    pod, container = job["spec"]["template"], container_of(job)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "training"
    training = {**LABELS, "app.kubernetes.io/component": "training"}
    assert pod["metadata"] == {"labels": {**TEMPLATE["labels"], **training}, "annotations": TEMPLATE["annotations"]}
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName", "serviceAccountName"):
        assert pod["spec"][name] == TEMPLATE[name]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": 2, "memory": "1Gi"},
    }
    assert container["env"][-1] == {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
    assert pod["spec"]["volumes"][-4:] == TEMPLATE["volumes"]
    assert container["volumeMounts"][-2:] == TEMPLATE["volumeMounts"]


def test_a_variable_that_is_not_the_operators_own_may_be_set_anew():
    serving = {"podTemplate": {"env": [{"name": "OMP_NUM_THREADS", "value": "2"}]}}
    deployment = children_of(document(serving=serving))[DEPLOYMENT]
    named = [each for each in container_of(deployment)["env"] if each["name"] == "OMP_NUM_THREADS"]
    assert named == [{"name": "OMP_NUM_THREADS", "value": "2"}]


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        ({}, {"requests": {"cpu": "1", "memory": "1Mi"}, "limits": {"cpu": "2", "memory": "2Mi"}}),
        (
            {"requests": {"memory": "9Mi"}},
            {"requests": {"cpu": "1", "memory": "9Mi"}, "limits": {"cpu": "2"}},
        ),
        (
            {"limits": {"memory": "512Ki", "nvidia.com/gpu": 1}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "512Ki", "nvidia.com/gpu": 1}},
        ),
    ],
    ids=["nothing asked", "a request above our limit", "a limit below our request"],
)
def test_a_default_never_contradicts_what_was_asked(asked, built):
    ours = {"requests": {"cpu": "1", "memory": "1Mi"}, "limits": {"cpu": "2", "memory": "2Mi"}}
    assert build_resources(asked, **ours) == built


@pytest.mark.parametrize("part", ["training", "serving"])
def test_a_path_of_the_node_is_refused_with_its_place_before_anything_is_built(part):
    volumes = [{"name": "node", "hostPath": {"path": "/var/run"}}]
    with pytest.raises(InvalidSpec, match=rf"^spec\.{part}\.podTemplate\.volumes\[0\]\.hostPath: is never allowed"):
        parse_spam_model(document(**{part: {"podTemplate": {"volumes": volumes}}}), uid="u", generation=1)


def test_every_pod_that_uses_the_registry_has_the_login_as_mlflow_reads_it():
    """Training writes there; serving and the monitor fetch what the store lacks. The agent has no use for it."""
    have = {
        workload["metadata"]["labels"]["app.kubernetes.io/component"]: container_of(workload)["envFrom"]
        for workload in workloads("full")
    }
    login = {"secretRef": {"name": "mlflow-access"}}
    assert {component for component, given in have.items() if login in given} == {"serving", "monitor", "training"}
    assert have["agent"] == [{"secretRef": {"name": "chat-model"}}]
    for workload in workloads("minimal"):
        assert "envFrom" not in container_of(workload)
