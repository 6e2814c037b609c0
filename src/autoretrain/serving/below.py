"""Which part of a path is not ours? A proxy that shows the API below a path leaves that path in each request."""

from starlette.types import ASGIApp, Receive, Scope, Send


class BelowPath:
    """Takes requests for `prefix`/… as those for …; requests without the prefix, as probes send them, are as before."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app, self._prefix = app, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{self._prefix}/"):
            scope["root_path"] = self._prefix
        await self._app(scope, receive, send)
