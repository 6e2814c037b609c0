"""An API server in memory: resource versions, conflicts, server-side apply, owners, watches with a lag.

Of the fields of an object only a Deployment's `spec.replicas` has managers: the others belong to whoever applied them.
`before` and `after` are called with the number of each call; what they raise ends the call, the first without and the
second with its effect, which is how a crash between any two calls is made.
"""

import copy
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from controller.cache import WatchCache
from controller.cluster import (
    DEPLOYMENT,
    FIELD_MANAGER,
    MODEL_LABEL,
    SPAM_MODEL,
    WATCHED,
    AlreadyExists,
    Conflict,
    Kind,
    NotFound,
    Object,
    Watch,
    key_of,
    kind_of,
)

Place = tuple[str, str, str]

ALLOWED: dict[str, Callable[[Kind], bool]] = {
    **{verb: lambda kind, verb=verb: verb in kind.verbs for verb in ("get", "create", "update", "delete")},
    "apply": lambda kind: kind.verbs >= {"create", "patch"},
    "update_status": lambda kind: "update" in kind.subresources["status"],
}
"""What each call takes of the table."""


@dataclass
class MemoryCluster:
    """Implements `controller.cluster.ClusterPort`."""

    objects: dict[Place, Object] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    before: Callable[[int], None] = lambda _number: None
    after: Callable[[int], None] = lambda _number: None
    missing_kinds: frozenset[str] = frozenset()
    page: int = 100
    applied: dict[Place, dict[str, Object]] = field(default_factory=dict)
    events: deque[tuple[Object, bool]] = field(default_factory=deque)
    _versions: Any = field(default_factory=lambda: itertools.count(1))
    _uids: Any = field(default_factory=lambda: itertools.count(1))
    now: Callable[[], str] = lambda: "2026-03-02T12:00:00Z"

    # The port.

    async def list_pages(
        self, kind: Kind, *, namespace: str | None = None, model: str | None = None
    ) -> AsyncIterator[list[Object]]:
        assert "list" in kind.verbs, f"list {kind.name} is not in the table of verbs"
        if kind.name in self.missing_kinds:
            raise NotFound(kind.name)
        found = [
            thing
            for (name, place, _), thing in self.objects.items()
            if name == kind.name and namespace in (None, place) and self._is_listed(kind, thing, model)
        ]
        shown = ("apiVersion", "kind", "metadata") if kind.metadata_only else None
        for start in range(0, len(found), self.page):
            page = found[start : start + self.page]
            yield [copy.deepcopy({name: thing[name] for name in shown or thing}) for thing in page]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        with self._call("get", kind, name):
            return copy.deepcopy(self._found(kind, namespace, name))

    async def create(self, thing: Object) -> Object:
        kind = kind_of(thing)
        with self._call("create", kind, thing["metadata"]["name"]):
            place = (kind.name, *key_of(thing))
            if place in self.objects:
                raise AlreadyExists(str(place))
            return self._store(place, {**copy.deepcopy(thing), "metadata": self._fresh(thing)})

    async def apply(self, thing: Object, *, manager: str = FIELD_MANAGER, force: bool = True) -> Object:
        kind = kind_of(thing)
        with self._call("apply", kind, thing["metadata"]["name"]):
            if kind.name in self.missing_kinds:
                raise NotFound(kind.name)
            place = (kind.name, *key_of(thing))
            wanted = copy.deepcopy(thing)
            old = self.objects.get(place)
            before = self.applied.get(place, {}).get(manager, {})
            merged = (
                _merge(_without(old, before, wanted), wanted) if old else {**wanted, "metadata": self._fresh(thing)}
            )
            if kind is DEPLOYMENT:
                merged = _with_replicas(merged, old or {}, wanted, manager=manager, force=force)
            self.applied.setdefault(place, {})[manager] = wanted
            return copy.deepcopy(old) if merged == old and old else self._store(place, merged)

    async def update(self, thing: Object) -> Object:
        kind = kind_of(thing)
        with self._call("update", kind, thing["metadata"]["name"]):
            old = self._unchanged(thing)
            return self._store((kind.name, *key_of(thing)), {**old, **copy.deepcopy(thing)})

    async def update_status(self, thing: Object) -> Object:
        kind = kind_of(thing)
        with self._call("update_status", kind, thing["metadata"]["name"]):
            old = self._unchanged(thing)
            return self._store((kind.name, *key_of(thing)), {**old, "status": copy.deepcopy(thing["status"])})

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        with self._call("delete", kind, name):
            thing = self.objects.get((kind.name, namespace, name))
            if thing is not None and thing["metadata"]["uid"] == uid:
                self.remove((kind.name, namespace, name))

    async def schema(self, kind: Kind) -> Object:
        raise NotFound(kind.name)

    # What the cluster itself does.

    def put(self, thing: Object) -> Object:
        """Let somebody create the object, or change it: its generation rises as at an API server."""
        place = (kind_of(thing).name, *key_of(thing))
        if place not in self.objects:
            return self._store(place, {**copy.deepcopy(thing), "metadata": self._fresh(thing)})
        thing, old = copy.deepcopy(thing), self.objects[place]
        if kind_of(thing) is DEPLOYMENT and _replicas(thing) != _replicas(old):
            thing["metadata"]["managedFields"] = [_claim("somebody", "Update")]
        return self._store(place, thing)

    def scale(self, namespace: str, name: str, replicas: int) -> Object:
        """Let an autoscaler set the number: it takes it from every other manager."""
        thing = copy.deepcopy(self.objects[DEPLOYMENT.name, namespace, name])
        if _replicas(thing) != replicas:
            thing["spec"]["replicas"] = replicas
            claim = {**_claim("kube-controller-manager", "Update"), "subresource": "scale"}
            thing["metadata"]["managedFields"] = [claim]
        return self._store((DEPLOYMENT.name, namespace, name), thing)

    def remove(self, place: Place) -> None:
        """Delete an object with everything that it owns."""
        thing = self.objects.pop(place)
        self.applied.pop(place, None)
        thing["metadata"]["resourceVersion"] = str(next(self._versions))  # A deletion is a change of its own.
        self.events.append((thing, True))
        uid = thing["metadata"]["uid"]
        for other, child in list(self.objects.items()):
            if other in self.objects and any(o["uid"] == uid for o in child["metadata"].get("ownerReferences", ())):
                self.remove(other)

    def of(self, kind: Kind) -> list[Object]:
        return [thing for (name, _, _), thing in self.objects.items() if name == kind.name]

    def deliver(self, cache: WatchCache) -> None:
        """Let the watches catch up."""
        while self.events:
            thing, gone = self.events.popleft()
            kind = kind_of(thing)
            if kind not in WATCHED or not self._is_listed(kind, thing):
                continue
            (cache.drop if gone else cache.put)(copy.deepcopy(thing))

    # Below.

    def _call(self, verb: str, kind: Kind, name: str) -> "_Call":
        assert ALLOWED[verb](kind), f"{verb} {kind.name} is not in the table of verbs"
        self.calls.append((verb, kind.name, name))
        return _Call(self, len(self.calls))

    def _is_listed(self, kind: Kind, thing: Object, model: str | None = None) -> bool:
        label = thing["metadata"].get("labels", {}).get(MODEL_LABEL)
        return kind.watch is Watch.ALL or (label is not None and model in (None, label))

    def _found(self, kind: Kind, namespace: str, name: str) -> Object:
        try:
            return self.objects[kind.name, namespace, name]
        except KeyError:
            raise NotFound(f"{kind.name} {namespace}/{name}") from None

    def _unchanged(self, thing: Object) -> Object:
        old = self._found(kind_of(thing), *key_of(thing))
        if thing["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Conflict(f"{thing['kind']} was changed")
        return old

    def _fresh(self, thing: Object) -> Object:
        return {"uid": f"uid-{next(self._uids)}", "creationTimestamp": self.now(), **copy.deepcopy(thing["metadata"])}

    def _store(self, place: Place, thing: Object) -> Object:
        old = self.objects.get(place)
        generation = old["metadata"]["generation"] + _is_another(old, thing) if old else 1
        thing["metadata"] = {
            **thing["metadata"],
            "generation": generation,
            "resourceVersion": str(next(self._versions)),
        }
        self.objects[place] = thing
        self.events.append((copy.deepcopy(thing), False))
        return copy.deepcopy(thing)


@dataclass
class _Call:
    """The moments around one call's effect."""

    cluster: MemoryCluster
    number: int

    def __enter__(self) -> None:
        self.cluster.before(self.number)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self.cluster.after(self.number)


def _is_another(old: Object, new: Object) -> bool:
    """Is it another generation? Of a Deployment another annotation makes one, too, as it does at the API server."""
    annotations = [thing["metadata"].get("annotations") or {} for thing in (old, new)]
    return old.get("spec") != new.get("spec") or (kind_of(new) is DEPLOYMENT and annotations[0] != annotations[1])


def _claim(manager: str, operation: str) -> Object:
    fields = {"f:spec": {"f:replicas": {}}}
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}


def _replicas(thing: Object) -> int | None:
    return thing.get("spec", {}).get("replicas")


def _with_replicas(merged: Object, old: Object, wanted: Object, *, manager: str, force: bool) -> Object:
    """Settle the number of replicas after an apply, and who owns it.

    Of a number that another one owns, another value is a conflict, unless it is forced: then it is the other's no more.
    One that nobody owns any more is gone, and a Deployment without one has one replica.
    """
    claims = [each for each in old.get("metadata", {}).get("managedFields", ()) if each["manager"] != manager]
    mine = len(claims) < len(old.get("metadata", {}).get("managedFields", ()))
    number, asked = _replicas(old), _replicas(wanted)
    if asked is None:
        number = 1 if number is None or (mine and not claims) else number
    else:
        if claims and asked != number:
            if not force:
                raise Conflict(f'Apply failed with 1 conflict: conflict with "{claims[0]["manager"]}": .spec.replicas')
            claims = []
        claims, number = [*claims, _claim(manager, "Apply")], asked
    metadata = {**merged["metadata"], "managedFields": claims}
    return {**merged, "metadata": metadata, "spec": {**merged["spec"], "replicas": number}}


def _merge(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: _merge(old.get(name), child) for name, child in new.items()}}
    return new


def _without(old: Any, applied: Any, wanted: Any) -> Any:
    """Drop what was applied before and is not wanted any more."""
    if not (isinstance(old, dict) and isinstance(applied, dict)):
        return old
    kept = wanted if isinstance(wanted, dict) else {}
    return {
        name: _without(child, applied.get(name), kept.get(name))
        for name, child in old.items()
        if name in kept or name not in applied
    }


def spam_model(cluster: MemoryCluster, namespace: str, name: str) -> Object:
    return cluster.objects[SPAM_MODEL.name, namespace, name]
