"""How is a version served? Deployment, Service, autoscaler and disruption budget; `routes` has the way in from outside.

Version and digest stand in the Pod template, so that a Pod that is replaced serves the same model, and another model is
an ordinary rolling update. No request is lost in one: a Pod leaves the Service some seconds before it is told to end.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from autoretrain.domain.deployment import Experiment
from autoretrain.domain.status import ModelRef
from controller.children.parent import SERVICE_PORT, Component, Parent, content_hash
from controller.children.pods import SETTINGS_DIRECTORY, TERMINATION_FILE, Container, Mount, build_pod
from controller.children.routes import base_path
from controller.cluster import ASKED_ANNOTATION, Object
from controller.serving_state import DIGEST_ANNOTATION, EXPERIMENT_VARIABLE, VERSION_ANNOTATION

PORT: Final = 8000
READY_WITHIN_SECONDS: Final = 30
LEAVE_SECONDS: Final = 5
"""How long the news that a Pod ends takes to reach every proxy and Ingress, with some to spare."""
GRACE_SECONDS: Final = 30
"""More than LEAVE_SECONDS and the time that serving gives the requests in flight."""

_NODE: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"
_KEYS_DIRECTORY: Final = f"{SETTINGS_DIRECTORY}/keys"
_REQUESTS: Final = {"cpu": "100m", "memory": "128Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "512Mi"}


def build_serving(parent: Parent, served: ModelRef, *, experiment: Experiment | None = None) -> tuple[Object, ...]:
    """Return what serves `served`, but for the routes from outside the cluster."""
    scaling = parent.spec["serving"]["scaling"]
    children = [build_service(parent), build_deployment(parent, served, experiment=experiment)]
    if scaling["mode"] == "Autoscaling":
        children.append(_build_autoscaler(parent, scaling))
    if scaling["mode"] != "Fixed" or scaling["replicas"] > 1:
        children.append(_build_budget(parent))
    return tuple(children)


def build_deployment(parent: Parent, served: ModelRef, *, experiment: Experiment | None) -> Object:
    """Return the Deployment. `replicas` is left out where something else sets it, or each pass would undo that."""
    serving = parent.spec["serving"]
    template = serving.get("podTemplate", {})
    pod = build_pod(
        parent,
        Component.SERVING,
        container=_build_container(parent, served, experiment=experiment),
        template=template,
        annotations={
            **scrape_annotations(PORT),
            VERSION_ANNOTATION: served.version,
            DIGEST_ANNOTATION: served.digest,
        },
        options={
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "topologySpreadConstraints": [_spread(parent, _NODE), _spread(parent, _ZONE)],
        },
    )
    scaling = serving["scaling"]
    return parent.child(
        "Deployment",
        "apps/v1",
        name=parent.serving_name,
        component=Component.SERVING,
        labels=template.get("labels"),
        annotations={ASKED_ANNOTATION: _hash_asked(parent, served, experiment)},
        body={
            "spec": {
                **({"replicas": scaling["replicas"]} if scaling["mode"] == "Fixed" else {}),
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": parent.selector(Component.SERVING)},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": pod,
            }
        },
    )


def build_service(parent: Parent) -> Object:
    return parent.child(
        "Service",
        "v1",
        name=parent.serving_name,
        component=Component.SERVING,
        body={
            "spec": {
                "selector": parent.selector(Component.SERVING),
                "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}],
            }
        },
    )


def needs_key(serving: Mapping[str, Any]) -> bool:
    """Return whether everything that serving answers needs a key, and so what our own Pods ask it, too."""
    # A definition from before there was this field fills in nothing.
    return bool(serving.get("apiKeysFor") == "Everything")


def keys_mount(reference: Mapping[str, Any], *, path: str) -> Mount:
    """Return the mount of the Secret with the API keys. A change of it reaches running Pods; nobody here reads it."""
    return Mount(name="autoretrain-keys", path=path, source={"secret": {"secretName": reference["name"]}})


def scrape_annotations(port: int) -> dict[str, str]:
    """Return what lets a Prometheus that discovers Pods by annotation find this one."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": "/metrics"}


def render_experiment(experiment: Experiment) -> str:
    """Return the experiment as the JSON that serving reads."""
    fields = {
        "mode": experiment.mode.value,
        "version": experiment.version,
        "digest": experiment.digest,
        "percent": experiment.percent,
    }
    return json.dumps(fields, separators=(",", ":"))


def _hash_asked(parent: Parent, served: ModelRef, experiment: Experiment | None) -> str:
    """Tell what the model asks of its serving, and nothing else: another annotation is another generation of it."""
    spec = parent.spec
    asked = {name: spec[name] for name in ("serving", "registry", "store")}
    measured = [spec["monitoring"]["audit"], spec["monitoring"]["window"], spec["triggers"]["drift"]["threshold"]]
    second = render_experiment(experiment) if experiment else ""
    return content_hash([asked, measured, served.version, served.digest, second])


def _build_container(parent: Parent, served: ModelRef, *, experiment: Experiment | None) -> Container:
    serving, monitoring = parent.spec["serving"], parent.spec["monitoring"]
    keys, base, rate = serving.get("apiKeysSecretRef"), base_path(serving), serving.get("requestsPerSecond")
    return Container(
        image=serving["image"] or parent.defaults.serving_image,
        requests=_REQUESTS,
        limits=_LIMITS,
        variables={
            "AUTORETRAIN_SERVING_PORT": str(PORT),
            "AUTORETRAIN_TERMINATION_FILE": TERMINATION_FILE,
            "AUTORETRAIN_SERVED_VERSION": served.version,
            "AUTORETRAIN_SERVED_DIGEST": served.digest,
            **({EXPERIMENT_VARIABLE: render_experiment(experiment)} if experiment else {}),
            "AUTORETRAIN_AUDIT_RATE": monitoring["audit"]["rate"],
            "AUTORETRAIN_DRIFT_THRESHOLD": parent.spec["triggers"]["drift"]["threshold"],
            "AUTORETRAIN_DRIFT_MIN_SAMPLES": str(monitoring["window"]["minSamples"]),
            "AUTORETRAIN_WINDOW_MAX_AGE_SECONDS": str(monitoring["window"]["maxAgeSeconds"]),
            **({"AUTORETRAIN_ROOT_PATH": base} if base else {}),
            **({"AUTORETRAIN_API_KEYS_FILE": _KEYS_DIRECTORY} if keys else {}),
            **({"AUTORETRAIN_API_KEYS_FOR": serving["apiKeysFor"]} if needs_key(serving) else {}),
            **({"AUTORETRAIN_REQUESTS_PER_SECOND": str(rate)} if rate else {}),
        },
        mounts=[keys_mount(keys, path=_KEYS_DIRECTORY)] if keys else [],
        options={
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": _probe("/readyz", period=1, failures=READY_WITHIN_SECONDS),
            "readinessProbe": _probe("/readyz", period=5, failures=2),
            "livenessProbe": _probe("/livez", period=10, failures=6),
            "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_SECONDS}}},
        },
    )


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _spread(parent: Parent, topology: str) -> dict[str, Any]:
    """Pods of one template keep apart where there is room; old ones that are about to go don't count."""
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": parent.selector(Component.SERVING)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _build_autoscaler(parent: Parent, scaling: Mapping[str, Any]) -> Object:
    target = {"type": "Utilization", "averageUtilization": scaling["targetCPUUtilizationPercentage"]}
    return parent.child(
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        name=parent.serving_name,
        component=Component.SERVING,
        body={
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": parent.serving_name},
                "minReplicas": scaling["minReplicas"],
                "maxReplicas": scaling["maxReplicas"],
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            }
        },
    )


def _build_budget(parent: Parent) -> Object:
    return parent.child(
        "PodDisruptionBudget",
        "policy/v1",
        name=parent.serving_name,
        component=Component.SERVING,
        body={
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": parent.selector(Component.SERVING)},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",  # A Pod that never gets ready must not block a drain.
            }
        },
    )
