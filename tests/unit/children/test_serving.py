"""What serves a version is whole, holds the version fast, and loses no request when it changes."""

from dataclasses import replace

import pytest

from autoretrain.domain.status import ModelRef, Rollout, Status
from tests.children import CHAMPION, EXPERIMENT, NOW, SERVING, UID, children_of, container_of, document, variables_of

SELECTOR = {
    "app.kubernetes.io/name": "autoretrain",
    "app.kubernetes.io/instance": "sms-spam",
    "app.kubernetes.io/component": "serving",
}
LABELS = {**SELECTOR, "app.kubernetes.io/managed-by": "autoretrain", "autoretrain.dev/spammodel": "sms-spam"}
OWNER = {
    "apiVersion": "autoretrain.dev/v1alpha1",
    "kind": "SpamModel",
    "name": "sms-spam",
    "uid": UID,
    "controller": True,
    "blockOwnerDeletion": True,
}
DEPLOYMENT, SERVICE = "Deployment/sms-spam-serving", "Service/sms-spam-serving"
AUTOSCALER, BUDGET = "HorizontalPodAutoscaler/sms-spam-serving", "PodDisruptionBudget/sms-spam-serving"


HASHES = {"autoretrain.dev/spec-hash", "autoretrain.dev/asked-hash"}


def without_hash(child):
    annotations = {k: v for k, v in child["metadata"]["annotations"].items() if k not in HASHES}
    return {**child, "metadata": {**child["metadata"], "annotations": annotations}}


def metadata(name):
    return {"name": name, "namespace": "spam", "labels": LABELS, "annotations": {}, "ownerReferences": [OWNER]}


def spread(topology):
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": SELECTOR},
        "matchLabelKeys": ["pod-template-hash"],
    }


def probe(path, period, failures):
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def test_serving_measures_over_the_window_of_the_document():
    long = document(monitoring={"window": {"maxAgeSeconds": 3600}})
    assert variables_of(children_of(long)[DEPLOYMENT])["AUTORETRAIN_WINDOW_MAX_AGE_SECONDS"] == "3600"


def test_the_deployment_of_the_minimal_document():
    assert without_hash(children_of(document())[DEPLOYMENT]) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata("sms-spam-serving"),
        "spec": {
            "replicas": 2,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {
                    "labels": LABELS,
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "8000",
                        "prometheus.io/path": "/metrics",
                        "autoretrain.dev/model-version": "3",
                        "autoretrain.dev/model-digest": "sha256:aa",
                    },
                },
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "runAsGroup": 10001,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "terminationGracePeriodSeconds": 30,
                    "topologySpreadConstraints": [
                        spread("kubernetes.io/hostname"),
                        spread("topology.kubernetes.io/zone"),
                    ],
                    "containers": [
                        {
                            "name": "serving",
                            "image": "autoretrain/serving:dev",
                            "imagePullPolicy": "IfNotPresent",
                            "env": [
                                {"name": "AUTORETRAIN_MODEL", "value": "spam.sms-spam"},
                                {"name": "AUTORETRAIN_REGISTERED_MODEL_NAME", "value": "spam.sms-spam"},
                                {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.autoretrain-system:5000"},
                                {"name": "AUTORETRAIN_HOST", "value": "0.0.0.0"},
                                {"name": "AUTORETRAIN_STATE_DIR", "value": "/var/lib/autoretrain"},
                                {"name": "AUTORETRAIN_LOG_LEVEL", "value": "INFO"},
                                {"name": "OMP_NUM_THREADS", "value": "1"},
                                {"name": "HOME", "value": "/tmp"},
                                {"name": "AUTORETRAIN_SERVING_PORT", "value": "8000"},
                                {"name": "AUTORETRAIN_TERMINATION_FILE", "value": "/dev/termination-log"},
                                {"name": "AUTORETRAIN_SERVED_VERSION", "value": "3"},
                                {"name": "AUTORETRAIN_SERVED_DIGEST", "value": "sha256:aa"},
                                {"name": "AUTORETRAIN_AUDIT_RATE", "value": "0.01"},
                                {"name": "AUTORETRAIN_DRIFT_THRESHOLD", "value": "0.15"},
                                {"name": "AUTORETRAIN_DRIFT_MIN_SAMPLES", "value": "200"},
                                {"name": "AUTORETRAIN_WINDOW_MAX_AGE_SECONDS", "value": "86400"},
                                {
                                    "name": "AUTORETRAIN_STORE_URL",
                                    "valueFrom": {
                                        "secretKeyRef": {"name": "autoretrain-store", "key": "url", "optional": True}
                                    },
                                },
                            ],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "128Mi"},
                                "limits": {"cpu": "1", "memory": "512Mi"},
                            },
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": True,
                            },
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": [
                                {"name": "autoretrain-tmp", "mountPath": "/tmp"},
                                {"name": "autoretrain-state", "mountPath": "/var/lib/autoretrain"},
                            ],
                            "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
                            "startupProbe": probe("/readyz", 1, 30),
                            "readinessProbe": probe("/readyz", 5, 2),
                            "livenessProbe": probe("/livez", 10, 6),
                            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
                        }
                    ],
                    "volumes": [
                        {"name": "autoretrain-tmp", "emptyDir": {}},
                        {"name": "autoretrain-state", "emptyDir": {}},
                    ],
                },
            },
        },
    }


def test_the_service_of_the_minimal_document():
    assert without_hash(children_of(document())[SERVICE]) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata("sms-spam-serving"),
        "spec": {
            "selector": SELECTOR,
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


@pytest.mark.parametrize(
    ("scaling", "replicas", "kinds"),
    [
        ({"mode": "Fixed", "replicas": 1}, 1, set()),
        ({"mode": "Fixed", "replicas": 3}, 3, {BUDGET}),
        ({"mode": "Autoscaling"}, None, {BUDGET, AUTOSCALER}),
        ({"mode": "External"}, None, {BUDGET}),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
def test_replicas_are_set_only_where_nothing_else_sets_them(scaling, replicas, kinds):
    children = children_of(document(serving={"scaling": scaling}))
    assert children[DEPLOYMENT]["spec"].get("replicas") == replicas
    assert {name for name in children if name in {BUDGET, AUTOSCALER}} == kinds


def test_the_autoscaler_aims_at_the_documents_cpu():
    scaling = {"mode": "Autoscaling", "minReplicas": 3, "maxReplicas": 9, "targetCPUUtilizationPercentage": 55}
    target = {"type": "Utilization", "averageUtilization": 55}
    assert without_hash(children_of(document(serving={"scaling": scaling}))[AUTOSCALER]) == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata("sms-spam-serving"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sms-spam-serving"},
            "minReplicas": 3,
            "maxReplicas": 9,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def test_a_drain_takes_one_pod_at_a_time_and_is_not_blocked_by_one_that_is_broken():
    assert without_hash(children_of(document())[BUDGET]) == {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata("sms-spam-serving"),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": SELECTOR},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def test_the_version_that_is_rolled_out_is_what_is_served():
    rollout = Rollout(
        from_version="3",
        to=ModelRef(version="4", digest="sha256:cc"),
        started_at=NOW,
        rollback=False,
        reason="Promoted",
    )
    variables = variables_of(children_of(document(), replace(SERVING, rollout=rollout))[DEPLOYMENT])
    assert (variables["AUTORETRAIN_SERVED_VERSION"], variables["AUTORETRAIN_SERVED_DIGEST"]) == ("4", "sha256:cc")


def test_only_the_version_changes_between_two_deployments():
    after = replace(SERVING, champion=replace(CHAMPION, version="4"))
    old, new = (without_hash(children_of(document(), status)[DEPLOYMENT]) for status in (SERVING, after))
    for deployment in (old, new):
        template = deployment["spec"]["template"]
        template["metadata"]["annotations"].pop("autoretrain.dev/model-version")
        env = container_of(deployment)["env"]
        env.remove(next(each for each in env if each["name"] == "AUTORETRAIN_SERVED_VERSION"))
    assert old == new


def test_an_experiment_is_told_as_json():
    variables = variables_of(children_of(document(), experiment=EXPERIMENT)[DEPLOYMENT])
    assert variables["AUTORETRAIN_SERVED_EXPERIMENT"] == (
        '{"mode":"AB","version":"7","digest":"sha256:bb","percent":10}'
    )


def test_before_the_first_version_there_is_nothing_to_serve_or_to_measure():
    assert [name.split("/")[0] for name in children_of(document(), Status())] == ["ConfigMap"]


def test_keys_are_mounted_and_never_read_here():
    deployment = children_of(document(serving={"apiKeysSecretRef": {"name": "sources"}}))[DEPLOYMENT]
    assert variables_of(deployment)["AUTORETRAIN_API_KEYS_FILE"] == "/etc/autoretrain/keys"
    assert deployment["spec"]["template"]["spec"]["volumes"][-1] == {
        "name": "autoretrain-keys",
        "secret": {"secretName": "sources"},
    }
    mount = {"name": "autoretrain-keys", "mountPath": "/etc/autoretrain/keys", "readOnly": True}
    assert container_of(deployment)["volumeMounts"][-1] == mount


def test_serving_is_told_what_needs_a_key_and_how_often_it_may_be_asked():
    serving = {"apiKeysSecretRef": {"name": "sources"}, "apiKeysFor": "Everything", "requestsPerSecond": 50}
    variables = variables_of(children_of(document(serving=serving))[DEPLOYMENT])
    assert variables["AUTORETRAIN_API_KEYS_FOR"] == "Everything"
    assert variables["AUTORETRAIN_REQUESTS_PER_SECOND"] == "50"
    unasked = variables_of(children_of(document())[DEPLOYMENT])
    assert not {"AUTORETRAIN_API_KEYS_FOR", "AUTORETRAIN_REQUESTS_PER_SECOND"} & unasked.keys()


def test_a_document_that_an_older_definition_filled_in_is_served_as_before():
    older = document()
    for name in ("apiKeysFor", "requestsPerSecond"):
        del older["spec"]["serving"][name]
    assert variables_of(children_of(older)[DEPLOYMENT]) == variables_of(children_of(document())[DEPLOYMENT])


def test_a_change_that_asks_nothing_of_serving_leaves_its_deployment_as_it_is():
    # Not even an annotation may differ: the API server would count another generation.
    before, after = document(), document(training={"profile": "Word"}, guard={"durationSeconds": 99})
    after["metadata"]["generation"] = 2
    assert children_of(after)[DEPLOYMENT] == children_of(before)[DEPLOYMENT]


def test_the_hash_tells_any_change():
    def hashes(resource, status=SERVING):
        annotations = {name: c["metadata"]["annotations"] for name, c in children_of(resource, status).items()}
        return {name: each["autoretrain.dev/spec-hash"] for name, each in annotations.items()}

    first, scaled = hashes(document()), hashes(document(serving={"scaling": {"mode": "Fixed", "replicas": 5}}))
    assert hashes(document()) == first
    assert first[SERVICE] == scaled[SERVICE]
    assert first[DEPLOYMENT] != scaled[DEPLOYMENT]
