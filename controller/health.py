"""Is this replica alive, and may it be relied on? /livez, /readyz and /metrics on a port of their own."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from controller.metrics import ControllerMetrics

Check = Callable[[], str]
"""Returns what is wrong, '' where nothing is."""

GRACE_SECONDS: Final = 1.0


class HealthServer:
    """Answers probes: 200 and `ok`, or 503 and what is wrong. `refresh` is called before metrics are shown."""

    def __init__(
        self, metrics: ControllerMetrics, *, alive: Check, ready: Check, refresh: Callable[[], None], port: int
    ) -> None:
        self._metrics, self._refresh, self._port = metrics, refresh, port
        application = web.Application()
        application.router.add_get("/livez", self._probe(alive))
        application.router.add_get("/readyz", self._probe(ready))
        application.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=GRACE_SECONDS)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", self._port).start()  # noqa: S104 - a probe comes from the node

    async def stop(self) -> None:
        await self._runner.cleanup()

    def _probe(self, check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_request: web.Request) -> web.Response:
            problem = check()
            return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

        return answer

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        self._refresh()
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
