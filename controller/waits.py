"""How does the controller wait? For a time or for the cluster's answer, and never longer than until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from controller.cluster import ClusterError

RETRY_SECONDS: Final = 5.0

T = TypeVar("T")


async def sleep(seconds: float, stop: asyncio.Event) -> None:
    """Return after `seconds`, or at once when told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def until_answered(
    ask: Callable[[], Awaitable[T]], stop: asyncio.Event, *, tell: Callable[[str], None]
) -> T | None:
    """Ask again until the answer is no ClusterError, and `tell` each. None: told to stop."""
    while not stop.is_set():
        try:
            return await ask()
        except ClusterError as error:
            tell(str(error))
        await sleep(RETRY_SECONDS, stop)
    return None
