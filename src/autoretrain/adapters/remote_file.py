"""How the file behind `spec.data.http.url` comes to this machine: once, checked, in bounded time."""

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


def fetch_file(url: str, directory: Path, *, sha256: str | None, authorization: str = "") -> Path:
    """The file's path in `directory`, fetched unless it is there already with the right checksum.

    `authorization` is the value of that header; it goes to the host of `url` alone, and no message shows it.
    Raises BadData where it is too large or its bytes are not those of `sha256`, and Waiting where it can't be had now.
    """
    headers = _authorization_header(authorization.strip())
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # login and signature are secrets
    path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{Path(parts.path).name or 'data'}"
    if path.exists() and (sha256 is None or _sha256_of(path) == sha256):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        _download(url, part, headers=headers, resumes=sha256 is not None)
        if sha256 is not None and _sha256_of(part) != sha256:
            raise BadData(shown, "is not the file of spec.data.sha256")
        part.replace(path)
    except TransferTooLarge as error:
        raise BadData(shown, str(error)) from error
    except httpx.HTTPStatusError as error:
        raise Waiting(f"{shown} answers {error.response.status_code}", delay_seconds=RETRY_SECONDS) from error
    except (TransferTooSlow, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = f"{shown} can't be fetched: {error or type(error).__name__}"
        raise Waiting(reason, delay_seconds=RETRY_SECONDS) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(url: str, part: Path, *, headers: dict[str, str], resumes: bool) -> None:
    """Without a checksum nothing would notice another file after a break, so an attempt then starts anew."""
    until = time.monotonic() + BUDGET_SECONDS
    with httpx.Client(follow_redirects=True, headers=headers, timeout=TIMEOUT) as client:
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
