"""Is every connection that the components are told to make in the table, and do the policies allow just that?"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from controller.children import agent, monitor, serving
from tests.chart.rendering import CHART, SYSTEM, needs_helm, objects_of, pods_of, template
from tests.children import children_of, document, job_of

TABLE = yaml.safe_load((CHART / "files" / "connections.yaml").read_text())
PODS, CONNECTIONS = TABLE["pods"], TABLE["connections"]
KNOWN = {(each["from"], each["to"], each["port"]) for each in CONNECTIONS}
ADDRESS = re.compile(r"\b(https?|postgresql(?:\+psycopg)?)://(?:[^@/\s]*@)?([a-z0-9-]+)[a-z0-9.-]*(?::(\d+))?")
USUAL_PORTS = {"http": 80, "https": 443}
CALLED = {
    ("mlflow", 5000): ("mlflow", 5000),
    ("postgres", 5432): ("postgresql", 5432),
    ("prometheus", 9090): ("prometheus", 9090),
    ("sms-spam-serving", 80): ("serving", serving.PORT),
    ("autoretrain-test", 80): ("operator", 8080),
    ("kubernetes", 443): ("the API server", 443),
}
"""First word of a host and the port of an address: which part answers, and the port of its Pods."""
API_SERVER = ("the API server", 443)
DNS = {53}


def part_of(labels: dict[str, str]) -> str:
    (part,) = [name for name, pod in PODS.items() if pod["labels"].items() <= labels.items()]
    return part


def told(pod: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """The connections that a Pod is told to make: by its variables, its arguments, and the token that it gets.

    Addresses that are in Secrets are the store's. An address of nobody known is a connection to that host.
    """
    part = part_of(pod["metadata"]["labels"])
    if pod["spec"].get("automountServiceAccountToken", True):
        yield part, *API_SERVER
    for container in pod["spec"]["containers"]:
        texts = [*container.get("command", ()), *container.get("args", ())]
        for variable in container.get("env", ()):
            if variable["name"] in {"AUTORETRAIN_STORE_URL", "AUTORETRAIN_DASHBOARD_STORES"}:
                yield part, "postgresql", 5432
            texts.append(variable.get("value", ""))
        for scheme, host, port in (found for text in texts for found in ADDRESS.findall(text)):
            key = (host, int(port or USUAL_PORTS[scheme]))
            yield part, *CALLED.get(key, key)


AGENT = {"mode": "Advise", "model": "openai:gpt-5"}


def children() -> list[dict[str, Any]]:
    resource = document("full")
    del resource["spec"]["training"]["podTemplate"]["env"]  # a proxy of its author's
    made = [*children_of(document("sms-spam", agent=AGENT)).values(), job_of(resource)]
    return [each["spec"]["template"] for each in made if "template" in each.get("spec", {})]


def test_what_pods_of_a_spammodel_are_told_to_call_is_in_the_table():
    found = {connection for pod in children() for connection in told(pod)}
    assert found <= KNOWN
    assert {who for who, _, _ in found} == {"serving", "monitor", "agent", "training"}


def test_the_ports_of_a_spammodels_pods_are_those_of_the_table():
    ports = {(each["to"], each["port"]) for each in CONNECTIONS if each["to"] in {"serving", "monitor", "agent"}}
    assert ports == {("serving", serving.PORT), ("monitor", monitor.PORT), ("agent", agent.PORT)}


def test_every_row_is_there_once_and_speaks_of_parts_that_exist():
    assert len(KNOWN) == len(CONNECTIONS)
    outside = {"the API server", "alert addresses", "chat models", "data sources", "clients"}
    assert {name for who, to, _ in KNOWN for name in (who, to)} - set(PODS) == outside


SAMPLE = ("--set", "samples.smsSpam.enabled=true,samples.smsSpam.spec.data.format=TSV")
"""With the sample, but without the address of its data, which is training's to call."""


@needs_helm
@pytest.mark.parametrize(("options", "who_is_tested"), [((), "operator"), (SAMPLE, "serving")])
def test_what_pods_of_the_chart_are_told_to_call_is_what_the_table_says(options: tuple[str, ...], who_is_tested: str):
    documents = objects_of("", *options)
    found = {connection for _, pod in pods_of(documents) for connection in told(pod)}
    assert found <= KNOWN
    # What Prometheus and the operator find in the cluster is in no address; the rest of the table is.
    found_there = {"operator", "serving", "monitor", "agent"}
    here = {part_of(pod["metadata"]["labels"]) for _, pod in pods_of(documents)}
    said = {row for row in KNOWN if row[0] in here - {"test"} and row[1] not in found_there}
    tested = next(row for row in KNOWN if row[:2] == ("test", who_is_tested))
    assert found == said | {tested}


@needs_helm
def test_every_port_that_a_pod_of_the_chart_opens_is_in_the_table():
    opened = {
        (part_of(pod["metadata"]["labels"]), port["containerPort"])
        for _, pod in pods_of(objects_of())
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
    }
    parts = {"operator", "mlflow", "postgresql", "prometheus"}
    # Who opens the dashboard is a person, by an Ingress or a forwarded port.
    assert opened == {(to, port) for _, to, port in KNOWN if to in parts} | {("dashboard", 8501)}


def allowed(policy: dict[str, Any], direction: str, other: str, port: int, *, home: str, away: str) -> bool:
    """Whether Pods of a part in the namespace `away` may be spoken with by those of a policy in `home`."""

    def matches(peer: dict[str, Any]) -> bool:
        expressions = peer.get("namespaceSelector", {"matchExpressions": [{"values": [home]}]}).get("matchExpressions")
        there = all(away in each["values"] for each in expressions or ())
        return there and peer["podSelector"]["matchLabels"].items() <= PODS[other]["labels"].items()

    side = {"ingress": "from", "egress": "to"}[direction]
    return any(
        any(each["port"] == port for each in rule["ports"]) and (side not in rule or any(map(matches, rule[side])))
        for rule in policy["spec"][direction]
    )


def policies_of(values: str, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    """By the namespace and the part that they are for."""
    return {
        (each["metadata"]["namespace"], part_of(each["spec"]["podSelector"]["matchLabels"])): each
        for each in objects_of(values, *options).values()
        if each["kind"] == "NetworkPolicy"
    }


WITH_MODELS = ("--set", "networkPolicies.spamModels.enabled=true")
OF_MODELS = {name for name, pod in PODS.items() if pod.get("elsewhere")}
PORTS = {port for _, _, port in KNOWN}


@needs_helm
def test_policies_allow_what_is_in_the_table_and_nothing_else():
    policies = policies_of("namespaces", *WITH_MODELS)
    assert {part for _, part in policies} == set(PODS)
    for (home, part), policy in policies.items():
        assert (home in {"spam", "1234"}) is (part in OF_MODELS)
        assert sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        for other in PODS:
            # Pods of SpamModels meet within their namespace, the others wherever they are.
            away = "spam" if other in OF_MODELS else SYSTEM
            for port in PORTS - {443}:
                row = (other, part, port)
                between = home == away or not {part, other} <= OF_MODELS
                # Clients are everybody.
                wanted = (row in KNOWN and between) or ("clients", part, port) in KNOWN
                assert allowed(policy, "ingress", other, port, home=home, away=away) is wanted, row
                row = (part, other, port)
                assert allowed(policy, "egress", other, port, home=home, away=away) is (row in KNOWN and between), row
                if ("clients", part, port) not in KNOWN:
                    assert not allowed(policy, "ingress", other, port, home=home, away="foreign"), row
                assert not allowed(policy, "egress", other, port, home=home, away="foreign"), row


@needs_helm
def test_what_is_outside_is_reached_at_its_port_anywhere():
    """The API server, addresses of alerts and data have no labels; names are asked for by whoever calls somebody."""
    for (_, part), policy in policies_of("namespaces", *WITH_MODELS).items():
        open_ports = {each["port"] for rule in policy["spec"]["egress"] if "to" not in rule for each in rule["ports"]}
        outside = {port for who, to, port in KNOWN if who == part and to not in PODS}
        if (part, *API_SERVER) in KNOWN:
            outside.add(6443)
        calls = any(who == part for who, _, _ in KNOWN)
        assert open_ports == outside | (DNS if calls else set()), part


@needs_helm
def test_parts_of_somebody_elses_are_reached_at_the_ports_of_their_addresses():
    def anywhere(part: str, *options: str) -> set[int]:
        (policy,) = [each for (_, name), each in policies_of("outside", *options).items() if name == part]
        return {each["port"] for rule in policy["spec"]["egress"] if "to" not in rule for each in rule["ports"]}

    assert anywhere("operator") == {443, 6443} | DNS
    others = ("--set", "operator.prometheusAllowed={http://one:9999}", "--set", "operator.registryAllowed={http://two}")
    assert anywhere("operator", *others) == {443, 6443, 9999, 80} | DNS
    assert anywhere("mlflow") == {5432} | DNS  # its database's address is in a Secret


@needs_helm
def test_a_prometheus_of_somebody_elses_may_ask_for_metrics_from_anywhere_and_others_may_not():
    policies = policies_of("outside")
    assert allowed(policies[SYSTEM, "operator"], "ingress", "mlflow", 8080, home=SYSTEM, away="foreign")
    assert not allowed(policies[SYSTEM, "mlflow"], "ingress", "prometheus", 5000, home=SYSTEM, away="foreign")
    closed = policies_of("", "--set", "networkPolicies.enabled=true,mlflow.enabled=false,mlflow.url=http://one")
    assert not allowed(closed[SYSTEM, "postgresql"], "ingress", "mlflow", 5432, home=SYSTEM, away="foreign")


@needs_helm
def test_whoever_is_named_may_call_and_be_called():
    policies = policies_of("full")
    assert {"from": [{"podSelector": {"matchLabels": {"app": "notebook"}}}]} in policies[SYSTEM, "mlflow"]["spec"][
        "ingress"
    ]
    mail = {"to": [{"ipBlock": {"cidr": "192.0.2.25/32"}}]}
    assert mail in policies["ham", "monitor"]["spec"]["egress"]
    (clients,) = [
        rule
        for rule in policies["ham", "serving"]["spec"]["ingress"]
        if "namespaceSelector" in rule["from"][0] and "podSelector" not in rule["from"][0]
    ]
    assert clients == {
        "ports": [{"port": 8000}],
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
    }
    server = {"ports": [{"port": 16443}], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}
    assert server in policies[SYSTEM, "operator"]["spec"]["egress"]


@needs_helm
def test_policies_for_spammodels_must_know_where_these_are():
    done = template("", "--set", "networkPolicies.spamModels.enabled=true")
    assert "networkPolicies.spamModels.namespaces is needed" in done.stderr
    own = policies_of("", "--set", "networkPolicies.spamModels.enabled=true,networkPolicies.spamModels.namespaces={a}")
    assert set(own) == {("a", part) for part in ("serving", "monitor", "agent", "training")}
