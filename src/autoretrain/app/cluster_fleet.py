"""Which models of a cluster can be looked at from one of its Pods? The other side of `fleet.Fleet`.

SpamModels and decisions come from the API server. The store of a namespace is opened only where its address was mounted
here: whoever installs says which, and a namespace that is not among them keeps its messages to itself.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from autoretrain.adapters import spammodel
from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.kubectl import KubectlFailed, Object, Unanswered
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.cluster_place import MODELS, ClusterPlace
from autoretrain.app.fleet import STATUS_UNREADABLE, Reach, Seen, namespaces_of
from autoretrain.domain.errors import AutoRetrainError, InvalidSpec, StoreUnavailable
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Condition, Status

EVERYWHERE: Final = "*"
MOST_MODELS: Final = 2000
"""All of them are read anew at every look, and a person picks one from a list; more are said to be there, not shown."""
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
    _looked: dict[str, Seen] = field(default_factory=dict)
    _problem: str = ""
    """Why the last look failed; who waited meanwhile is told the same, and does not wait for another timeout."""
    _all_seen: bool = True
    _fresh_until: float = 0.0
    _models: dict[Generation, SpamModel] = field(default_factory=dict)
    _opened: dict[str, tuple[str, Store]] = field(default_factory=dict)
    """Namespace -> the address that its store was opened at, and the store."""

    @classmethod
    def open(cls, settings: Settings) -> "ClusterFleet":
        """Return the fleet of the Pod's own cluster. Raises AutoRetrainError outside one."""
        names = namespaces_of(settings.dashboard_namespaces)
        return cls(KubeApi.in_pod(), names, settings.dashboard_stores, settings.mlflow_tracking_uri)

    def look(self) -> dict[str, Seen]:
        with self._lock:
            if self.clock() >= self._fresh_until:
                try:
                    self._looked, self._problem = self._look(), ""
                except AutoRetrainError as error:
                    self._problem = str(error)
                self._fresh_until = self.clock() + FRESH_SECONDS
            if self._problem:
                raise AutoRetrainError(self._problem)
            return dict(self._looked)

    @property
    def cut(self) -> str:
        if self._all_seen:
            return ""
        where = "Name fewer namespaces in AUTORETRAIN_DASHBOARD_NAMESPACES (the chart's operator.namespaces)"
        return (
            f"There are more than {MOST_MODELS:,} SpamModels. Shown are the first ones, by namespace and name; of the "
            f"others nobody is told here if one needs a person. {where}, and install a dashboard for each part of them."
        )

    def reach(self, key: str) -> Reach:
        namespace, _, name = key.partition(".")
        # While the API server is away, what was seen last can still be shown.
        seen = self._looked.get(key) or self.look().get(key)
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
        for _, store in self._opened.values():
            store.close()
        self.api.http.close()

    def _look(self) -> dict[str, Seen]:
        found, self._all_seen = self._resources()
        resources = {_generation_of(resource): resource for resource in found}
        # To check a spec takes a hundred times as long as to read a status, and most specs are as they were.
        self._models = {at: self._models.get(at) or _model(resource) for at, resource in resources.items()}
        return {model.key: Seen(model=model, status=_status(resources[at])) for at, model in self._models.items()}

    def _resources(self) -> tuple[list[Object], bool]:
        """Return those that are shown, and whether these are all of them."""
        if EVERYWHERE in self.namespaces:
            return self.api.list_all(MODELS, at_most=MOST_MODELS)
        found: list[Object] = []
        complete = True
        refusal: KubectlFailed | None = None
        for name in self.namespaces:
            try:
                own, all_of_it = self.api.within(name).list_all(MODELS, at_most=MOST_MODELS - len(found))
                found += own
                complete = complete and all_of_it
            except Unanswered:
                raise
            except KubectlFailed as error:
                refusal = error  # a namespace that is deleted takes our right to read it along
        if refusal is not None and not found:
            raise refusal
        return found, complete

    def _store(self, namespace: str, key: str) -> tuple[Store | None, str]:
        """Return the store, or None and what is the matter with one that was given. One namespace has one address."""
        file = self.stores / namespace if self.stores else None
        try:
            if file is None or not file.is_file():
                return None, ""
            # Read anew each time: a password may be changed, and a file that is gone takes the store back.
            address = file.read_text().strip()
            opened = self._opened.get(namespace)
            if opened is None or opened[0] != address:
                # Not under the lock: a database that is away takes seconds, and other models do not wait for it.
                self._opened[namespace] = address, _checked(Store(address, model=key))
                if opened is not None:
                    opened[1].close()
            return self._opened[namespace][1].about(key), ""
        except (StoreUnavailable, OSError) as error:
            return None, str(error)


def _checked(store: Store) -> Store:
    try:
        store.check_schema()
    except StoreUnavailable:
        store.close()  # it is tried again at every look, and would leave a connection behind each time
        raise
    return store


def _generation_of(resource: Object) -> Generation:
    return str(resource["metadata"]["uid"]), int(resource["metadata"]["generation"])


def _status(resource: Object) -> Status:
    """Return what came of a model; of a status that this release can't read, that it needs a person."""
    try:
        return spammodel.parse_status(resource.get("status") or {})
    except AutoRetrainError as error:
        unread = Condition(
            type="Stalled",
            status=True,
            reason=STATUS_UNREADABLE,
            message=str(error),
            observed_generation=_generation_of(resource)[1],
            last_transition_at=datetime.now(UTC),
        )
        return Status(conditions=(unread,))


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
