"""Is the operator found by a Prometheus of somebody else's, and are the alerts of a release about that release?"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.asked import GROUPS, needs_promtool
from tests.chart.rendering import SYSTEM, container_of, needs_helm, objects_of, operator_of

pytestmark = needs_helm

EVERYWHERE = 'namespace=~".*"'


def test_kinds_of_prometheus_operator_are_there_where_they_are_installed():
    kinds = ("PodMonitor", "PrometheusRule", "ServiceMonitor")

    def found(*options: str, there: bool = True) -> set[str]:
        installed = [part for kind in kinds for part in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")]
        return {each["kind"] for each in objects_of("", *(installed if there else ()), *options).values()} & set(kinds)

    assert found() == {"PodMonitor", "PrometheusRule"}
    assert found(there=False) == set()
    assert found("--set", "podMonitor.enabled=never") == {"PrometheusRule"}
    by_service = ("--set", "serviceMonitor.enabled=auto")
    assert found(*by_service) == {"ServiceMonitor", "PrometheusRule"}
    assert found(*by_service, there=False) == set()


def test_a_service_monitor_finds_the_operators_port_by_a_service():
    documents = objects_of("full")
    service = documents[f"Service/{SYSTEM}/autoretrain-controller"]
    monitor = documents[f"ServiceMonitor/{SYSTEM}/autoretrain-controller"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["metadata"]["labels"]["release"] == "monitoring"
    (endpoint,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    (named,) = container_of(operator_of(documents))["ports"]
    assert (port["targetPort"], port["port"]) == (named["name"], named["containerPort"])


def rendered_groups(values: str = "outside", *options: str) -> dict[str, list[dict[str, Any]]]:
    rule = objects_of(values, *options)[f"PrometheusRule/{SYSTEM}/autoretrain-controller"]
    return {group["name"]: group["rules"] for group in rule["spec"]["groups"]}


def test_the_rules_are_those_of_the_file_in_the_operators_own_namespace():
    """So that one release is not blamed for, or hidden by, what another does."""
    rendered = rendered_groups()
    assert list(rendered) == [group["name"] for group in GROUPS]
    for group in GROUPS:
        scope = f'namespace="{SYSTEM}"' if group["name"] == "autoretrain-operator" else EVERYWHERE
        wanted = [rule | {"expr": of_a_release(rule).replace(EVERYWHERE, scope)} for rule in group["rules"]]
        assert rendered[group["name"]] == wanted


def of_a_release(rule: dict[str, Any]) -> str:
    """The expression where an operator is sure to be there, and is missed though it was never seen."""
    lines = rule["expr"].splitlines()
    return lines[0] if rule.get("alert") == "AutoRetrainNobodyLeads" else rule["expr"]


def test_an_operator_that_was_never_seen_is_missed_by_its_release():
    (rule,) = [each for each in rendered_groups()["autoretrain-operator"] if each["alert"] == "AutoRetrainNobodyLeads"]
    assert rule["expr"] == f'absent(autoretrain_controller_leader{{namespace="{SYSTEM}"}} == 1)'


def own_config(values: str = "", *options: str) -> dict[str, str]:
    """The files of the chart's own Prometheus, by name."""
    data: dict[str, str] = objects_of(values, *options)[f"ConfigMap/{SYSTEM}/prometheus-config"]["data"]
    return data


@pytest.mark.parametrize("options", [(), ("--set", "operator.namespaces={spam}")], ids=["everywhere", "one namespace"])
def test_the_own_prometheus_evaluates_the_rules_of_the_file(options: tuple[str, ...]):
    config = own_config("", *options)
    (loaded,) = yaml.safe_load(config["prometheus.yml"])["rule_files"]
    pod = objects_of("", *options)[f"Deployment/{SYSTEM}/prometheus"]["spec"]["template"]
    (mount,) = [each for each in container_of(pod)["volumeMounts"] if each["name"] == "config"]
    assert loaded == f"{mount['mountPath']}/rules.yml"
    assert yaml.safe_load(config["rules.yml"])["groups"] == GROUPS


def test_alerts_of_the_own_prometheus_lead_to_where_the_runbooks_are():
    text = own_config("", "--set", "runbooksUrl=https://docs.example.com/books/")["rules.yml"]
    found = {
        rule["annotations"]["runbook_url"]
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert all(each.startswith("https://docs.example.com/books/#autoretrain") for each in found)


def test_other_rules_are_another_pod():
    """A ConfigMap that changes does not reach a Prometheus that runs; its checksum begins it anew."""
    deployment = f"Deployment/{SYSTEM}/prometheus"
    sums = {
        objects_of("", *options)[deployment]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for options in ((), ("--set", "runbooksUrl=https://docs.example.com/"))
    }
    assert len(sums) == 2


@needs_promtool
def test_prometheus_understands_the_rules_that_it_is_given(tmp_path: Path):
    path = tmp_path / "rules.yml"
    path.write_text(own_config()["rules.yml"])
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_with_a_list_of_namespaces_other_models_raise_no_alert_of_this_release():
    options = ("--set", "prometheusRule.enabled=always")
    texts = [rule["expr"] for rule in rendered_groups("namespaces", *options)["autoretrain-models"]]
    assert all('namespace=~"spam|1234"' in text for text in texts if "namespace=" in text)
    assert not [text for text in texts if EVERYWHERE in text]


def test_every_selector_of_the_file_can_be_scoped():
    for group in GROUPS:
        for rule in group["rules"]:
            assert rule["expr"].count(EVERYWHERE) == len(re.findall(r"(?<![\w:])autoretrain_\w+", rule["expr"]))


def test_alerts_lead_to_where_the_runbooks_are():
    alerts = [rule for rules in rendered_groups("full").values() for rule in rules if "alert" in rule]
    for alert in alerts:
        wanted = f"https://docs.example.com/how-to/runbooks/#{alert['alert'].lower()}"
        assert alert["annotations"]["runbook_url"] == wanted


@needs_promtool
@pytest.mark.parametrize("values", ["outside", "full"])
def test_prometheus_understands_the_rules_that_the_chart_renders(values: str, tmp_path: Path):
    rule = objects_of(values)[f"PrometheusRule/{SYSTEM}/autoretrain-controller"]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
