"""Who sent this request? Names behind API keys, from a file that may change while we serve."""

import hashlib
import hmac
from pathlib import Path

import structlog

from autoretrain.adapters.key_file import BadKeysFile, read_keys

log = structlog.get_logger(__name__)


class ApiKeys:
    """The active keys. A source may have several, so that one can be replaced without a gap.

    What changed is read again on the next request; where it is wrong now, the keys read before stay in force.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._sources: tuple[tuple[str, bytes], ...] = ()
        if path is not None:
            self._stamp, self._sources = _stamp(path), _hashed(path)

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
            self._sources = _hashed(self._path)
        except BadKeysFile as error:
            log.error("API keys kept as they were", reason=str(error))


def _hashed(path: Path) -> tuple[tuple[str, bytes], ...]:
    return tuple((source, _hash(key)) for source, key in read_keys(path))


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
