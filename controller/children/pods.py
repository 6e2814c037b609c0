"""What is a Pod of ours like? Restricted, without an API token, and with the little that a user's template may add.

The definition refuses templates that would loosen this (hostPath, our own variables, names and places), so that here
everything the template says is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.children.parent import Component, Parent

USER_ID: Final = 10001
STATE_DIRECTORY: Final = "/var/lib/autoretrain"
SETTINGS_DIRECTORY: Final = "/etc/autoretrain"
TERMINATION_FILE: Final = "/dev/termination-log"
STORE_VARIABLE: Final = "AUTORETRAIN_STORE_URL"

POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
# What a template may say of the Pod itself; the rest of it is about the container or the metadata.
_POD_FIELDS: Final = (
    *("nodeSelector", "tolerations", "affinity", "priorityClassName", "serviceAccountName", "imagePullSecrets"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One of our volumes and the directory where the container sees it. `source` is the volume without its name."""

    name: str
    path: str
    source: Mapping[str, Any]
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one of our programs needs. `options` are further fields of the container, such as probes.

    Who does not use the registry is neither told where it is nor given the login.
    """

    image: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    secret_variables: Sequence[Mapping[str, Any]] = ()
    secret_environments: Sequence[str] = ()
    mounts: Sequence[Mount] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    uses_registry: bool = True


def build_pod(
    parent: Parent,
    component: Component,
    *,
    container: Container,
    template: Mapping[str, Any],
    annotations: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a Pod template. `template` is the document's podTemplate, `options` are further fields of the Pod."""
    mounts = (*_writable(), *container.mounts)
    return {
        "metadata": {
            "labels": {**template.get("labels", {}), **parent.labels(component)},
            "annotations": {**template.get("annotations", {}), **(annotations or {})},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": POD_SECURITY,
            **(options or {}),
            **{name: template[name] for name in _POD_FIELDS if template.get(name)},
            "containers": [_build_container(parent, component, container, template=template, mounts=mounts)],
            "volumes": [*({"name": each.name, **each.source} for each in mounts), *template.get("volumes", ())],
        },
    }


def _build_container(
    parent: Parent,
    component: Component,
    container: Container,
    *,
    template: Mapping[str, Any],
    mounts: Sequence[Mount],
) -> dict[str, Any]:
    asked = template.get("env", ())
    ours = {**_common_variables(parent, registry=container.uses_registry), **container.variables}
    # A list with one name twice is refused by the API server; where a name may be set by both, the user's holds.
    taken = {variable["name"] for variable in asked}
    built = {
        "name": component.value,
        "image": container.image,
        "imagePullPolicy": parent.defaults.image_pull_policy,
        "args": list(container.arguments),
        "env": [
            *({"name": name, "value": value} for name, value in ours.items() if name not in taken),
            _store_variable(parent),
            *container.secret_variables,
            *asked,
        ],
        "envFrom": [{"secretRef": {"name": name}} for name in _environments(parent, container)],
        "resources": build_resources(
            template.get("resources", {}), requests=container.requests, limits=container.limits
        ),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePath": TERMINATION_FILE,
        # What fails without a word of its own has its last line in the log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*map(_volume_mount, mounts), *template.get("volumeMounts", ())],
        **container.options,
    }
    return {name: value for name, value in built.items() if value not in ([], {})}


def build_resources(
    asked: Mapping[str, Any], *, requests: Mapping[str, str], limits: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return requests and limits. A resource that the user names anywhere is the user's alone.

    Otherwise a request above our default limit would make a Pod that no API server takes.
    """
    named = {*asked.get("requests", {}), *asked.get("limits", {})}
    ours = {"requests": requests, "limits": limits}
    return {
        part: {**{name: value for name, value in values.items() if name not in named}, **asked.get(part, {})}
        for part, values in ours.items()
    }


def secret_variable(name: str, reference: Mapping[str, str], *, optional: bool = False) -> dict[str, Any]:
    """Return a variable whose value is an entry of a Secret; an optional one may be missing."""
    source = {"name": reference["name"], "key": reference["key"], **({"optional": True} if optional else {})}
    return {"name": name, "valueFrom": {"secretKeyRef": source}}


def _common_variables(parent: Parent, *, registry: bool) -> dict[str, str]:
    of_registry = {
        "AUTORETRAIN_REGISTERED_MODEL_NAME": parent.model.spec.registered_model_name or parent.model.key,
        "MLFLOW_TRACKING_URI": parent.spec["registry"]["trackingURI"] or parent.defaults.mlflow_tracking_uri,
    }
    return {
        "AUTORETRAIN_MODEL": parent.model.key,
        **(of_registry if registry else {}),
        "AUTORETRAIN_HOST": "0.0.0.0",  # noqa: S104 - a Pod is reached from outside of it
        "AUTORETRAIN_STATE_DIR": STATE_DIRECTORY,
        "AUTORETRAIN_LOG_LEVEL": parent.defaults.log_level,
        "OMP_NUM_THREADS": "1",  # Libraries count the node's cores, not the container's share of them.
        "HOME": "/tmp",  # noqa: S108 - an empty volume of this Pod's own
    }


def _store_variable(parent: Parent) -> dict[str, Any]:
    """Without a Secret of that name predictions go on; a Secret that the document names must be there."""
    named = parent.spec["store"].get("secretRef")
    default = {"name": parent.defaults.store_secret_name, "key": parent.defaults.store_secret_key}
    return secret_variable(STORE_VARIABLE, named or default, optional=named is None)


def _environments(parent: Parent, container: Container) -> tuple[str, ...]:
    registry = parent.spec["registry"].get("secretRef") if container.uses_registry else None
    return (*((registry["name"],) if registry else ()), *container.secret_environments)


def _writable() -> tuple[Mount, Mount]:
    return (
        Mount(name="autoretrain-tmp", path="/tmp", source={"emptyDir": {}}, read_only=False),  # noqa: S108 - as above
        Mount(name="autoretrain-state", path=STATE_DIRECTORY, source={"emptyDir": {}}, read_only=False),
    )


def _volume_mount(mount: Mount) -> dict[str, Any]:
    built = {"name": mount.name, "mountPath": mount.path}
    return {**built, "readOnly": True} if mount.read_only else built
