"""A small HTTP client that keeps a number of connections busy: each sends its next request when it has its answer.

Closed loop, so latency under load hides coordinated omission; ratios between servers stay fair.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """Latencies in seconds of the answered requests; `failed` counts answers that were not 200."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, q: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Sequence[bytes], *, first: int, until: float, load: Load) -> None:
        self._requests, self._next, self._until, self._load = requests, first, until, load
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent >= self._until:
            self._transport.close()
            return
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        if len(body) < length:
            return
        self._buffer = b""
        if head.startswith(b"HTTP/1.1 200"):
            self._load.latencies.append(time.perf_counter() - self._sent)
        else:
            self._load.failed += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self._load.failed += 1
        if not self.closed.done():
            self.closed.set_result(None)


async def run_load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Load:
    """Keep `connections` busy for `seconds` with `requests` in rotation."""
    load = Load()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    step = max(1, len(requests) // connections)
    made = [
        await loop.create_connection(
            lambda number=number: _Connection(requests, first=number * step, until=began + seconds, load=load),
            "127.0.0.1",
            port,
        )
        for number in range(connections)
    ]
    async with asyncio.timeout(seconds + 20):
        await asyncio.gather(*(protocol.closed for _, protocol in made))
    load.seconds = time.perf_counter() - began
    return load
