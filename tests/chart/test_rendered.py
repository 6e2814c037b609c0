"""Is what the chart renders safe, the same each time, and what the values asked for?"""

import base64
import gzip
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from autoretrain.adapters.spammodel import parse_spam_model
from controller.metrics import ControllerMetrics
from controller.settings import PREFIX, ControllerSettings
from tests.chart.rendering import (
    ALL,
    CHART,
    ROOT,
    SYSTEM,
    container_of,
    helm,
    needs_helm,
    objects_of,
    operator_of,
    pods_of,
    template,
    text_of,
    variables_of,
)

pytestmark = needs_helm

RELEASE_LIMIT_BYTES = 512 * 1024
"""Half of what a Secret may hold: Helm keeps a release, chart and manifest, in one."""
SAFE_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
NEEDS_TOKEN = {"autoretrain-controller", "autoretrain-passwords", "prometheus"}


def settings_of(values: str, *options: str) -> ControllerSettings:
    """The settings with which the operator would start."""
    variables = variables_of(operator_of(objects_of(values, *options)))
    said = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items() if name.startswith(PREFIX)}
    said.pop("registry_netrc_file", None)  # is looked for at once, and stands in the Pod only
    return ControllerSettings(own_namespace=SYSTEM, identity="x", **said)


@pytest.mark.parametrize("values", ALL)
def test_lint_finds_nothing(values: str):
    files = ["--values", f"tests/chart/values/{values}.yaml"] if values else []
    done = helm("lint", "--strict", str(CHART), *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", ALL)
def test_the_same_text_comes_out_each_time_and_the_cluster_is_not_asked(values: str):
    assert template(values).stdout == text_of(values)
    assert not [path for path in CHART.rglob("*") if path.is_file() and "lookup " in path.read_text()]


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
        owned = [each for key, each in documents.items() if key.endswith("/autoretrain-passwords")]
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


def test_a_release_leaves_room_in_its_secret():
    files = {str(path): base64.b64encode(path.read_bytes()).decode() for path in CHART.rglob("*") if path.is_file()}
    release = json.dumps({"chart": files, "manifest": text_of("full")}).encode()
    assert len(base64.b64encode(base64.b64encode(gzip.compress(release)))) < RELEASE_LIMIT_BYTES


def test_the_versions_are_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


def test_an_older_kubernetes_is_refused():
    assert "incompatible with Kubernetes v1.30" in template("", "--kube-version", "1.30.0").stderr
    assert template("", "--kube-version", "1.31.0-gke.1").returncode == 0


# Definitions.


def test_the_definitions_are_those_of_the_manifests_and_are_kept():
    documents = objects_of()
    for name in ("crd.yaml", "crd-decision.yaml"):
        wanted = yaml.safe_load((ROOT / "manifests" / name).read_text())
        shipped = documents[f"CustomResourceDefinition//{wanted['metadata']['name']}"]
        assert shipped["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert shipped == wanted


def test_a_second_release_can_go_without_them():
    documents = objects_of("operator-only")
    assert not [key for key in documents if key.startswith("CustomResourceDefinition/")]


# The operator.


def test_the_operator_starts_with_the_defaults():
    assert settings_of("") == ControllerSettings(
        own_namespace=SYSTEM,
        identity="x",
        serving_image="autoretrain/serving:0.1.0",
        training_image="autoretrain/trainer:0.1.0",
        monitor_image="autoretrain/trainer:0.1.0",
    )


def test_the_operator_gets_every_value():
    digest = "registry.example.com/mirror/ours/{}@sha256:{}"
    assert settings_of("full") == ControllerSettings(
        own_namespace=SYSTEM,
        identity="x",
        namespaces="spam,ham",
        cluster_id="east",
        serving_image=digest.format("serving", "c" * 64),
        training_image=digest.format("trainer", "b" * 64),
        monitor_image=digest.format("trainer", "b" * 64),
        registry_allowed="https://mlflow.one:5000,https://mlflow.two/path",
        registered_models_allowed="shared.*,other.model",
        prometheus_allowed="http://prometheus.one:9090",
        store_secret_name="our-store",
        store_secret_key="address",
        leader_election=True,
        workers=16,  # extraEnv has the last word
        pass_seconds=90,
        log_level="DEBUG",
    )


def test_the_operator_gets_its_logins_from_a_secret():
    pod = operator_of(objects_of("full"))
    assert {"name": "logins", "secret": {"secretName": "registry-logins"}} in pod["spec"]["volumes"]
    mount = {"name": "logins", "mountPath": "/etc/autoretrain/logins", "readOnly": True}
    assert mount in container_of(pod)["volumeMounts"]
    assert variables_of(pod)[f"{PREFIX}REGISTRY_NETRC_FILE"] == "/etc/autoretrain/logins/netrc"


def test_addresses_of_others_are_taken():
    settings = settings_of("operator-only")
    assert (settings.mlflow_tracking_uri, settings.prometheus_url) == (
        "https://mlflow.example.com",
        "http://prometheus.monitoring:9090",
    )


def test_several_operators_take_turns_and_one_stays():
    documents = objects_of("full")
    deployment = documents[f"Deployment/{SYSTEM}/autoretrain-controller"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (2, {"type": "RollingUpdate"})
    budget = documents[f"PodDisruptionBudget/{SYSTEM}/autoretrain-controller"]
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert f"PodDisruptionBudget/{SYSTEM}/autoretrain-controller" not in objects_of()


def test_in_some_namespaces_nothing_but_the_edit_and_view_roles_holds_elsewhere():
    documents = objects_of("namespaces")
    assert not [key for key in documents if key.startswith("ClusterRoleBinding/")]
    bound = {
        (each["metadata"]["namespace"], each["roleRef"]["name"])
        for each in documents.values()
        if each["kind"] == "RoleBinding" and each["roleRef"]["kind"] == "ClusterRole"
    }
    names = ("autoretrain-controller-autoretrain-system", "autoretrain-prometheus-autoretrain-system")
    assert bound == {*((space, name) for space in ("spam", "1234") for name in names), (SYSTEM, names[1])}


def test_in_some_namespaces_prometheus_looks_there_only():
    config = objects_of("namespaces")[f"ConfigMap/{SYSTEM}/prometheus-config"]["data"]["pods.yml"]
    (job,) = yaml.safe_load(config)["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["spam", "1234", SYSTEM]}}]


# What each Pod gets.


def test_every_pod_gets_what_pod_says():
    for key, pod in pods_of(objects_of("full")):
        labels, spec, variables = pod["metadata"]["labels"], pod["spec"], variables_of(pod)
        assert (labels["team"], labels["sidecar.istio.io/inject"]) == ("abuse", "false"), key
        assert "not-taken" not in labels.values(), key
        assert spec["imagePullSecrets"] == [{"name": "registry"}], key
        assert spec["nodeSelector"] == {"kubernetes.io/arch": "amd64"}, key
        assert {"affinity", "topologySpreadConstraints", "priorityClassName"} <= set(spec), key
        assert (variables["HTTPS_PROXY"], variables["HOME"]) == ("http://proxy.example.com:3128", "/elsewhere"), key
        assert {"name": "authorities", "configMap": {"name": "authorities"}} in spec["volumes"], key
        assert container_of(pod)["image"].startswith("registry.example.com/mirror/ours/"), key
        assert container_of(pod)["imagePullPolicy"] == "Always", key


def test_a_part_can_say_otherwise():
    documents = objects_of("full")
    operator = operator_of(documents)
    assert operator["spec"]["priorityClassName"] == "system-cluster-critical"
    assert "tolerations" not in operator["spec"]
    for part, key in {"operator": "autoretrain-controller", "postgresql": "postgres"}.items():
        (pod,) = [pod for name, pod in pods_of(documents) if name.endswith(f"/{key}")]
        assert pod["metadata"]["labels"]["own"] == part


def test_labels_and_annotations_are_everywhere():
    for key, document in objects_of("full").items():
        if document["kind"] != "CustomResourceDefinition":
            assert document["metadata"]["labels"]["team"] == "abuse", key
            assert document["metadata"]["annotations"]["example.com/owner"] == "abuse", key


def test_mlflow_takes_a_database_of_ours():
    (pod,) = [pod for key, pod in pods_of(objects_of("outside")) if key.endswith("/mlflow")]
    secret = {"secretKeyRef": {"name": "mlflow-database", "key": "uri"}}
    assert variables_of(pod)["MLFLOW_BACKEND_STORE_URI"] == secret
    assert "MLFLOW_PASSWORD" not in variables_of(pod)


def test_mlflow_and_postgresql_are_called_by_their_names_in_any_namespace():
    pods = dict(pods_of(objects_of(namespace="elsewhere")))
    hosts = next(each for each in container_of(pods["Deployment/elsewhere/mlflow"])["args"] if "allowed-hosts" in each)
    assert "mlflow.elsewhere.svc:*" in hosts
    assert SYSTEM not in text_of(namespace="elsewhere").split("# Source: autoretrain/templates/", 3)[-1]


def test_a_variable_comes_before_those_that_speak_of_it():
    (pod,) = [pod for key, pod in pods_of(objects_of()) if key.endswith("/mlflow")]
    names = list(variables_of(pod))
    assert names.index("MLFLOW_PASSWORD") < names.index("MLFLOW_BACKEND_STORE_URI")


def test_volumes_outlive_the_release():
    claims = [each for each in objects_of().values() if each["kind"] == "PersistentVolumeClaim"]
    assert [each["metadata"]["name"] for each in claims] == ["mlflow-artefacts", "prometheus-data"]
    assert {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in claims} == {"keep"}


# The sample, the test, the alerts.


@pytest.mark.parametrize("values", ["namespaces", "full"])
def test_the_sample_is_a_valid_spammodel_made_once_at_the_end(values: str):
    (sample,) = [each for each in objects_of(values).values() if each["kind"] == "SpamModel"]
    assert sample["metadata"]["annotations"]["helm.sh/hook"] == "post-install"
    model = parse_spam_model(sample, uid="", generation=1)
    assert model.namespace in settings_of(values).watched_namespaces


def test_the_sample_is_off_unless_asked_for():
    assert not [key for key in objects_of() if key.startswith("SpamModel/")]


def test_the_sample_finds_the_charts_own_store():
    (sample,) = [
        each for each in objects_of("", "--set", "samples.smsSpam.enabled=true").values() if each["kind"] == "SpamModel"
    ]
    assert sample["spec"]["store"] == {"secretRef": {"name": "postgres-passwords", "key": "url"}}
    assert sample["metadata"]["namespace"] == SYSTEM


def test_a_sample_that_nobody_would_look_after_is_refused():
    done = template("namespaces", "--set", "samples.smsSpam.namespace=elsewhere")
    assert "the namespace elsewhere is not among operator.namespaces" in done.stderr


def test_a_server_without_a_database_is_refused():
    done = template("", "--set", "postgresql.enabled=false")
    assert "mlflow.database.existingSecret is needed" in done.stderr


def test_kinds_of_prometheus_operator_are_there_where_they_are_installed():
    kinds = ("PodMonitor", "PrometheusRule")
    installed = [part for kind in kinds for part in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")]
    found = {each["kind"] for each in objects_of("", *installed).values()}
    assert found >= set(kinds)
    assert not {each["kind"] for each in objects_of().values()} & set(kinds)
    refused = objects_of("", *installed, "--set", "podMonitor.enabled=never").values()
    assert "PodMonitor" not in {each["kind"] for each in refused}


def test_the_alerts_ask_for_metrics_that_exist():
    rule = objects_of("outside")[f"PrometheusRule/{SYSTEM}/autoretrain-controller"]
    (group,) = rule["spec"]["groups"]
    asked = {name for each in group["rules"] for name in re.findall(r"\bautoretrain_\w+", each["expr"])}
    families = ControllerMetrics().registry.collect()
    assert asked <= {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    assert len(asked) == 4


def test_the_notes_name_what_was_installed():
    options = ("--dry-run=client", "--namespace", "mine", "--set", "operator.namespaces={mine}")
    done = helm("install", "rel", str(CHART), *options)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("NOTES:")[1]
    assert "helm test rel --namespace mine" in notes
    assert "the namespaces mine." in notes
    assert "http://mlflow.mine:5000" in notes
    assert "the Secret postgres-passwords" in notes


def test_commands_of_the_page_are_understood():
    page = (Path(ROOT) / "docs/how-to/helm.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^helm (?:install|upgrade --install) autoretrain (.*?)(?: #.*)?$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        options = [part.strip("'") for part in command.replace("--create-namespace", "").split()]
        done = helm("template", "autoretrain", *options)
        assert done.returncode == 0, done.stderr
