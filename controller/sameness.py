"""Is what is there what is wanted? By the hash that we wrote onto it, and by what the server shows of it."""

from collections.abc import Mapping
from typing import Any

from controller.cluster import HASH_ANNOTATION, Object


def annotation_of(thing: Object, name: str) -> str:
    """Return the annotation, '' where there is none."""
    return str(thing["metadata"].get("annotations", {}).get(name, ""))


def hash_of(thing: Object) -> str:
    return annotation_of(thing, HASH_ANNOTATION)


def version_of(thing: Object) -> str:
    """What changes when somebody changes the object, and not with its status: its generation, where it has one."""
    metadata = thing["metadata"]
    return str(metadata.get("generation") or metadata.get("resourceVersion", ""))


def is_part_of(wanted: Any, live: Any) -> bool:
    """Does `live` say everything that `wanted` says? What only the server says (defaults, status) does not count."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            name in live and is_part_of(child, live[name]) for name, child in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(live, list | tuple)
            and len(wanted) == len(live)
            and all(is_part_of(one, other) for one, other in zip(wanted, live, strict=True))
        )
    return bool(wanted == live)
