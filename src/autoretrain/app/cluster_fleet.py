"""Which models of a cluster can be looked at from one of its Pods? The other side of `fleet.Fleet`.

SpamModels and decisions come from the API server. The store of a namespace is opened only where its address was mounted
here: whoever installs says which, and a namespace that is not among them keeps its messages to itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoretrain.adapters import spammodel
from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.kubectl import Object
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.cluster_place import MODELS, ClusterPlace
from autoretrain.app.fleet import Reach, Seen, namespaces_of
from autoretrain.domain.errors import AutoRetrainError, InvalidSpec

EVERYWHERE = "*"


@dataclass(slots=True)
class ClusterFleet:
    """The SpamModels of `namespaces`, or of all of them."""

    api: KubeApi
    namespaces: Sequence[str]
    stores: Path | None
    tracking_uri: str
    _reached: dict[str, Reach] = field(default_factory=dict)

    @classmethod
    def open(cls, settings: Settings) -> "ClusterFleet":
        """Return the fleet of the Pod's own cluster. Raises AutoRetrainError outside one."""
        names = namespaces_of(settings.dashboard_namespaces)
        return cls(KubeApi.in_pod(), names, settings.dashboard_stores, settings.mlflow_tracking_uri)

    def look(self) -> dict[str, Seen]:
        seen = (_seen(resource) for resource in self._resources())
        return {each.model.key: each for each in seen if each is not None}

    def reach(self, key: str) -> Reach:
        namespace, _, name = key.partition(".")
        if EVERYWHERE not in self.namespaces and namespace not in self.namespaces:
            raise AutoRetrainError(f"{key} is in none of the namespaces that are shown here")
        if key not in self._reached:
            place = ClusterPlace.found(self.api.within(namespace), name)
            seen = _seen(self.api.within(namespace).get(MODELS, name))
            registered = (seen.model.spec.registered_model_name if seen else "") or key
            registry = MlflowRegistry(self.tracking_uri, name=registered)
            self._reached[key] = Reach(key=key, place=place, store=self._store(namespace, key), registry=registry)
        return self._reached[key]

    def close(self) -> None:
        for reach in self._reached.values():
            if reach.store is not None:
                reach.store.close()
        self.api.http.close()

    def _resources(self) -> list[Object]:
        if EVERYWHERE in self.namespaces:
            return self.api.list_all(MODELS)
        return [each for name in self.namespaces for each in self.api.within(name).list_all(MODELS)]

    def _store(self, namespace: str, key: str) -> Store | None:
        address = self.stores / namespace if self.stores else None
        if address is None or not address.is_file():
            return None
        store = Store(address.read_text().strip(), model=key)
        store.check_schema()
        return store


def _seen(resource: Object) -> Seen | None:
    """Return the records of a resource; None for one whose spec no release of ours could have admitted."""
    metadata = resource["metadata"]
    document = {name: value for name, value in resource.items() if name != "status"}
    try:
        model = spammodel.parse_spam_model(
            {"apiVersion": spammodel.API_VERSION, "kind": spammodel.KIND, **document},
            uid=str(metadata.get("uid", "")),
            generation=int(metadata.get("generation", 0)),
        )
    except InvalidSpec:
        return None
    return Seen(model=model, status=spammodel.parse_status(resource.get("status") or {}))
