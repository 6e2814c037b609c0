"""How is a version's lineage read from its tags in MLflow? The same however MLflow is reached."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import ValidationError

from autoretrain.adapters.records import load_json
from autoretrain.domain.lineage import Lineage
from autoretrain.domain.training import TrainingSummary

_TOLD = ("run_name", "trigger", "data_source", "data_hash", "code_version")


def read_lineage(
    version: str, tags: Mapping[str, str], *, alias: str, run_id: str, created_milliseconds: int
) -> Lineage:
    """Return what `tags` say; `created_milliseconds` since 1970, 0 where it is not known."""
    created = datetime.fromtimestamp(created_milliseconds / 1000, UTC) if created_milliseconds else None
    return Lineage(
        version=version,
        digest=tags.get("digest", ""),
        alias=alias,
        registered_at=created,
        run_id=run_id,
        **{name: tags.get(name, "") for name in _TOLD},
        summary=_summary(tags.get("summary", "")),
    )


def _summary(text: str) -> TrainingSummary | None:
    """A report that another release wrote, in a shape of its own, hides nothing else of the version."""
    try:
        return load_json(TrainingSummary, text) if text else None
    except ValidationError:
        return None
