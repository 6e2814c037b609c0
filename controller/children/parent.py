"""What do all children of a SpamModel share? Its document, names, labels, owner, and the hash that tells a change."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from autoretrain.domain.spec import SpamModel
from controller.cluster import GROUP, HASH_ANNOTATION, MODEL_LABEL, SPAM_MODEL, Object

SERVICE_PORT: Final = 80


class Component(StrEnum):
    SERVING = "serving"
    MONITOR = "monitor"
    AGENT = "agent"
    TRAINING = "training"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the operator gives where a document says nothing. The store's Secret is in each SpamModel's namespace."""

    serving_image: str
    training_image: str
    monitor_image: str
    agent_image: str
    mlflow_tracking_uri: str
    store_secret_name: str
    store_secret_key: str
    log_level: str
    image_pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """One SpamModel as its children need it. `document` is the whole resource, its defaults applied."""

    model: SpamModel
    document: Mapping[str, Any]
    defaults: Defaults

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.document["spec"]
        return spec

    @property
    def serving_name(self) -> str:
        return f"{self.model.name}-{Component.SERVING}"

    @property
    def monitor_name(self) -> str:
        return f"{self.model.name}-{Component.MONITOR}"

    @property
    def agent_name(self) -> str:
        return f"{self.model.name}-{Component.AGENT}"

    @property
    def serving_url(self) -> str:
        """Where Pods of the same cluster reach serving."""
        return f"http://{self.serving_name}.{self.model.namespace}:{SERVICE_PORT}"

    def selector(self, component: Component) -> dict[str, str]:
        """Return the labels that find the Pods of `component`. A Deployment's can never change."""
        return {
            "app.kubernetes.io/name": "autoretrain",
            "app.kubernetes.io/instance": self.model.name,
            "app.kubernetes.io/component": component.value,
        }

    def labels(self, component: Component) -> dict[str, str]:
        return {
            **self.selector(component),
            "app.kubernetes.io/managed-by": "autoretrain",
            MODEL_LABEL: self.model.name,
        }

    def child(
        self,
        kind: str,
        api_version: str,
        *,
        name: str,
        component: Component,
        body: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Object:
        """Return a whole manifest: `body` under our labels and owner, with the hash of all of it in an annotation."""
        manifest: Object = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.model.namespace,
                "labels": {**(labels or {}), **self.labels(component)},
                "annotations": dict(annotations or {}),
                "ownerReferences": [self._owner()],
            },
            **body,
        }
        manifest["metadata"]["annotations"][HASH_ANNOTATION] = content_hash(manifest)
        return manifest

    def _owner(self) -> dict[str, Any]:
        return {
            "apiVersion": SPAM_MODEL.api_version,
            "kind": SPAM_MODEL.name,
            "name": self.model.name,
            "uid": self.model.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


def annotation(name: str) -> str:
    return f"{GROUP}/{name}"


def content_hash(content: Any) -> str:
    """Return ten hexadecimal digits that differ where the JSON of `content` does."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]
