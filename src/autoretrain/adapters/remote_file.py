"""How the file behind `spec.data.http.url` comes to this machine: once, checked, in bounded time."""

import hashlib
import os
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import stamina

from autoretrain.domain.errors import BadData, Waiting

ATTEMPTS: Final = 3
BUDGET_SECONDS: Final = 120.0
TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
MAX_BYTES: Final = 256 * 1024 * 1024
RETRY_SECONDS: Final = 60.0


def fetch_file(url: str, directory: Path, *, sha256: str | None) -> Path:
    """The file's path in `directory`, fetched unless it is there already with the right checksum.

    Raises BadData where the bytes are not those of `sha256`, and Waiting where they can't be had now.
    """
    name = Path(urlsplit(url).path).name or "data"
    path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    if path.exists() and (sha256 is None or _sha256_of(path) == sha256):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        for attempt in stamina.retry_context(on=_may_pass, attempts=ATTEMPTS, timeout=BUDGET_SECONDS):
            with attempt:
                _download(url, part, until=time.monotonic() + BUDGET_SECONDS)
        if sha256 is not None and _sha256_of(part) != sha256:
            raise BadData(url, "is not the file of spec.data.sha256")
        part.replace(path)
    except httpx.HTTPStatusError as error:
        raise Waiting(f"{url} answers {error.response.status_code}", delay_seconds=RETRY_SECONDS) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = f"{url} can't be fetched: {error or type(error).__name__}"
        raise Waiting(reason, delay_seconds=RETRY_SECONDS) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(url: str, part: Path, *, until: float) -> None:
    with (
        httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client,
        client.stream("GET", url) as response,
        part.open("wb") as file,
    ):
        response.raise_for_status()
        for block in response.iter_bytes():
            if time.monotonic() > until:
                raise httpx.ReadTimeout(f"took longer than {BUDGET_SECONDS:.0f} s")
            if file.tell() + len(block) > MAX_BYTES:
                raise BadData(url, f"is larger than {MAX_BYTES // 1024**2} MiB")
            file.write(block)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in {408, 429, 500, 502, 503, 504}
    return isinstance(error, httpx.TransportError)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
