"""What has one Pod a model, for two would do its work twice? The monitor and the agent. Each has a page of metrics."""

from collections.abc import Mapping
from typing import Any

from controller.children.parent import Component, Parent
from controller.children.pods import Container, build_pod
from controller.children.serving import scrape_annotations
from controller.cluster import Object


def build_single(
    parent: Parent, component: Component, *, name: str, port: int, container: Container, template: Mapping[str, Any]
) -> Object:
    """Return a Deployment whose old Pod goes before the new one comes. `template` is the document's podTemplate."""
    pod = build_pod(parent, component, container=container, template=template, annotations=scrape_annotations(port))
    return parent.child(
        "Deployment",
        "apps/v1",
        name=name,
        component=component,
        labels=template.get("labels"),
        body={
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 1,
                "selector": {"matchLabels": parent.selector(component)},
                "strategy": {"type": "Recreate"},
                "template": pod,
            }
        },
    )


def metrics_port(port: int) -> dict[str, Any]:
    """Return port and probes of a container whose page of metrics is there from its start."""
    return {
        "ports": [{"name": "metrics", "containerPort": port, "protocol": "TCP"}],
        "startupProbe": _probe(period=2, failures=60),
        "readinessProbe": _probe(period=10, failures=3),
        "livenessProbe": _probe(period=20, failures=6),
    }


def _probe(*, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/metrics", "port": "metrics"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
