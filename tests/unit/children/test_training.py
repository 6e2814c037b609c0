"""A run is one Job, tried again only where that may end better, and each attempt trains on the same rows."""

from dataclasses import replace

import pytest

from autoretrain.domain.status import Status
from tests.children import RUN, container_of, document, job_of, variables_of
from tests.unit.children.test_monitor import settings_of
from tests.unit.children.test_serving import LABELS, OWNER, without_hash


def test_the_job_of_the_minimal_document():
    job = without_hash(job_of(document()))
    pod = job["spec"].pop("template")
    assert job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "sms-spam-train-0123456789",
            "namespace": "spam",
            "labels": {**LABELS, "app.kubernetes.io/component": "training"},
            "annotations": {
                "autoretrain.dev/trigger": "Drift",
                "autoretrain.dev/run-ordinal": "4",
                "autoretrain.dev/label-cutoff": "57",
                "autoretrain.dev/training-hash": "cafe",
            },
            "ownerReferences": [OWNER],
        },
        "spec": {
            "activeDeadlineSeconds": 960,
            "backoffLimit": 1,
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "training", "operator": "In", "values": [64]},
                    },
                ]
            },
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": 86400,
        },
    }
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_what_a_run_may_see_is_frozen_in_its_arguments():
    assert container_of(job_of(document()))["args"] == [
        "train",
        *("--file", "/etc/autoretrain/spammodel.yaml"),
        *("--uid", "6f6a1c0e-0d3c-4d2b-9a53-0f1f3a5d7c11"),
        *("--run-name", "sms-spam-train-0123456789"),
        *("--trigger", "Drift"),
        *("--label-cutoff", "57"),
        *("--changed-at", "2026-11-23T20:00:00+00:00"),
        *("--champion-version", "3"),
        *("--champion-digest", "sha256:aa"),
        *("--summary-file", "/dev/termination-log"),
        "--quiet",
    ]


def test_a_first_run_names_no_champion_and_no_change():
    arguments = container_of(job_of(document(), Status(), run=replace(RUN, changed_at=None)))["args"]
    assert not {"--champion-version", "--champion-digest", "--changed-at"} & set(arguments)


def test_an_attempt_later_is_the_same_job():
    assert job_of(document(), run=replace(RUN, attempt=2)) == job_of(document())


@pytest.mark.parametrize(
    ("volume", "source"),
    [
        ({"configMap": {"name": "sms"}, "path": "a.tsv"}, {"configMap": {"name": "sms"}}),
        (
            {"persistentVolumeClaim": {"claimName": "sms"}, "path": "a.tsv"},
            {"persistentVolumeClaim": {"claimName": "sms", "readOnly": True}},
        ),
    ],
    ids=["ConfigMap", "claim"],
)
def test_a_volume_of_data_is_mounted_read_only(volume, source):
    job = job_of(document(data={"volume": volume}))
    assert job["spec"]["template"]["spec"]["volumes"][-1] == {"name": "autoretrain-data", **source}
    mount = {"name": "autoretrain-data", "mountPath": "/data", "readOnly": True}
    assert container_of(job)["volumeMounts"][-1] == mount


def test_secrets_reach_the_pod_by_reference_only():
    job = job_of(document("full"))
    variables = variables_of(job)
    access = {"secretKeyRef": {"name": "data-access", "key": "authorization"}}
    assert variables["AUTORETRAIN_DATA_AUTHORIZATION"] == access
    assert variables["AUTORETRAIN_STORE_URL"] == {"secretKeyRef": {"name": "database", "key": "url"}}
    assert container_of(job)["envFrom"] == [{"secretRef": {"name": "mlflow-access"}}]


def test_a_buckets_access_is_the_runs_environment():
    data = {"s3": {"bucket": "messages", "key": "a.tsv", "secretRef": {"name": "bucket"}}}
    assert container_of(job_of(document(data=data)))["envFrom"] == [{"secretRef": {"name": "bucket"}}]


def test_a_job_reads_settings_of_its_own():
    assert settings_of(job_of(document())).startswith("sms-spam-settings-")
