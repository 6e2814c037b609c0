"""Which way do clients come in? An Ingress or an HTTPRoute for the routes that are theirs; the rest stays inside."""

from collections.abc import Mapping
from typing import Any, Final

from controller.children.parent import SERVICE_PORT, Component, Parent
from controller.cluster import Object

CLIENT_ROUTES: Final = ("/predict", "/feedback", "/v2", "/health", "/models/current")
"""Metrics, labels, drift and probes are not among them."""


def build_routes(parent: Parent) -> tuple[Object, ...]:
    """Return the Ingress or the HTTPRoute that the document asks for, or nothing."""
    serving = parent.spec["serving"]
    if "ingress" in serving:
        return (_build_ingress(parent, serving["ingress"]),)
    if "httpRoute" in serving:
        return (_build_http_route(parent, serving["httpRoute"]),)
    return ()


def base_path(serving: Mapping[str, Any]) -> str:
    """Return the prefix of every route without a slash at its end; '' for none. No proxy takes it off."""
    path: str = (serving.get("ingress") or serving.get("httpRoute") or {}).get("path", "")
    return path.rstrip("/")


def _build_ingress(parent: Parent, wanted: Mapping[str, Any]) -> Object:
    backend = {"service": {"name": parent.serving_name, "port": {"name": "http"}}}
    base = base_path(parent.spec["serving"])
    paths = [{"path": base + route, "pathType": "Prefix", "backend": backend} for route in CLIENT_ROUTES]
    secret = wanted["tlsSecretName"]
    return parent.child(
        "Ingress",
        "networking.k8s.io/v1",
        name=parent.model.name,
        component=Component.SERVING,
        annotations=wanted.get("annotations"),
        body={
            "spec": {
                **({"ingressClassName": wanted["className"]} if wanted["className"] else {}),
                "rules": [{"host": wanted["host"], "http": {"paths": paths}}],
                **({"tls": [{"hosts": [wanted["host"]], "secretName": secret}]} if secret else {}),
            }
        },
    )


def _build_http_route(parent: Parent, wanted: Mapping[str, Any]) -> Object:
    base = base_path(parent.spec["serving"])
    matches = [{"path": {"type": "PathPrefix", "value": base + route}} for route in CLIENT_ROUTES]
    return parent.child(
        "HTTPRoute",
        "gateway.networking.k8s.io/v1",
        name=parent.model.name,
        component=Component.SERVING,
        body={
            "spec": {
                "parentRefs": wanted["parentRefs"],
                **({"hostnames": wanted["hostnames"]} if wanted.get("hostnames") else {}),
                "rules": [
                    {"matches": matches, "backendRefs": [{"name": parent.serving_name, "port": SERVICE_PORT}]},
                ],
            }
        },
    )
