"""What does a file of labelled messages say? TSV, CSV and JSONL, plain, gzipped or zipped, read whole or not at all."""

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.spec import DataFormat

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_MESSAGE_CHARACTERS = 20_000

FORMATS = {
    ".tsv": DataFormat.TSV,
    ".txt": DataFormat.TSV,
    "": DataFormat.TSV,  # the UCI file has no ending
    ".csv": DataFormat.CSV,
    ".jsonl": DataFormat.JSONL,
    ".ndjson": DataFormat.JSONL,
}

_HEADER_LABELS = frozenset({"label", "labels", "class", "category", "type", "target", "v1"})
_SHOWN_LABEL_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the file has it; `line` is the line that it ends on, counted from 1."""

    line: int
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFile:
    """All of one file. `blank` counts the records without any text, which `messages` leaves out."""

    messages: tuple[LabelledMessage, ...]
    blank: int


class Reading(TypedDict, total=False):
    """How a file is to be read; the first four are `spec.data` of the document.

    `format` None goes by the file's name. Labels are read by `label_map` (default: ham and spam themselves), or, where
    `spam_label` is given, as that value and one other, which means ham. Case of labels does not matter.
    """

    format: DataFormat | None
    text_field: str
    label_field: str
    label_map: Mapping[str, str] | None
    spam_label: str | None
    encoding: str


def read_labelled_file(path: Path, **reading: Unpack[Reading]) -> LabelledFile:
    """Read labelled messages, or raise BadData with file, line and reason."""
    source = str(path)
    label_of = _label_reader(source, label_map=reading.get("label_map"), spam_label=reading.get("spam_label"))
    name, data = _file_content(path)
    kind = reading.get("format") or _format_of(name, source=source)
    text = _decoded(data, source=source, encoding=reading.get("encoding", "utf-8"))
    fields = (reading.get("text_field", "text"), reading.get("label_field", "label"))
    rows_of = {DataFormat.TSV: _tsv_rows, DataFormat.CSV: _csv_rows, DataFormat.JSONL: _jsonl_rows}[kind]
    messages: list[LabelledMessage] = []
    blank = 0
    for row in rows_of(text, source, *fields):
        label = label_of(row)
        message = row.text.strip()
        if len(message) > MAX_MESSAGE_CHARACTERS:
            raise BadData(source, f"the message is longer than {MAX_MESSAGE_CHARACTERS} characters", line=row.line)
        if message:
            messages.append(LabelledMessage(text=message, label=label))
        else:
            blank += 1
    if not messages:
        raise BadData(source, "holds no labelled message")
    return LabelledFile(messages=tuple(messages), blank=blank)


def _file_content(path: Path) -> tuple[str, bytes]:
    """The name that tells the format, and the unpacked bytes."""
    source = str(path)
    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return path.stem, _bounded(unpacked.read, source)
            if path.suffix.lower() == ".zip":
                with zipfile.ZipFile(file) as archive:
                    member = _only_member(archive, source)
                    with archive.open(member) as unpacked_member:
                        return member.filename, _bounded(unpacked_member.read, source)
            return path.name, _bounded(file.read, source)
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BadData(source, f"can't be unpacked: {error}") from error
    except OSError as error:
        raise BadData(source, f"can't be read: {error.strerror or error}") from error


def _bounded(read: Callable[[int], bytes], source: str) -> bytes:
    data = read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadData(source, f"is larger than {MAX_FILE_BYTES // 1024**2} MiB unpacked")
    return data


def _only_member(archive: zipfile.ZipFile, source: str) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir() and "readme" not in m.filename.lower()]
    if len(members) != 1:
        raise BadData(source, f"holds {len(members)} files beside a readme; exactly one is expected")
    return members[0]


def _format_of(name: str, *, source: str) -> DataFormat:
    try:
        return FORMATS[Path(name).suffix.lower()]
    except KeyError:
        endings = ", ".join(ending for ending in FORMATS if ending)
        raise BadData(source, f"the name does not tell the format ({endings}, also with .gz); set the format") from None


def _decoded(data: bytes, *, source: str, encoding: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadData(source, "is written in UTF-16; save it as UTF-8", line=1)
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x}"
        hint = f"save it as UTF-8, as in: iconv -f CP1252 -t UTF-8 {Path(source).name}"
        raise BadData(source, f"is not {encoding} ({byte}); {hint}", line=line) from None
    if "\0" in text:
        raise BadData(source, "holds a NUL byte, so this is no text", line=text.count("\n", 0, text.index("\0")) + 1)
    return text


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Only a line feed ends a line here: messages contain the other separators that str.splitlines would split at.
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if line.strip():
            yield number, line


def _tsv_rows(text: str, source: str, text_field: str, label_field: str) -> Iterator[Row]:
    label_at, text_at, first = 0, 1, True
    for number, line in _lines(text):
        cells = line.split("\t")
        if first:
            first = False
            names = [cell.strip().casefold() for cell in cells]
            if label_field.casefold() in names and text_field.casefold() in names:
                label_at, text_at = names.index(label_field.casefold()), names.index(text_field.casefold())
                continue
            if len(names) > 1 and names[0] in _HEADER_LABELS:
                continue
        if len(cells) <= max(label_at, text_at):
            raise BadData(source, "has no tab between label and text", line=number)
        if (label_at, text_at) == (0, 1):
            cells = line.split("\t", 1)  # a message may contain tabs
        yield Row(number, cells[label_at], cells[text_at])


def _csv_rows(text: str, source: str, text_field: str, label_field: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        label_at, text_at = (_column(header, name, source=source) for name in (label_field, text_field))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                reason = f"has {len(cells)} columns where the header has {len(header)}"
                raise BadData(source, reason, line=reader.line_num)
            yield Row(reader.line_num, cells[label_at], cells[text_at])
    except csv.Error as error:
        raise BadData(source, f"is no CSV: {error}", line=reader.line_num) from None


def _column(header: list[str], name: str, *, source: str) -> int:
    if name in header:
        return header.index(name)
    # A file without a header would show its first message here.
    known = ", ".join(header) if all(len(cell) <= _SHOWN_LABEL_CHARACTERS for cell in header) else "other names"
    hint = "name it with spec.data.textField and spec.data.labelField (--text-field, --label-field)"
    raise BadData(source, f"has no column {name!r} but {known or 'none'}; {hint}", line=1)


def _jsonl_rows(text: str, source: str, text_field: str, label_field: str) -> Iterator[Row]:
    for number, line in _lines(text):
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            raise BadData(source, "is no JSON", line=number) from None
        if not isinstance(record, dict):
            raise BadData(source, "is no JSON object", line=number)
        for name in (text_field, label_field):
            if name not in record:
                raise BadData(source, f"has no key {name!r}", line=number)
        message, label = record[text_field], record[label_field]
        if not isinstance(message, str):
            raise BadData(source, f"the value of {text_field!r} is no text", line=number)
        yield Row(number, label if isinstance(label, str) else json.dumps(label), message)


def _label_reader(
    source: str, *, label_map: Mapping[str, str] | None, spam_label: str | None
) -> Callable[[Row], Label]:
    if spam_label is not None:
        return _spam_label_reader(source, spam_label.strip().casefold())
    known = _known_labels(label_map or {"ham": "ham", "spam": "spam"})

    def label_of(row: Row) -> Label:
        try:
            return known[row.label.strip().casefold()]
        except KeyError:
            reason = f"{_shown(row.label)} is none of {', '.join(known)}; spec.data.labelMap says what labels mean"
            raise BadData(source, reason, line=row.line) from None

    return label_of


def _known_labels(label_map: Mapping[str, str]) -> dict[str, Label]:
    try:
        return {str(value).strip().casefold(): Label(meaning) for value, meaning in label_map.items()}
    except ValueError as error:
        raise BadData("spec.data.labelMap", f"{error}; the meanings are ham and spam") from None


def _spam_label_reader(source: str, spam: str) -> Callable[[Row], Label]:
    ham: list[str] = []

    def label_of(row: Row) -> Label:
        value = row.label.strip().casefold()
        if value == spam:
            return Label.SPAM
        if not ham:
            ham.append(value)
        if value != ham[0] or not value:
            reason = f"{_shown(row.label)} is a third label beside {_shown(spam)} and {_shown(ham[0])}"
            raise BadData(source, reason, line=row.line)
        return Label.HAM

    return label_of


def _shown(label: str) -> str:
    """A label for a message to the user; where columns are mixed up it is a message, and stays unseen."""
    short = label.strip()
    one_word = len(short) <= _SHOWN_LABEL_CHARACTERS and len(short.split()) < 2
    return f"the label {short!r}" if one_word else "the label"
