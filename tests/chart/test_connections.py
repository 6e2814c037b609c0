"""Is every connection that the components are told to make in the table, and do the policies allow what is there?"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from controller.children import monitor, serving
from tests.chart.rendering import CHART, SYSTEM, needs_helm, objects_of, pods_of
from tests.children import children_of, document, job_of

TABLE = yaml.safe_load((CHART / "files" / "connections.yaml").read_text())
PODS, CONNECTIONS = TABLE["pods"], TABLE["connections"]
KNOWN = {(each["from"], each["to"], each["port"]) for each in CONNECTIONS}
ADDRESS = re.compile(r"(?:https?|postgresql(?:\+psycopg)?)://(?:[^@/\s]*@)?([a-z0-9-]+)[a-z0-9.-]*(?::(\d+))?")
PARTS = {"mlflow": "mlflow", "postgres": "postgresql", "prometheus": "prometheus", "sms-spam-serving": "serving"}
"""Which part answers by the first word of a host."""
CONTAINER_PORTS = {80: serving.PORT}
"""Of Services whose port is not the Pod's."""


def part_of(labels: dict[str, str]) -> str:
    (part,) = [name for name, pod in PODS.items() if pod["labels"].items() <= labels.items()]
    return part


def told(pod: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """The connections that a Pod's variables speak of. The store's address is in a Secret, and PostgreSQL's."""
    part = part_of(pod["metadata"]["labels"])
    for container in pod["spec"]["containers"]:
        for variable in container.get("env", ()):
            if variable["name"] == "AUTORETRAIN_STORE_URL":
                yield part, "postgresql", 5432
            for host, port in ADDRESS.findall(variable.get("value", "")):
                if host in PARTS:
                    yield part, PARTS[host], CONTAINER_PORTS.get(int(port), int(port))


def children() -> list[dict[str, Any]]:
    resource = document("full")
    made = [*children_of(document("sms-spam")).values(), job_of(resource)]
    return [each["spec"]["template"] for each in made if "template" in each.get("spec", {})]


def test_what_pods_of_a_spammodel_are_told_to_call_is_in_the_table():
    found = {connection for pod in children() for connection in told(pod)}
    assert found <= KNOWN
    assert {who for who, _, _ in found} == {"serving", "monitor", "training"}


def test_the_ports_of_a_spammodels_pods_are_those_of_the_table():
    ports = {(each["to"], each["port"]) for each in CONNECTIONS if each["to"] in {"serving", "monitor"}}
    assert ports == {("serving", serving.PORT), ("monitor", monitor.PORT)}


def test_every_row_is_there_once_and_speaks_of_parts_that_exist():
    assert len(KNOWN) == len(CONNECTIONS)
    outside = {"the API server", "alert addresses", "data sources", "clients"}
    assert {name for who, to, _ in KNOWN for name in (who, to)} - set(PODS) == outside


@needs_helm
def test_what_pods_of_the_chart_are_told_to_call_is_in_the_table():
    found = {connection for _, pod in pods_of(objects_of()) for connection in told(pod)}
    assert found <= KNOWN
    assert found >= {("operator", "mlflow", 5000), ("operator", "prometheus", 9090), ("mlflow", "postgresql", 5432)}


@needs_helm
@pytest.mark.parametrize(
    ("sample", "called", "row"),
    [
        ("false", "http://autoretrain-test:80/readyz", ("test", "operator", 8080)),
        ("true", f"http://sms-spam-serving.{SYSTEM}:80/predict", ("test", "serving", 8000)),
    ],
)
def test_what_the_test_calls_is_in_the_table(sample: str, called: str, row: tuple[str, str, int]):
    documents = objects_of("", "--set", f"samples.smsSpam.enabled={sample}")
    assert documents[f"Pod/{SYSTEM}/autoretrain-test"]["spec"]["containers"][0]["args"][0] == called
    assert row in KNOWN


@needs_helm
def test_every_port_that_a_pod_of_the_chart_opens_is_in_the_table():
    opened = {
        (part_of(pod["metadata"]["labels"]), port["containerPort"])
        for _, pod in pods_of(objects_of())
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
    }
    parts = {"operator", "mlflow", "postgresql", "prometheus"}
    assert opened == {(to, port) for _, to, port in KNOWN if to in parts}


def allowed(policy: dict[str, Any], caller: str, port: int, *, namespace: str) -> bool:
    """Whether Pods of a part in a namespace may call, as the API says of policies."""

    def matches(peer: dict[str, Any]) -> bool:
        if "namespaceSelector" not in peer:
            there = namespace == SYSTEM
        else:
            expressions = peer["namespaceSelector"].get("matchExpressions", [])
            there = all(namespace in each["values"] for each in expressions)
        return there and peer["podSelector"]["matchLabels"].items() <= PODS[caller]["labels"].items()

    return any(
        any(each["port"] == port for each in rule["ports"]) and ("from" not in rule or any(map(matches, rule["from"])))
        for rule in policy["spec"]["ingress"]
    )


@needs_helm
@pytest.mark.parametrize("values", ["namespaces", "outside"])
def test_policies_allow_what_is_in_the_table_and_nothing_else(values: str):
    policies = {
        part_of(each["spec"]["podSelector"]["matchLabels"]): each
        for each in objects_of(values).values()
        if each["kind"] == "NetworkPolicy"
    }
    assert {"operator", "mlflow"} <= set(policies)
    for part, policy in policies.items():
        for port in {5000, 5432, 8000, 8002, 8080, 9090}:
            for caller in PODS:
                here = "spam" if PODS[caller].get("elsewhere") else SYSTEM
                # Where Prometheus is somebody else's, metrics are open to all.
                open_to_all = values == "outside" and (part, port) == ("operator", 8080)
                wanted = (caller, part, port) in KNOWN or open_to_all
                assert allowed(policy, caller, port, namespace=here) is wanted, (caller, part, port)
                if values == "namespaces":
                    assert not allowed(policy, caller, port, namespace="foreign")


@needs_helm
def test_who_calls_nobody_may_call_nobody():
    policies = {key: each for key, each in objects_of("namespaces").items() if each["kind"] == "NetworkPolicy"}
    closed = [key.split("-")[-1] for key, each in policies.items() if "Egress" in each["spec"]["policyTypes"]]
    assert closed == ["postgresql"]


@needs_helm
def test_somebody_else_may_be_let_in():
    policy = objects_of("full")[f"NetworkPolicy/{SYSTEM}/autoretrain-mlflow"]
    assert {"from": [{"podSelector": {"matchLabels": {"app": "notebook"}}}]} in policy["spec"]["ingress"]
