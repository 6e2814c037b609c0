"""Which manual verbs does a SpamModel carry? Changing tokens in its annotations, each acted on once."""

from collections.abc import Mapping
from typing import Any, Final

from autoretrain.adapters.request_annotations import ANNOTATIONS
from autoretrain.domain.spec import Requests
from controller.cluster import GROUP

MOST_CHARACTERS: Final = 500
ADOPTS: Final = f"{GROUP}/adopt-registered-model"


def parse_requests(document: Mapping[str, Any]) -> Requests:
    """Return the requests that the annotations of `document` make; what people wrote is cut at 500 characters."""
    annotations = document["metadata"].get("annotations") or {}
    return Requests(
        **{field: str(annotations.get(name, "")).strip()[:MOST_CHARACTERS] for field, name in ANNOTATIONS.items()}
    )


def adopts_registry(document: Mapping[str, Any]) -> bool:
    """May the registered model be taken over from its present owner?"""
    annotations = document["metadata"].get("annotations") or {}
    return str(annotations.get(ADOPTS, "")).lower() in {"yes", "true"}
