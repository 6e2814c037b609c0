"""Which files do the Pods read? The document, and what the monitor needs of the status; a ConfigMap never changes."""

import json
import re
from dataclasses import replace
from typing import Any, Final

from autoretrain.adapters.resource_status import render_status
from autoretrain.domain.status import Status
from controller.children.parent import Component, Parent, content_hash
from controller.children.pods import SETTINGS_DIRECTORY, Mount
from controller.cluster import Object
from controller.documents import FILE as DOCUMENT_FILE

STATUS_FILE: Final = "status.json"
_MONITORED: Final = ("champion", "previous", "guard", "trainedCutoff")
"""Of the status, what evidence is measured against. Each changes with a run or a rollout and not with a pass."""
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON has as they are, and that YAML takes for the end of a line or does not take at all."""


def build_run_settings(parent: Parent) -> Object:
    """Return what training Jobs read: nothing of the status, so that no promotion takes it from a running Job."""
    return _build(parent, {})


def build_monitor_settings(parent: Parent, status: Status) -> Object:
    guards = status.guard is not None and not status.guard.ended
    rendered = render_status(status if guards else replace(status, guard=None))
    watched = {name: rendered[name] for name in _MONITORED if name in rendered}
    return _build(parent, {STATUS_FILE: json.dumps(watched, sort_keys=True, separators=(",", ":"))})


def settings_mount(settings: Object) -> Mount:
    """Return how a Pod sees the files of `settings`."""
    source = {"configMap": {"name": settings["metadata"]["name"]}}
    return Mount(name="autoretrain-settings", path=SETTINGS_DIRECTORY, source=source)


def _build(parent: Parent, files: dict[str, str]) -> Object:
    document: dict[str, Any] = {
        "apiVersion": parent.document["apiVersion"],
        "kind": parent.document["kind"],
        "metadata": {"name": parent.model.name, "namespace": parent.model.namespace},
        "spec": parent.document["spec"],
    }
    data = {DOCUMENT_FILE: _as_yaml(document), **files}
    return parent.child(
        "ConfigMap",
        "v1",
        name=f"{parent.model.name}-{Component.SETTINGS}-{content_hash(data)}",
        component=Component.SETTINGS,
        body={"immutable": True, "data": data},
    )


def _as_yaml(document: Object) -> str:
    """Return JSON that is YAML too: PyYAML takes twenty times as long to write its own."""
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
