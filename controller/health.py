"""Is this replica alive, and may it be relied on? /livez, /readyz and /metrics on a port of their own."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from autoretrain.domain.errors import AutoRetrainError
from controller.metrics import ControllerMetrics

GRACE_SECONDS: Final = 1.0
STARTING: Final = "starting"


class Replica(Protocol):
    """What probes and scrapes are told of. A check returns what is wrong, '' where nothing is."""

    @property
    def metrics(self) -> ControllerMetrics: ...

    def why_not_alive(self) -> str: ...

    def why_not_ready(self) -> str: ...

    def refresh_metrics(self) -> None:
        """Bring `metrics` up to date: they are shown next."""


class HealthServer:
    """Answers probes: 200 and `ok`, or 503 and what is wrong with the `replica`; before there is one, it is starting.

    It lives as long as the process: a replica that loses the Lease and begins anew leaves no probe without an answer.
    """

    def __init__(self, *, port: int) -> None:
        self.replica: Replica | None = None
        self._port = port
        application = web.Application()
        application.router.add_get("/livez", self._probe(lambda: self.replica.why_not_alive() if self.replica else ""))
        application.router.add_get(
            "/readyz", self._probe(lambda: self.replica.why_not_ready() if self.replica else STARTING)
        )
        application.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=GRACE_SECONDS)

    async def start(self) -> None:
        """Listen. Raises AutoRetrainError where the port can't be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "0.0.0.0", self._port).start()  # noqa: S104 - a probe comes from the node
        except OSError as error:
            await self.stop()
            raise AutoRetrainError(
                f"port {self._port} can't be had for probes and metrics ({error.strerror}); "
                "AUTORETRAIN_CONTROLLER_PORT names another"
            ) from None

    async def stop(self) -> None:
        await self._runner.cleanup()

    def _probe(self, check: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_request: web.Request) -> web.Response:
            problem = check()
            return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

        return answer

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        if self.replica is None:
            raise web.HTTPServiceUnavailable(text=f"{STARTING}\n")
        self.replica.refresh_metrics()
        body = generate_latest(self.replica.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
