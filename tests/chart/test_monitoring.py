"""Is the operator found by a Prometheus of somebody else's, and do the alerts ask for metrics that exist?"""

import re

from controller.metrics import ControllerMetrics
from tests.chart.rendering import SYSTEM, container_of, needs_helm, objects_of, operator_of

pytestmark = needs_helm


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


def test_the_alerts_ask_for_metrics_that_exist():
    rule = objects_of("outside")[f"PrometheusRule/{SYSTEM}/autoretrain-controller"]
    (group,) = rule["spec"]["groups"]
    asked = {name for each in group["rules"] for name in re.findall(r"\bautoretrain_\w+", each["expr"])}
    families = ControllerMetrics().registry.collect()
    assert asked <= {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    assert len(asked) == 4
