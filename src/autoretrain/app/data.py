"""Which labelled messages does this machine train on, and where do they come from?

In this order: the file that a person names (`--data`, `AUTORETRAIN_DATA`), the document's file, address or object.
Where the address is that of the UCI collection and can't be reached, a sample that the project generates stands in. It
is never passed off as anything else, and never stands in for somebody's own data.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autoretrain.adapters import download, sample_files, spammodel
from autoretrain.adapters.datasets import read_dataset
from autoretrain.adapters.remote_file import fetch_file
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.stored_object import fetch_object
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.spec import DataFormat, DataSpec

DATA_DIRECTORY: Final = Path("data")
UCI_NOTE: Final = "UCI SMS Spam Collection (Almeida, Gómez Hidalgo; CC BY 4.0)"
SAMPLE_NOTE: Final = "GENERATED SAMPLE: no real messages, figures say nothing about UCI's"
WARNING: Final = """
!!! {reason}.
!!! Going on with messages that AutoRetrain GENERATED ({path}). Nobody ever sent them:
!!! no figure of this model says anything about the UCI collection or about real traffic.
!!! With a copy of the collection, or your own messages: AUTORETRAIN_DATA=FILE, or --data FILE.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """The rows, and one sentence about their origin that goes wherever their figures go."""

    rows: tuple[LabelledMessage, ...]
    source_note: str
    path: Path
    generated_sample: bool = False


def prepare_data(
    settings: Settings,
    *,
    fetch_uci: Callable[[Path], Path] = download.fetch_uci,
    directory: Path = DATA_DIRECTORY,
    may_generate: bool = True,
) -> PreparedData:
    """Read the base data, fetching or generating it first where it is not there yet.

    `fetch_uci` puts the UCI collection into a directory and returns its path, or raises DownloadFailed; then the sample
    is used, and stderr says so, unless it must not (`may_generate`). What is fetched is kept in `directory`.
    Raises BadData where a file is missing or wrong, InvalidSpec where the document is, Waiting where somebody's own
    address or store can't be reached.
    """
    document = spammodel.load_document(settings.spec)
    data = spammodel.parse_spam_model(document, uid="", generation=0).spec.data
    if settings.data is not None:
        # The file need not be written like the one that it replaces: its name tells how.
        return _read(settings.data, data, written_as=None)
    if data.path is not None:
        path = Path(data.path)
        _require_checksum(path, data)
        return _read(path, data, written_as=data.format)
    if data.url in download.ADDRESSES:
        return _uci_or_sample(fetch_uci, directory=directory, may_generate=may_generate)
    if data.url is not None:
        authorization = settings.data_authorization.get_secret_value()
        path = fetch_file(data.url, directory, sha256=data.sha256, authorization=authorization)
        return _read(path, data, written_as=data.format)
    if data.s3 is not None:
        path = fetch_object(data.s3, directory, sha256=data.sha256, settings=settings)
        return _read(path, data, written_as=data.format)
    raise BadData("spec.data", "names no source")


def _uci_or_sample(fetch_uci: Callable[[Path], Path], *, directory: Path, may_generate: bool) -> PreparedData:
    try:
        path = fetch_uci(directory)
    except download.DownloadFailed as error:
        if not may_generate:
            raise
        path = directory / sample_files.FILE_NAME
        if not path.exists():
            path = sample_files.write_sample(directory)
        sys.stderr.write(WARNING.format(reason=error, path=path))
    return _described(tuple(read_dataset(path, format=DataFormat.TSV)), path)


def _read(path: Path, data: DataSpec, *, written_as: DataFormat | None) -> PreparedData:
    rows = read_dataset(
        path,
        format=written_as,
        text_field=data.text_field,
        label_field=data.label_field,
        label_map=dict(data.label_map),
    )
    return _described(tuple(rows), path)


def _described(rows: tuple[LabelledMessage, ...], path: Path) -> PreparedData:
    """By what the file is, not by how it came here."""
    sample = path.name == sample_files.FILE_NAME
    note = f"file {path}"
    if sample:
        note = f"{SAMPLE_NOTE} ({path})"
    elif _sha256_of(path) == download.SHA256:
        note = f"{UCI_NOTE}, {path}"
    return PreparedData(rows=rows, source_note=note, path=path, generated_sample=sample)


def _require_checksum(path: Path, data: DataSpec) -> None:
    if data.sha256 is not None and path.exists() and _sha256_of(path) != data.sha256:
        raise BadData(str(path), "is not the file of spec.data.sha256")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
