"""Which document held last, where the present one can't be followed? The one in the newest settings ConfigMap."""

from collections.abc import Iterable
from typing import Any, Final

import yaml

from controller.cluster import Object, is_owned_by

FILE: Final = "spammodel.yaml"


def last_good_document(config_maps: Iterable[Object], *, uid: str) -> dict[str, Any] | None:
    """Return the document of the newest owned ConfigMap that holds one; None where there is none."""
    owned = [thing for thing in config_maps if is_owned_by(thing, uid) and FILE in thing.get("data", {})]
    newest_first = sorted(owned, key=lambda thing: str(thing["metadata"].get("creationTimestamp", "")), reverse=True)
    for thing in newest_first:
        document = yaml.safe_load(thing["data"][FILE])
        if isinstance(document, dict):
            return document
    return None
