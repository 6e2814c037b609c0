"""What is a recorded history? Messages in the order of their arrival with what was learnt of them, a line each.

JSONL, an object a line, or TSV with a header that names the columns. `time` (RFC 3339, with a zone) and `text` are
needed; `label` (ham or spam), `labelled_at` (when the label arrived) and `audit_probability` (with which the message
was drawn for the audit sample) may be absent, null or empty. Anything else is ignored.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.labelled_files import MAX_MESSAGE_CHARACTERS
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label

EVENLY_FROM: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""The time of the first message where times are made up: a Monday."""

MAX_LINE_BYTES: Final = 6 * MAX_MESSAGE_CHARACTERS + 10_000  # each character may be written as \\uXXXX
_NEEDED: Final = ("time", "text")
_KNOWN: Final = (*_NEEDED, "label", "labelled_at", "audit_probability")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMessage:
    """One message of a history. Times are UTC; None is what is not known of it."""

    at: datetime
    text: str
    label: Label | None = None
    labelled_at: datetime | None = None
    audit_probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFile:
    """A history that was read once and found good. `audited` says that it has an audit sample of its own."""

    path: Path
    every: timedelta | None
    messages: int
    labelled: int
    spam: int
    audited: bool
    first_at: datetime
    last_at: datetime

    @classmethod
    def checked(cls, path: Path, *, every: timedelta | None = None) -> "HistoryFile":
        """Read the whole file, keeping nothing of it. With `every` messages come evenly, whatever their times.

        Raises BadData with file, line and reason where it can't be replayed.
        """
        messages = labelled = spam = drawn = 0
        first_at = last_at = EVENLY_FROM
        for row in read_history(path, every=every):
            first_at = row.at if messages == 0 else first_at
            messages, last_at = messages + 1, row.at
            labelled += row.label is not None
            spam += row.label is Label.SPAM
            drawn += row.audit_probability is not None
        if not messages:
            raise BadData(str(path), "holds no message")
        if not labelled:
            raise BadData(str(path), "holds no label, so nothing can be measured or learnt")
        return cls(
            path=path,
            every=every,
            messages=messages,
            labelled=labelled,
            spam=spam,
            audited=drawn > 0,
            first_at=first_at,
            last_at=last_at,
        )

    def read(self) -> Iterator[RecordedMessage]:
        return read_history(self.path, every=self.every)


def read_history(path: Path, *, every: timedelta | None) -> Iterator[RecordedMessage]:
    """Yield the messages of a file, one line in memory at a time. Raises BadData with file, line and reason."""
    kind = path.suffix.lower()
    if kind not in {".jsonl", ".ndjson", ".tsv"}:
        raise BadData(str(path), "the name does not tell the format: .jsonl (or .ndjson) or .tsv")
    fields_of = _tsv_fields if kind == ".tsv" else _json_fields
    before: datetime | None = None
    try:
        with path.open("rb") as file:
            for count, (line, fields) in enumerate(fields_of(_lines(file, str(path)), str(path))):
                made_up = None if every is None else EVENLY_FROM + count * every
                row = _message(fields, source=str(path), line=line, at=made_up)
                if before is not None and row.at < before:
                    raise BadData(
                        str(path), f"its time is before that of the message above ({before:%F %T})", line=line
                    )
                before = row.at
                yield row
    except OSError as error:
        raise BadData(str(path), f"can't be read: {error.strerror or error}") from error


def write_history(path: Path, rows: Iterable[RecordedMessage]) -> int:
    """Write JSONL that only its owner may read, since it holds messages; return how many. Replaces a file whole."""
    new = path.with_name(f"{path.name}.new")
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(_fields(row), ensure_ascii=False) + "\n")
                written += 1
        new.replace(path)
    except OSError as error:
        raise BadData(str(path), f"can't be written: {error.strerror or error}") from error
    return written


def _fields(row: RecordedMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {"time": row.at.isoformat(), "text": row.text}
    if row.label is not None:
        fields["label"] = row.label.value
    if row.labelled_at is not None:
        fields["labelled_at"] = row.labelled_at.isoformat()
    if row.audit_probability is not None:
        fields["audit_probability"] = row.audit_probability
    return fields


def _lines(file: Iterable[bytes], source: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(file, start=1):
        if len(raw) > MAX_LINE_BYTES:
            raise BadData(source, f"is longer than {MAX_LINE_BYTES} bytes", line=number)
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise BadData(source, "is not UTF-8", line=number) from None
        if text.strip():
            yield number, text


def _json_fields(lines: Iterator[tuple[int, str]], source: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in lines:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):  # a number may have too many digits to be one
            raise BadData(source, "is no JSON", line=number) from None
        if not isinstance(fields, dict):
            raise BadData(source, "is no JSON object", line=number)
        yield number, fields


def _tsv_fields(lines: Iterator[tuple[int, str]], source: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header: list[str] = []
    for number, line in lines:
        cells = line.split("\t")
        if not header:
            header = [cell.strip() for cell in cells]
            if "text" not in header:
                raise BadData(source, f"the first line has to name the columns: {', '.join(_KNOWN)}", line=number)
        elif len(cells) != len(header):
            raise BadData(source, f"has {len(cells)} columns where the header has {len(header)}", line=number)
        else:
            yield number, dict(zip(header, cells, strict=True))


def _message(fields: Mapping[str, Any], *, source: str, line: int, at: datetime | None) -> RecordedMessage:
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadData(source, "has no text", line=line)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise BadData(source, f"the text is longer than {MAX_MESSAGE_CHARACTERS} characters", line=line)
    at = at or _time(fields, "time", source=source, line=line)
    if at is None:
        raise BadData(source, "has no time; --messages-per-hour lets messages come evenly instead", line=line)
    label = _label(fields.get("label"), source=source, line=line)
    return RecordedMessage(
        at=at,
        text=text,
        label=label,
        labelled_at=_time(fields, "labelled_at", source=source, line=line) if label else None,
        audit_probability=_probability(fields.get("audit_probability"), source=source, line=line),
    )


def _time(fields: Mapping[str, Any], name: str, *, source: str, line: int) -> datetime | None:
    value = fields.get(name)
    if value in (None, ""):
        return None
    try:
        at = datetime.fromisoformat(value)
        utc = at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise BadData(source, f"{name} is no time as 2026-03-02T09:30:00Z", line=line) from None
    if at.tzinfo is None:
        raise BadData(source, f"{name} has no time zone; write it as 2026-03-02T09:30:00Z", line=line)
    return utc


def _label(value: object, *, source: str, line: int) -> Label | None:
    if value in (None, ""):
        return None
    try:
        return Label(str(value).strip().lower())
    except ValueError:
        raise BadData(source, "the label is neither ham nor spam", line=line) from None


def _probability(value: object, *, source: str, line: int) -> float | None:
    if value in (None, ""):
        return None
    try:
        probability = float(str(value))
    except ValueError:
        probability = math.nan
    if not 0 < probability <= 1:
        raise BadData(source, "audit_probability is no number above 0 and at most 1", line=line)
    return probability
