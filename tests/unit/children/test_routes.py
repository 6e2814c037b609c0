"""Clients come in by an Ingress or an HTTPRoute, and reach their own routes only."""

from tests.children import children_of, document
from tests.unit.children.test_serving import metadata, without_hash

ROUTES = ["/predict", "/feedback", "/v2", "/health", "/models/current"]


def test_the_ingress_of_a_document():
    ingress = {"className": "traefik", "host": "spam.test", "path": "/sms/", "tlsSecretName": "tls"}
    backend = {"service": {"name": "sms-spam-serving", "port": {"name": "http"}}}
    children = children_of(document(serving={"ingress": {**ingress, "annotations": {"a/b": "c"}}}))
    assert without_hash(children["Ingress/sms-spam"]) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**metadata("sms-spam"), "annotations": {"a/b": "c"}},
        "spec": {
            "ingressClassName": "traefik",
            "rules": [
                {
                    "host": "spam.test",
                    "http": {
                        "paths": [
                            {"path": f"/sms{route}", "pathType": "Prefix", "backend": backend} for route in ROUTES
                        ]
                    },
                }
            ],
            "tls": [{"hosts": ["spam.test"], "secretName": "tls"}],
        },
    }
    assert "HTTPRoute/sms-spam" not in children


def test_an_ingress_that_names_no_class_and_no_certificate_leaves_both_to_the_cluster():
    spec = children_of(document(serving={"ingress": {"host": "spam.test"}}))["Ingress/sms-spam"]["spec"]
    assert set(spec) == {"rules"}
    assert [path["path"] for path in spec["rules"][0]["http"]["paths"]] == ROUTES


def test_the_http_route_of_a_document():
    wanted = {"parentRefs": [{"name": "gateway", "namespace": "ingress"}], "hostnames": ["spam.test"], "path": "/sms"}
    assert without_hash(children_of(document(serving={"httpRoute": wanted}))["HTTPRoute/sms-spam"]) == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata("sms-spam"),
        "spec": {
            "parentRefs": [{"name": "gateway", "namespace": "ingress"}],
            "hostnames": ["spam.test"],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": f"/sms{route}"}} for route in ROUTES],
                    "backendRefs": [{"name": "sms-spam-serving", "port": 80}],
                }
            ],
        },
    }


def test_without_either_nothing_leads_in():
    assert not {"Ingress/sms-spam", "HTTPRoute/sms-spam"} & set(children_of(document()))
