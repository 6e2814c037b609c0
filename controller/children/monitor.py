"""Who measures a champion? One monitor Pod a model; a PodMonitor lets a Prometheus operator find its metrics."""

from typing import Final

from controller.children.parent import Component, Parent
from controller.children.pods import SETTINGS_DIRECTORY, Container, Mount
from controller.children.serving import keys_mount, needs_key
from controller.children.settings import STATUS_FILE, settings_mount
from controller.children.single import build_single, metrics_port
from controller.cluster import MODEL_LABEL, Object
from controller.documents import FILE as DOCUMENT_FILE

PORT: Final = 8002
LONGEST_SCRAPE_INTERVAL_SECONDS: Final = 15
_ALERTS_DIRECTORY: Final = f"{SETTINGS_DIRECTORY}-alerts"
_ALERTS_ENTRY: Final = "urls"
_KEYS_DIRECTORY: Final = f"{SETTINGS_DIRECTORY}-keys"
_REQUESTS: Final = {"cpu": "50m", "memory": "256Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "1Gi"}


def build_monitor(parent: Parent, settings: Object) -> Object:
    """Return the monitor's Deployment. Two at once would publish the same windows twice."""
    return build_single(
        parent,
        Component.MONITOR,
        name=parent.monitor_name,
        port=PORT,
        container=_build_container(parent, settings),
        template=parent.spec["monitoring"].get("podTemplate", {}),
    )


def build_pod_monitor(parent: Parent) -> Object:
    """Return the PodMonitor of serving, monitor and agent Pods. Only where its definition is installed."""
    interval = min(LONGEST_SCRAPE_INTERVAL_SECONDS, parent.model.spec.monitoring.interval_seconds)
    endpoint = {"path": "/metrics", "interval": f"{interval}s", "honorLabels": False}
    return parent.child(
        "PodMonitor",
        "monitoring.coreos.com/v1",
        name=parent.model.name,
        component=Component.MONITOR,
        body={
            "spec": {
                "selector": {
                    "matchLabels": {MODEL_LABEL: parent.model.name},
                    "matchExpressions": [
                        {
                            "key": "app.kubernetes.io/component",
                            "operator": "In",
                            "values": [Component.SERVING.value, Component.MONITOR.value, Component.AGENT.value],
                        }
                    ],
                },
                "podMetricsEndpoints": [{"port": "http", **endpoint}, {"port": "metrics", **endpoint}],
            }
        },
    )


def _build_container(parent: Parent, settings: Object) -> Container:
    alerts = parent.spec["alerts"].get("secretRef")
    addresses = [_alert_mount(alerts["name"])] if alerts else []
    serving = parent.spec["serving"]
    keys = [keys_mount(serving["apiKeysSecretRef"], path=_KEYS_DIRECTORY)] if needs_key(serving) else []
    return Container(
        image=parent.defaults.monitor_image,
        requests=_REQUESTS,
        limits=_LIMITS,
        arguments=["monitor", "--publish"],
        variables={
            "AUTORETRAIN_SPEC": f"{SETTINGS_DIRECTORY}/{DOCUMENT_FILE}",
            "AUTORETRAIN_STATUS_FILE": f"{SETTINGS_DIRECTORY}/{STATUS_FILE}",
            "AUTORETRAIN_SERVING_URL": parent.serving_url,
            "AUTORETRAIN_MONITOR_PORT": str(PORT),
            **({"AUTORETRAIN_API_KEYS_FILE": _KEYS_DIRECTORY} if keys else {}),
            **({"AUTORETRAIN_ALERT_URLS_FILE": f"{_ALERTS_DIRECTORY}/{_ALERTS_ENTRY}"} if alerts else {}),
        },
        mounts=[settings_mount(settings), *addresses, *keys],
        options=metrics_port(PORT),
    )


def _alert_mount(secret: str) -> Mount:
    # Optional: a model is measured although nobody is told.
    return Mount(
        name="autoretrain-alerts", path=_ALERTS_DIRECTORY, source={"secret": {"secretName": secret, "optional": True}}
    )
