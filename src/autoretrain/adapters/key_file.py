"""Which API keys are there? A file of `source: key` lines, or a directory as a Secret is mounted."""

from pathlib import Path
from typing import Final

from autoretrain.domain.errors import AutoRetrainError

HEADER: Final = "x-api-key"
ANONYMOUS: Final = "anonymous"
MIN_KEY_CHARACTERS: Final = 16


class BadKeysFile(AutoRetrainError):  # noqa: N818 - named for the file
    """The keys file can't be read or understood; says the line, never a key."""


def read_keys(path: Path) -> list[tuple[str, str]]:
    """Return (source, key) of each line; raises BadKeysFile.

    Empty lines and those beginning with # are skipped. A directory has a file for each source with its keys, a line a
    key.
    """
    if path.is_dir():
        # A Secret's own `..data` begins with a dot, as do the leftovers of editors.
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        lines = [f"{file.name}: {line}" for file in files for line in _lines(file) if line.strip()]
    else:
        lines = _lines(path)
    keys = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        source, colon, key = (part.strip() for part in line.partition(":"))
        if not colon or not source or len(source) > 64 or source == ANONYMOUS:
            raise BadKeysFile(f"API keys file {path}, line {number}: not `source: key`")
        if len(key) < MIN_KEY_CHARACTERS:
            raise BadKeysFile(f"API keys file {path}, line {number}: a key has {MIN_KEY_CHARACTERS} characters or more")
        keys.append((source, key))
    return keys


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise BadKeysFile(f"API keys file {path}: {reason}") from None
