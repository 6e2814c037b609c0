"""How do the bytes behind an address come into a file? In bounded time and size, resumed where they broke off."""

import time
from pathlib import Path

import httpx

_MAY_PASS = frozenset({408, 429, 500, 502, 503, 504})


class TransferTooSlow(Exception):  # noqa: N818 - named for what it says, as below
    """What comes did not end in time; asking again would not help now."""


class TransferTooLarge(Exception):  # noqa: N818
    """What comes has no end that would fit."""


def transfer(client: httpx.Client, url: httpx.URL | str, part: Path, *, until: float, max_bytes: int) -> None:
    """Fill `part` with what is behind `url`, after the bytes that it has already if the server goes on from there.

    `until` is a time of `time.monotonic`. Raises TransferTooSlow, TransferTooLarge, and httpx.HTTPError, which
    `may_pass` judges; what has come by then stays in `part`.
    """
    have = part.stat().st_size if part.exists() else 0
    # Ranges count bytes as they are sent, so nothing may be compressed on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # what was kept is not the beginning of what is there now
            raise httpx.RemoteProtocolError("the kept part does not fit")
        response.raise_for_status()
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT and continues
        with part.open("ab" if resumed else "wb") as file:
            for block in response.iter_raw():
                if time.monotonic() > until:
                    raise TransferTooSlow("took too long")
                if file.tell() + len(block) > max_bytes:
                    raise TransferTooLarge(f"gives a file larger than {max_bytes // 1024**2} MiB")
                file.write(block)


def may_pass(error: Exception) -> bool:
    """Whether the same request may work a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _MAY_PASS
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)
