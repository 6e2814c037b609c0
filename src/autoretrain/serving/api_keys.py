"""Who sent this request? Names behind API keys, from a file that may change while we serve."""

import hashlib
import hmac
from pathlib import Path
from typing import Final

import structlog

from autoretrain.domain.errors import AutoRetrainError

log = structlog.get_logger(__name__)

HEADER: Final = "x-api-key"
ANONYMOUS: Final = "anonymous"
MIN_KEY_CHARACTERS: Final = 16


class BadKeysFile(AutoRetrainError):  # noqa: N818 - named for the file
    """The keys file can't be read or understood; says the line, never a key."""


class ApiKeys:
    """The active keys. A source may have several, so that one can be replaced without a gap.

    Lines are `source: key`; empty ones and those beginning with # are skipped. A directory, as a Secret is mounted, has
    a file for each source with its keys, a line a key. What changed is read again on the next request; where it is
    wrong now, the keys read before stay in force.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._sources: tuple[tuple[str, bytes], ...] = ()
        if path is not None:
            self._stamp, self._sources = _stamp(path), parse_keys(path)

    @property
    def configured(self) -> bool:
        """Whether keys are in use here at all: an empty file means that no key is good, not that none is needed."""
        return self._path is not None

    def source_of(self, key: str) -> str | None:
        """The name behind `key`, None for an unknown one. Takes equally long for each."""
        self._refresh()
        offered = _hash(key)
        found = None
        for source, digest in self._sources:
            if hmac.compare_digest(offered, digest):
                found = source
        return found

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._sources = parse_keys(self._path)
        except BadKeysFile as error:
            log.error("API keys kept as they were", reason=str(error))


def parse_keys(path: Path) -> tuple[tuple[str, bytes], ...]:
    """(source, hash of the key) of each line; raises BadKeysFile."""
    if path.is_dir():
        # A Secret's own `..data` begins with a dot, as do the leftovers of editors.
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        lines = [f"{file.name}: {line}" for file in files for line in _lines(file) if line.strip()]
    else:
        lines = _lines(path)
    sources = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        source, colon, key = (part.strip() for part in line.partition(":"))
        if not colon or not source or len(source) > 64 or source == ANONYMOUS:
            raise BadKeysFile(f"API keys file {path}, line {number}: not `source: key`")
        if len(key) < MIN_KEY_CHARACTERS:
            raise BadKeysFile(f"API keys file {path}, line {number}: a key has {MIN_KEY_CHARACTERS} characters or more")
        sources.append((source, _hash(key)))
    return tuple(sources)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise BadKeysFile(f"API keys file {path}: {reason}") from None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        # All files of a mounted Secret change at once, when `..data` becomes another directory.
        data = path / "..data"
        status = (data if data.exists() else path).stat()
    except OSError as error:
        raise BadKeysFile(f"API keys file {path}: {error.strerror}") from None
    # A mounted Secret is replaced as a whole, and a copy may keep its time: the inode tells those apart.
    return status.st_mtime_ns, status.st_ino
