"""Is what the chart renders the same each time, and what the values asked for?"""

import base64
import gzip
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

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
    settings_of,
    template,
    text_of,
    variables_of,
)

pytestmark = needs_helm

RELEASE_LIMIT_BYTES = 512 * 1024
"""Half of what a Secret may hold: Helm keeps a release, chart and manifest, in one."""


@pytest.mark.parametrize("values", ALL)
def test_lint_finds_nothing(values: str):
    files = ["--values", f"tests/chart/values/{values}.yaml"] if values else []
    done = helm("lint", "--strict", str(CHART), *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", ALL)
def test_the_same_text_comes_out_each_time_and_the_cluster_is_not_asked(values: str):
    assert template(values).stdout == text_of(values)
    assert not [path for path in CHART.rglob("*") if path.is_file() and "lookup " in path.read_text()]


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
        assert shipped["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
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
        agent_image="autoretrain/agent:0.1.0",
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
        agent_image=digest.format("agent", "d" * 64),
        registry_allowed="https://mlflow.one:5000,https://mlflow.two/path",
        registered_models_allowed="shared.*,other.model",
        prometheus_allowed="http://prometheus.one:9090",
        dashboard_url="https://watch.example.com/spam",
        store_secret_name="our-store",
        store_secret_key="address",
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


def test_of_several_operators_one_stays():
    documents = objects_of("full")
    deployment = documents[f"Deployment/{SYSTEM}/autoretrain-controller"]
    assert deployment["spec"]["replicas"] == 2
    budget = documents[f"PodDisruptionBudget/{SYSTEM}/autoretrain-controller"]
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert f"PodDisruptionBudget/{SYSTEM}/autoretrain-controller" not in objects_of()


@pytest.mark.parametrize("values", ["full", ""])
def test_an_operator_of_before_that_holds_no_lease_has_ended_when_the_next_begins(values):
    deployment = objects_of(values)[f"Deployment/{SYSTEM}/autoretrain-controller"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_one_operator_more_changes_nothing_of_those_that_are_there():
    """Another template would begin every Pod anew: the way from one to two and back is a number."""
    one, two = (operator_of(objects_of("", f"--set=operator.replicas={number}")) for number in (1, 2))
    assert one == two


def test_in_some_namespaces_nothing_but_the_edit_and_view_roles_holds_elsewhere():
    documents = objects_of("namespaces")
    assert not [key for key in documents if key.startswith("ClusterRoleBinding/")]
    bound = {
        (each["metadata"]["namespace"], each["roleRef"]["name"])
        for each in documents.values()
        if each["kind"] == "RoleBinding" and each["roleRef"]["kind"] == "ClusterRole"
    }
    names = [f"autoretrain-{part}-autoretrain-system" for part in ("controller", "dashboard", "prometheus")]
    assert bound == {*((space, name) for space in ("spam", "1234") for name in names), (SYSTEM, names[2])}


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
        assert pod["metadata"]["annotations"]["example.com/note"] == "yes", key
        assert {"affinity", "topologySpreadConstraints", "priorityClassName"} <= set(spec), key
        assert ("tolerations" in spec) is not key.endswith("/autoretrain-controller"), key  # has none of its own
        assert {mount["name"] for mount in container_of(pod)["volumeMounts"]} >= {"authorities"}, key
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


# What is refused, and what a user reads.


def test_a_server_without_a_database_is_refused():
    done = template("", "--set", "postgresql.enabled=false")
    assert "mlflow.database.existingSecret is needed" in done.stderr


def test_the_operator_goes_by_the_account_that_is_said():
    documents = objects_of("full")
    account = documents[f"ServiceAccount/{SYSTEM}/ours"]
    assert account["metadata"]["annotations"]["example.com/role"] == "operator"
    foreign = objects_of("full", "--set", "operator.serviceAccount.create=false")
    assert f"ServiceAccount/{SYSTEM}/ours" not in foreign
    for made in (documents, foreign):
        assert operator_of(made)["spec"]["serviceAccountName"] == "ours"
        bindings = [each for key, each in made.items() if "RoleBinding/" in key and "/autoretrain-controller" in key]
        assert {each["subjects"][0]["name"] for each in bindings} == {"ours"}
        assert len(bindings) == 3  # in spam and ham, and for the Lease


def test_an_ingress_leads_to_mlflow_with_tls_and_mlflow_knows_its_name():
    documents = objects_of("full")
    ingress = documents[f"Ingress/{SYSTEM}/mlflow"]
    assert ingress["metadata"]["annotations"]["example.com/login"] == "yes"
    assert ingress["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["runs.example.com"], "secretName": "runs-tls"}],
        "rules": [
            {
                "host": "runs.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "mlflow", "port": {"name": "http"}}},
                        }
                    ]
                },
            }
        ],
    }
    pods = dict(pods_of(documents))
    hosts = next(each for each in container_of(pods[f"Deployment/{SYSTEM}/mlflow"])["args"] if "allowed-hosts" in each)
    assert {"runs.example.com", "mlflow.example.com"} <= set(hosts.partition("=")[2].split(","))
    assert not [key for key in objects_of() if key.startswith("Ingress/")]
    plain = objects_of("", "--set", "mlflow.ingress.host=a.example.com")[f"Ingress/{SYSTEM}/mlflow"]["spec"]
    assert set(plain) == {"rules"}


def notes_of(tmp_path: Path, *options: str, namespace: str) -> str:
    """What a user would read. Helm 3 shows notes only where it reaches a cluster, so they come as text of an object."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    text = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "shown.yaml").write_text(
        f'{{{{- define "shown" }}}}{text}{{{{ end }}}}\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shown}}\n'
        'data: {notes: {{ include "shown" . | toJson }}}\n'
    )
    notes: str = objects_of("", *options, namespace=namespace, chart=chart)["ConfigMap//shown"]["data"]["notes"]
    return notes


def test_the_notes_name_what_was_installed(tmp_path: Path):
    notes = notes_of(tmp_path, "--set", "operator.namespaces={mine}", namespace="mine")
    assert "helm test rel --namespace mine" in notes
    assert "the namespaces mine." in notes
    assert "http://mlflow.mine:5000" in notes
    assert "the Secret postgres-passwords" in notes


def test_commands_of_the_page_are_understood():
    page = (Path(ROOT) / "docs/how-to/helm.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^helm (?:install|upgrade --install) autoretrain (.*?)(?: #.*)?$", page, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        options = [part.strip("'") for part in command.replace("--create-namespace", "").split()]
        done = helm("template", "autoretrain", *options)
        assert done.returncode == 0, done.stderr


def test_alerts_lead_to_the_dashboard_where_people_open_it():
    def link(*options: str) -> str:
        return settings_of("", *options).dashboard_url

    assert link() == ""
    assert link("--set", "dashboard.ingress.host=watch.example.com") == "http://watch.example.com"
    host = "dashboard.ingress.host=watch.example.com,dashboard.ingress.tlsSecretName=tls"
    assert link("--set", host) == "https://watch.example.com"
    assert link("--set", f"{host},dashboard.url=https://other.example.com/x") == "https://other.example.com/x"
    assert link("--set", f"{host},dashboard.enabled=false") == ""
