"""One monitor measures a champion, begins anew when what it measures against changes, and is found by Prometheus."""

import json
from dataclasses import replace
from datetime import timedelta

import yaml

from autoretrain.adapters.resource_status import parse_status
from autoretrain.domain.status import CandidateState, DriftStatus, GuardState, Status
from controller.children.builder import Children
from tests.children import CHAMPION, DEFAULTS, NOW, SERVING, children_of, container_of, document, job_of, variables_of
from tests.unit.decide.builders import summary

MONITOR = "Deployment/sms-spam-monitor"


def settings_of(workload):
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    return next(each["configMap"]["name"] for each in volumes if each["name"] == "autoretrain-settings")


def test_two_monitors_never_run_at_once():
    spec = children_of(document())[MONITOR]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_monitor_takes_its_own_template_without_which_a_private_registry_or_a_taint_would_keep_it_away():
    template = {
        "imagePullSecrets": [{"name": "registry"}],
        "tolerations": [{"key": "ml", "operator": "Exists"}],
        "resources": {"limits": {"memory": "2Gi"}},
    }
    monitor = children_of(document(monitoring={"podTemplate": template}))[MONITOR]
    pod = monitor["spec"]["template"]["spec"]
    assert (pod["imagePullSecrets"], pod["tolerations"]) == (template["imagePullSecrets"], template["tolerations"])
    assert container_of(monitor)["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}


def test_the_monitor_is_told_where_everything_is():
    monitor = children_of(document())[MONITOR]
    assert container_of(monitor)["args"] == ["monitor", "--publish"]
    assert container_of(monitor)["ports"] == [{"name": "metrics", "containerPort": 8002, "protocol": "TCP"}]
    variables = variables_of(monitor)
    names = ("AUTORETRAIN_SPEC", "AUTORETRAIN_STATUS_FILE", "AUTORETRAIN_SERVING_URL", "AUTORETRAIN_MONITOR_PORT")
    assert [variables[name] for name in names] == [
        "/etc/autoretrain/spammodel.yaml",
        "/etc/autoretrain/status.json",
        "http://sms-spam-serving.spam:80",
        "8002",
    ]
    assert "AUTORETRAIN_ALERT_URLS_FILE" not in variables


def test_alert_addresses_are_mounted_beside_the_settings():
    monitor = children_of(document(alerts={"secretRef": {"name": "people"}}))[MONITOR]
    assert variables_of(monitor)["AUTORETRAIN_ALERT_URLS_FILE"] == "/etc/autoretrain-alerts/urls"
    assert monitor["spec"]["template"]["spec"]["volumes"][-1] == {
        "name": "autoretrain-alerts",
        "secret": {"secretName": "people", "optional": True},
    }


def test_the_monitor_has_the_keys_where_serving_answers_nobody_without_one():
    keys = {"apiKeysSecretRef": {"name": "sources"}}
    monitor = children_of(document(serving=keys | {"apiKeysFor": "Everything"}))[MONITOR]
    assert variables_of(monitor)["AUTORETRAIN_API_KEYS_FILE"] == "/etc/autoretrain-keys"
    mount = {"name": "autoretrain-keys", "mountPath": "/etc/autoretrain-keys", "readOnly": True}
    assert container_of(monitor)["volumeMounts"][-1] == mount
    volumes = children_of(document(serving=keys))[MONITOR]["spec"]["template"]["spec"]["volumes"]
    assert "autoretrain-keys" not in {volume["name"] for volume in volumes}


def test_its_settings_hold_the_document_and_what_evidence_is_measured_against():
    status = replace(SERVING, guard=GuardState(version="3", started_at=NOW, expected=None), failures=2)
    children = children_of(document(), status)
    settings = children[f"ConfigMap/{settings_of(children[MONITOR])}"]
    assert settings["immutable"] is True
    assert yaml.safe_load(settings["data"]["spammodel.yaml"]) == document()
    assert parse_status(json.loads(settings["data"]["status.json"])) == Status(
        champion=CHAMPION, guard=status.guard, trained_cutoff=41
    )


def test_every_character_of_a_document_reaches_the_monitor():
    words = 'tab\t quote" back\\slash caf\u00e9 \U0001f600 \x7f \x85 \u2028 \ufeff \uffff'
    odd = document(registry={"trackingURI": words})
    settings = children_of(odd)[f"ConfigMap/{settings_of(children_of(odd)[MONITOR])}"]
    assert yaml.safe_load(settings["data"]["spammodel.yaml"])["spec"]["registry"]["trackingURI"] == words


def test_a_pass_that_changes_only_figures_leaves_the_monitor_alone():
    drift = DriftStatus(
        score=0.1, threshold=0.15, window_id="w", window_size=500, breaches=0, per_metric=(), checked_at=NOW
    )
    assert children_of(document(), replace(SERVING, drift=drift)) == children_of(document())


def test_a_candidate_and_the_end_of_a_guard_that_is_over_are_not_its_business():
    over = GuardState(version="3", started_at=NOW, expected=None, ended="Passed", reason="GuardPassed", message="good")
    waiting = CandidateState(summary=summary(), decision="HOLD", reason="AwaitingApproval", message="", decided_at=NOW)
    assert children_of(document(), replace(SERVING, guard=over, candidate=waiting)) == children_of(document())


def test_another_champion_or_document_makes_other_settings_and_so_another_pod():
    promoted = replace(SERVING, champion=replace(CHAMPION, promoted_at=NOW + timedelta(hours=1)))
    known = {
        settings_of(children_of(resource, status)[MONITOR])
        for resource, status in ((document(), SERVING), (document(), promoted), (document(suspend=True), SERVING))
    }
    assert len(known) == 3


def test_a_promotion_takes_no_settings_from_a_running_job():
    promoted = replace(SERVING, champion=replace(CHAMPION, version="4"))
    before, after = settings_of(job_of(document(), SERVING)), children_of(document(), promoted)
    assert f"ConfigMap/{before}" in after
    assert set(after[f"ConfigMap/{before}"]["data"]) == {"spammodel.yaml"}


def test_settings_say_nothing_of_annotations_that_change_by_themselves():
    noisy = document()
    noisy["metadata"] |= {"resourceVersion": "77", "annotations": {"autoretrain.dev/retrain-requested": "1"}}
    assert children_of(noisy) == children_of(document())


def test_a_pod_monitor_is_made_only_where_its_kind_is_installed():
    assert "PodMonitor/sms-spam" not in children_of(document())
    found = children_of(document(), builder=Children(defaults=DEFAULTS, pod_monitors=True))["PodMonitor/sms-spam"]
    endpoint = {"path": "/metrics", "interval": "15s", "honorLabels": False}
    assert found["spec"] == {
        "selector": {
            "matchLabels": {"autoretrain.dev/spammodel": "sms-spam"},
            "matchExpressions": [
                {"key": "app.kubernetes.io/component", "operator": "In", "values": ["serving", "monitor", "agent"]}
            ],
        },
        "podMetricsEndpoints": [{"port": "http", **endpoint}, {"port": "metrics", **endpoint}],
    }


def test_a_model_that_is_looked_at_often_is_scraped_as_often():
    children = children_of(
        document(monitoring={"intervalSeconds": 5}), builder=Children(defaults=DEFAULTS, pod_monitors=True)
    )
    endpoints = children["PodMonitor/sms-spam"]["spec"]["podMetricsEndpoints"]
    assert [each["interval"] for each in endpoints] == ["5s", "5s"]
