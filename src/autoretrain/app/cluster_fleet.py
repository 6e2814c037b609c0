"""Which models of a cluster can be looked at from one of its Pods? The other side of `fleet.Fleet`.

SpamModels and decisions come from the API server. The store of a namespace is opened only where its address was mounted
here: whoever installs says which, and a namespace that is not among them keeps its messages to itself.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

from autoretrain.adapters import spammodel
from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.kubectl import Object
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.cluster_place import MODELS, ClusterPlace
from autoretrain.app.fleet import Reach, Seen, namespaces_of
from autoretrain.domain.errors import AutoRetrainError, InvalidSpec, StoreUnavailable
from autoretrain.domain.spec import SpamModel

EVERYWHERE: Final = "*"
FRESH_SECONDS: Final = 2.0
"""However many people look at once, the API server is asked for all SpamModels no more often than this."""
NOTHING_ASKED: Final = {"data": {"volume": {"configMap": {"name": "unknown"}, "path": "unknown"}}}

Generation = tuple[str, int]
"""The uid of a resource, and which spec of it."""


@dataclass(slots=True)
class ClusterFleet:
    """The SpamModels of `namespaces`, or of all of them. May be used by several threads."""

    api: KubeApi
    namespaces: Sequence[str]
    stores: Path | None
    tracking_uri: str
    clock: Callable[[], float] = monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked: dict[str, Seen] | None = None
    _fresh_until: float = 0.0
    _models: dict[Generation, SpamModel] = field(default_factory=dict)
    _opened: dict[str, Store] = field(default_factory=dict)

    @classmethod
    def open(cls, settings: Settings) -> "ClusterFleet":
        """Return the fleet of the Pod's own cluster. Raises AutoRetrainError outside one."""
        names = namespaces_of(settings.dashboard_namespaces)
        return cls(KubeApi.in_pod(), names, settings.dashboard_stores, settings.mlflow_tracking_uri)

    def look(self) -> dict[str, Seen]:
        with self._lock:
            if self._looked is None or self.clock() >= self._fresh_until:
                self._looked = self._look()
                self._fresh_until = self.clock() + FRESH_SECONDS
            return dict(self._looked)

    def reach(self, key: str) -> Reach:
        namespace, _, name = key.partition(".")
        seen = self.look().get(key)
        if seen is None:
            raise AutoRetrainError(f"there is no SpamModel {key} in the namespaces that are shown here")
        registered = seen.model.spec.registered_model_name or key
        store, problem = self._store(namespace, key)
        return Reach(
            key=key,
            place=ClusterPlace(self.api.within(namespace), name, key),
            store=store,
            registry=MlflowRegistry(self.tracking_uri, name=registered),
            problem=problem,
        )

    def close(self) -> None:
        for store in self._opened.values():
            store.close()
        self.api.http.close()

    def _look(self) -> dict[str, Seen]:
        resources = {_generation_of(resource): resource for resource in self._resources()}
        # To check a spec takes a hundred times as long as to read a status, and most specs are as they were.
        self._models = {at: self._models.get(at) or _model(resource) for at, resource in resources.items()}
        return {
            model.key: Seen(model=model, status=spammodel.parse_status(resources[at].get("status") or {}))
            for at, model in self._models.items()
        }

    def _resources(self) -> list[Object]:
        if EVERYWHERE in self.namespaces:
            return self.api.list_all(MODELS)
        return [each for name in self.namespaces for each in self.api.within(name).list_all(MODELS)]

    def _store(self, namespace: str, key: str) -> tuple[Store | None, str]:
        """Return the store, or None and what is the matter with one that was given. One namespace has one address."""
        address = self.stores / namespace if self.stores else None
        with self._lock:
            try:
                if namespace not in self._opened:
                    if address is None or not address.is_file():
                        return None, ""
                    store = Store(address.read_text().strip(), model=key)
                    store.check_schema()
                    self._opened[namespace] = store
                return self._opened[namespace].about(key), ""
            except (StoreUnavailable, OSError) as error:
                return None, str(error)


def _generation_of(resource: Object) -> Generation:
    return str(resource["metadata"]["uid"]), int(resource["metadata"]["generation"])


def _model(resource: Object) -> SpamModel:
    """Return what is asked of a model.

    Where the controller says Stalled of a spec that can't be followed, the model is to be seen all the more: with the
    defaults in place of what it asks.
    """
    try:
        return _parsed(resource, resource["spec"])
    except InvalidSpec:
        return _parsed(resource, NOTHING_ASKED)


def _parsed(resource: Object, spec: Mapping[str, Any]) -> SpamModel:
    # A list leaves these two out of its items.
    document = {
        "apiVersion": spammodel.API_VERSION,
        "kind": spammodel.KIND,
        "metadata": resource["metadata"],
        "spec": spec,
    }
    uid, generation = _generation_of(resource)
    return spammodel.parse_spam_model(document, uid=uid, generation=generation)
