"""How the UCI SMS Spam Collection comes to this machine: several addresses, one checksum, no endless waiting."""

import hashlib
import io
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import stamina

from autoretrain.adapters.transfer import TransferTooLarge, TransferTooSlow, may_pass, transfer
from autoretrain.domain.errors import AutoRetrainError

ADDRESSES = (
    "https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00228/smsspamcollection.zip",
    "https://raw.githubusercontent.com/justmarkham/pycon-2016-tutorial/master/data/sms.tsv",
    "https://raw.githubusercontent.com/krishnaik06/SpamClassifier/master/smsspamcollection/SMSSpamCollection",
    "https://raw.githubusercontent.com/remijul/dataset/master/SMSSpamCollection",
)
FILE_NAME = "SMSSpamCollection"
SHA256 = "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d"
"""Of the published file, 477,907 bytes. A mirror counts when it is that file, with or without a header row."""

ATTRIBUTION = """\
SMS Spam Collection by Tiago A. Almeida and José María Gómez Hidalgo, UCI Machine Learning Repository, 2011,
https://doi.org/10.24432/C5CC84, used under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), unchanged.
"""

BUDGET_SECONDS = 20.0
CONNECT_TIMEOUT_SECONDS = 4.0
READ_TIMEOUT_SECONDS = 6.0
ATTEMPTS = 3
MAX_BYTES = 16 * 1024 * 1024


class DownloadFailed(AutoRetrainError):  # noqa: N818 - named like its siblings in domain.errors
    """No address gave the file; the message is one sentence for the user."""


class _Unusable(Exception):  # noqa: N818 - never leaves this module
    """This address is of no use, and asking it again would not help."""


class _Unreachable(_Unusable):
    """Nor would another path on the same server."""


@dataclass(frozen=True, slots=True)
class _Deadline:
    at: float

    @property
    def left(self) -> float:
        return self.at - time.monotonic()

    def check(self) -> None:
        if self.left <= 0:
            raise _Unusable("took too long")


def fetch_uci(
    directory: Path,
    *,
    addresses: Sequence[str] = ADDRESSES,
    sha256: str = SHA256,
    budget_seconds: float = BUDGET_SECONDS,
) -> Path:
    """Return the data set's path in `directory`, fetched if it is not there yet, with its attribution beside it.

    Takes `budget_seconds` and one read time-out at most. What an interrupted attempt has fetched waits in a `.part`
    file for the next one. Raises DownloadFailed; an incomplete or different file never gets the final name.
    """
    target = directory / FILE_NAME
    try:
        if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
            return target
        directory.mkdir(parents=True, exist_ok=True)
        data = _first_usable(directory, addresses, sha256=sha256, deadline=_Deadline(time.monotonic() + budget_seconds))
        (directory / "ATTRIBUTION.md").write_text(ATTRIBUTION, encoding="utf-8")
        finished = directory / f"{FILE_NAME}.new"
        finished.write_bytes(data)
        finished.replace(target)
        for leftover in directory.glob(f"{FILE_NAME}.*.part"):
            leftover.unlink()
    except OSError as error:
        raise DownloadFailed(f"{directory} can't be written: {error.strerror or error}") from error
    return target


def _first_usable(directory: Path, addresses: Sequence[str], *, sha256: str, deadline: _Deadline) -> bytes:
    reasons: dict[str, None] = {}  # in order, each once
    unreachable: set[bytes] = set()
    timeout = httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        for address in addresses:
            url = httpx.URL(address)
            if url.netloc in unreachable:
                continue
            part = directory / f"{FILE_NAME}.{hashlib.sha256(address.encode()).hexdigest()[:8]}.part"
            try:
                data = _normalised(_fetched(client, url, part, deadline))
                if hashlib.sha256(data).hexdigest() == sha256:
                    return data
                raise _Unusable("gives another file than the published one (checksum)")
            except _Unusable as error:
                reasons[f"{url.host} {error}"] = None
                if isinstance(error, _Unreachable):
                    unreachable.add(url.netloc)
    raise DownloadFailed(f"the UCI SMS Spam Collection can't be fetched: {'; '.join(reasons)}")


def _fetched(client: httpx.Client, address: httpx.URL, part: Path, deadline: _Deadline) -> bytes:
    """The bytes behind `address`, continued from `part`, which holds them until they are complete."""
    try:
        for attempt in stamina.retry_context(
            on=_may_pass, attempts=ATTEMPTS, timeout=max(deadline.left, 0.001), wait_initial=0.2, wait_max=2.0
        ):
            with attempt:
                deadline.check()
                transfer(client, address, part, until=deadline.at, max_bytes=MAX_BYTES)
    except (TransferTooSlow, TransferTooLarge) as error:
        raise _Unusable(str(error)) from error
    except httpx.HTTPStatusError as error:
        raise _Unusable(f"answers {error.response.status_code}") from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _Unreachable("can't be reached") from error
    except httpx.TimeoutException as error:
        raise _Unusable("does not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unusable(f"breaks off ({type(error).__name__})") from error
    data = part.read_bytes()
    part.unlink()
    return data


def _may_pass(error: Exception) -> bool:
    """As for any address, but another one is there: no second try at a name that does not resolve."""
    return may_pass(error) and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _normalised(data: bytes) -> bytes:
    """The published file inside what was fetched: out of its zip, without byte order mark and header row."""
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if archive.getinfo(FILE_NAME).file_size > MAX_BYTES:
                    raise _Unusable("gives an archive that is too large")
                data = archive.read(FILE_NAME)
        except (zipfile.BadZipFile, KeyError) as error:
            raise _Unusable("gives an archive without the file") from error
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    header, _, rows = data.partition(b"\n")
    return data if header.split(b"\t")[0].strip() in {b"ham", b"spam"} else rows
