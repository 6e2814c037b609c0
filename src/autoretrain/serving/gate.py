"""May this request come in? Where everything needs a key, only with one; and of each sender so many a second."""

import math
import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from autoretrain.adapters.key_file import HEADER
from autoretrain.serving.api_keys import ApiKeys
from autoretrain.serving.docs_page import DOCS_PATHS
from autoretrain.serving.problems import problem

OPEN_PATHS: Final = frozenset(
    [
        *("/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready"),  # probes have no key
        *("/metrics", "/openapi.json", *DOCS_PATHS),
    ]
)
MAX_SENDERS: Final = 10_000
CHALLENGE: Final = {"www-authenticate": f'ApiKey header="{HEADER}"'}


class RateLimit:
    """Lets each sender have `per_second` requests a second, and as many at once after a pause."""

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = float(per_second), clock
        # What is left to each, and since when; who was seen longest ago stands first.
        self._left: dict[str, tuple[float, float]] = {}

    @property
    def senders(self) -> int:
        """How many are kept in mind, at most MAX_SENDERS."""
        return len(self._left)

    def wait(self, sender: str) -> float:
        """Take one of `sender`'s requests. Return 0, or the seconds until there is one again."""
        now = self._clock()
        left, since = self._left.pop(sender, (self._rate, now))
        left = min(self._rate, left + (now - since) * self._rate)
        granted = left >= 1
        self._left[sender] = (left - granted, now)
        if len(self._left) > MAX_SENDERS:
            del self._left[next(iter(self._left))]
        return 0.0 if granted else (1 - left) / self._rate


class Gate:
    """Answers 401 and 429 before anything of a body is read. Probes and metrics pass by.

    A sender is the name behind a key; without a good key it is the address that the connection comes from, never one
    that the client only claims.
    """

    def __init__(self, app: ASGIApp, *, keys: ApiKeys, needs_key: bool, limit: RateLimit | None) -> None:
        self._app, self._keys, self._needs_key, self._limit = app, keys, needs_key, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        key = Headers(scope=scope).get(HEADER)
        source = self._keys.source_of(key) if key is not None else None
        address = scope["client"][0] if scope.get("client") else ""
        if self._limit and (wait := self._limit.wait(f"key {source}" if source else f"address {address}")):
            later = {"retry-after": str(math.ceil(wait))}
            refusal = problem(scope, 429, "too many requests of one sender", headers=later)
        elif self._needs_key and source is None:
            detail = f"this needs an API key in the header {HEADER}" if key is None else "the API key is not known"
            refusal = problem(scope, 401, detail, headers=CHALLENGE)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)
