"""How much may one request bring? The bounds, and the middleware that counts what really arrives."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_MESSAGE_CHARACTERS: Final = 4096
MAX_BATCH: Final = 1000
MAX_DRIFT_MESSAGES: Final = 5000
MAX_FEEDBACK: Final = 1000
MAX_LABELS: Final = 100

_KIB: Final = 1024
DEFAULT_BODY_BYTES: Final = 64 * _KIB
BATCH_BODY_BYTES: Final = 2048 * _KIB
BODY_BYTES: Final = {
    "/predict/batch": BATCH_BODY_BYTES,
    "/feedback/batch": BATCH_BODY_BYTES,
    "/drift/calculate": 2 * BATCH_BODY_BYTES,
}


def body_limit(path: str) -> int:
    """The most bytes that a body for `path` may have."""
    return BATCH_BODY_BYTES if path.startswith("/v2/") else BODY_BYTES.get(path, DEFAULT_BODY_BYTES)


class BodyLimit:
    """Refuses a body that grows over its route's limit: counted as it streams in, since Content-Length can lie."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"].removeprefix(scope.get("root_path", "")))
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    # The rest of the body is not read, so the connection can't be used again.
                    raise HTTPException(413, f"the body has more than {limit} bytes", headers={"connection": "close"})
            return message

        await self._app(scope, counted, send)
