"""How does the event loop ask the store? In a few threads, a bounded number at once, each with a time limit."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from autoretrain.domain.errors import AutoRetrainError, StoreUnavailable

T = TypeVar("T")

THREADS: Final = 2  # as many as the store has connections
WAITING_CALLS: Final = 64
TIMEOUT_SECONDS: Final = 6.0  # the store itself waits 5 s for a lock, and then says which


class StoreBusy(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """As many calls wait for the store as may."""


class StoreCalls:
    """Runs blocking calls of the store off the event loop."""

    def __init__(self, *, waiting_calls: int = WAITING_CALLS, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._waiting_calls, self._timeout = waiting_calls, timeout_seconds
        self._calls: set[Future[Any]] = set()

    async def run(self, call: Callable[[], T]) -> T:
        """The result of `call`. Raises StoreBusy at once and StoreUnavailable after the time limit.

        A call that ran out of time may still succeed later: the caller can't know, and must say so.
        """
        if len(self._calls) >= self._waiting_calls:
            raise StoreBusy("too many requests wait for the store; try again later")
        future = self._executor.submit(call)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise StoreUnavailable(f"the store did not answer within {self._timeout:.0f} s") from None

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
