"""How does the file behind an address of `spec.data` come to this machine? Once, checked, in bounded time."""

import hashlib
import os
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import stamina

from autoretrain.adapters.transfer import TransferTooLarge, TransferTooSlow, may_pass, transfer
from autoretrain.domain.errors import BadData, Waiting

ATTEMPTS: Final = 3
BUDGET_SECONDS: Final = 120.0
TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
MAX_BYTES: Final = 256 * 1024 * 1024
RETRY_SECONDS: Final = 60.0
NAME_CHARACTERS: Final = 100


class Refused(Waiting):
    """The server answered, but not with the file. Of `response` there are status and headers, no body."""

    def __init__(self, message: str, response: httpx.Response) -> None:
        self.response = response
        super().__init__(message, delay_seconds=RETRY_SECONDS)


def fetch_file(
    url: str,
    directory: Path,
    *,
    sha256: str | None,
    authorization: str = "",
    auth: httpx.Auth | None = None,
    shown: str = "",
) -> Path:
    """The file's path in `directory`, fetched unless it is there already with the right checksum.

    `authorization` is the value of that header; it goes to the host of `url` alone, and no message shows it.
    `auth` signs each request; redirects are then not followed, since httpx takes along all headers but one.
    `shown` is what messages call the file; empty means its address without secrets.
    Raises BadData where it is too large or its bytes are not those of `sha256`, and Waiting where it can't be had now
    (Refused where the server says so).
    """
    headers = _authorization_header(authorization.strip())
    parts = urlsplit(url)
    if not shown:
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # login and signature are secrets
    name = Path(parts.path).name[-NAME_CHARACTERS:] or "data"  # its end tells how the file is packed
    path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    if path.exists() and (sha256 is None or _sha256_of(path) == sha256):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        _download(url, part, headers=headers, auth=auth, resumes=sha256 is not None)
        if sha256 is not None and _sha256_of(part) != sha256:
            raise BadData(shown, "is not the file of spec.data.sha256")
        part.replace(path)
    except TransferTooLarge as error:
        raise BadData(shown, str(error)) from error
    except httpx.HTTPStatusError as error:
        raise Refused(f"{shown} answers {error.response.status_code}", error.response) from error
    except (TransferTooSlow, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = f"{shown} can't be fetched: {error or type(error).__name__}"
        raise Waiting(reason, delay_seconds=RETRY_SECONDS) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(url: str, part: Path, *, headers: dict[str, str], auth: httpx.Auth | None, resumes: bool) -> None:
    """Without a checksum nothing would notice another file after a break, so an attempt then starts anew."""
    until = time.monotonic() + BUDGET_SECONDS
    with httpx.Client(follow_redirects=auth is None, headers=headers, auth=auth, timeout=TIMEOUT) as client:
        for attempt in stamina.retry_context(on=may_pass, attempts=ATTEMPTS, timeout=BUDGET_SECONDS):
            with attempt:
                if not resumes:
                    part.unlink(missing_ok=True)
                transfer(client, url, part, until=until, max_bytes=MAX_BYTES)


def _authorization_header(value: str) -> dict[str, str]:
    if not value:
        return {}
    if not (value.isascii() and value.isprintable()):
        raise BadData("spec.data.http.secretRef", "holds characters that no Authorization header may have")
    return {"Authorization": value}


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
