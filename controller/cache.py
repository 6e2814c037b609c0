"""What is known of the cluster without asking it: the newest state of every watched object, by kind and name.

Watches fill it, the answers to our own writes are put into it at once, and a listing now and then drops what a watch
lost. A pass reads from here, which is why a steady one makes no call.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final

from controller.cluster import DEPLOYMENT, KINDS, MODEL_LABEL, POD, SPAM_MODEL, Kind, Object, key_of, kind_of

Key = tuple[str, str]
Listener = Callable[[Key], None]

_WITHOUT_STATUS: Final = frozenset(kind.name for kind in KINDS if kind.kept and kind is not DEPLOYMENT)
"""Kinds of which no pass reads the status."""
_UNUSED_METADATA: Final = ("managedFields", "selfLink")
_MOST_SHARED: Final = 2**14
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class WatchCache:
    """Objects by kind, each under namespace and name, and those of one SpamModel together.

    `changed` is told the key of the SpamModel whenever one of its objects changed.
    """

    def __init__(self, changed: Listener = lambda _key: None) -> None:
        self.changed = changed
        self._objects: dict[str, dict[Key, Object]] = defaultdict(dict)
        self._of_model: dict[str, dict[Key, dict[Key, Object]]] = defaultdict(lambda: defaultdict(dict))
        self._seen_at: dict[tuple[str, Key], float] = {}

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects[kind.name].get((namespace, name))

    def all(self, kind: Kind) -> tuple[Object, ...]:
        return tuple(self._objects[kind.name].values())

    def of_model(self, kind: Kind, key: Key) -> tuple[Object, ...]:
        """Return the objects of `kind` that carry the label of the SpamModel `key`."""
        group = self._of_model[kind.name].get(key)
        return tuple(group.values()) if group else ()

    def put(self, thing: Mapping[str, Any]) -> None:
        """Remember the object, unless a newer state of it is known."""
        kind, key = kind_of(thing).name, key_of(thing)
        known = self._objects[kind].get(key)
        if known is not None and not _is_newer(thing, known):
            self._seen_at[kind, key] = time.monotonic()
            return
        slim = _slim(thing)
        self._seen_at[kind, key] = time.monotonic()
        if known is not None and kind in _WITHOUT_STATUS and _same(slim, known):
            return  # An autoscaler's status changes all the time, and no pass reads it.
        self._objects[kind][key] = slim
        if (model := model_key(slim)) is not None:
            self._of_model[kind][model][key] = slim
            self.changed(model)

    def drop(self, thing: Mapping[str, Any]) -> None:
        """Forget the object, unless another one of its name has come since."""
        kind, key = kind_of(thing).name, key_of(thing)
        known = self._objects[kind].get(key)
        if known is None or known["metadata"].get("uid") != thing["metadata"].get("uid"):
            return
        del self._objects[kind][key]
        self._seen_at.pop((kind, key), None)
        if (model := model_key(known)) is not None:
            group = self._of_model[kind][model]
            group.pop(key, None)
            if not group:
                del self._of_model[kind][model]
            self.changed(model)

    def drop_unlisted(self, kind: Kind, listed: AbstractSet[Key], *, listed_at: float, namespace: str | None) -> None:
        """Forget what a listing that began at `listed_at` (monotonic) lacks and was not seen since: it is gone."""
        for key, known in list(self._objects[kind.name].items()):
            elsewhere = namespace is not None and key[0] != namespace
            if key not in listed and not elsewhere and self._seen_at.get((kind.name, key), 0.0) < listed_at:
                self.drop(known)


def model_key(thing: Mapping[str, Any]) -> Key | None:
    """Return the SpamModel that the object belongs to; a SpamModel belongs to itself."""
    if thing["kind"] == SPAM_MODEL.name:
        return key_of(thing)
    name = thing["metadata"].get("labels", {}).get(MODEL_LABEL)
    return (thing["metadata"].get("namespace", ""), name) if name else None


def _is_newer(thing: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    if thing["metadata"].get("uid") != known["metadata"].get("uid"):
        return True
    return _version(thing) > _version(known)


def _version(thing: Mapping[str, Any]) -> int:
    """Resource versions of one kind can be compared as numbers."""
    return int(thing["metadata"].get("resourceVersion") or 0)


def _same(one: Object, other: Object) -> bool:
    """Are two states equal in all but the version?"""
    first, second = ({**each["metadata"], "resourceVersion": ""} for each in (one, other))
    return {**one, "metadata": first} == {**other, "metadata": second}


def _slim(thing: Mapping[str, Any]) -> Object:
    """Return the object without what no pass reads: a thousand models have many Pods."""
    metadata = {name: value for name, value in thing["metadata"].items() if name not in _UNUSED_METADATA}
    if _LAST_APPLIED in metadata.get("annotations", {}):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != _LAST_APPLIED}
    if "labels" in metadata:
        metadata["labels"] = _shared(tuple(metadata["labels"].items()))
    if "ownerReferences" in metadata:
        metadata["ownerReferences"] = [_shared(tuple(owner.items())) for owner in metadata["ownerReferences"]]
    slim = {**thing, "metadata": metadata}
    if thing["kind"] in _WITHOUT_STATUS:
        slim.pop("status", None)
    if thing["kind"] == POD.name:
        slim["spec"] = {}
    return slim


@lru_cache(maxsize=_MOST_SHARED)
def _shared(items: tuple[tuple[str, Any], ...]) -> Object:
    """Return one object for all equal ones: a model's children have the same owner."""
    return dict(items)
