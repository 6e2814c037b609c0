"""Is the installed resource definition as new as this controller? An older one silently drops status fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from autoretrain.adapters import crd


def missing_fields(installed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of fields of our own schema that `installed` does not know; a newer one may know more."""
    return tuple(_missing(crd.resource_schema(), installed, ""))


def _missing(own: Mapping[str, Any], installed: Mapping[str, Any], path: str) -> Iterator[str]:
    if installed.get("x-kubernetes-preserve-unknown-fields"):
        return
    for name, child in own.get("properties", {}).items():
        if not path and name in {"apiVersion", "kind", "metadata"}:
            continue  # The server writes these itself.
        known = installed.get("properties", {}).get(name)
        if known is None:
            yield f"{path}{name}"
        else:
            yield from _missing(child, known, f"{path}{name}.")
    if "items" in own:
        yield from _missing(own["items"], installed.get("items", {}), f"{path.rstrip('.')}[].")
