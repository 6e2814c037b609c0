"""Is what is served still what should be? Asks the store and lets the data plane change over."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from autoretrain.domain.deployment import Deployment
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.dataplane import NO_CHAMPION, DataPlane
from autoretrain.serving.lineup import Lineup
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
LOAD_RETRY_SECONDS: Final = 5.0
CHECK_TIMEOUT_SECONDS: Final = 30.0


class DeploymentSource(Protocol):
    """What the watch needs of the store."""

    def check_schema(self) -> None: ...

    def deployment(self) -> Deployment | None: ...


class DeploymentWatch:
    """Keeps the line-up equal to the store's deployment.

    A version that can't be loaded leaves the old one in place, is shown by `problem`, logged once, and tried again
    every LOAD_RETRY_SECONDS: its artefact may be on its way. A store that is away changes nothing.
    """

    def __init__(
        self,
        source: DeploymentSource,
        loader: ModelLoader,
        plane: DataPlane,
        metrics: ServingMetrics,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._loader, self._plane, self._metrics = source, loader, plane, metrics
        self._clock = clock
        self._schema_checked = False
        self._applied: Deployment | None = None
        self._retry_at = 0.0
        self._refused: Deployment | None = None
        self.problem: str | None = None
        """What keeps serving from being what it should be; None when all is well."""

    async def run(self) -> None:
        """Check for ever; one check at a time."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Look once, and change over if that is due. Never raises."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                wanted = await asyncio.to_thread(self._wanted)
                self._metrics.deployment_checked_at.set(self._clock())
                if wanted is None:
                    self._say(None if self._plane.ready else NO_CHAMPION)
                elif wanted != self._applied and not (wanted == self._refused and self._clock() < self._retry_at):
                    await self._change_over(wanted)
                elif wanted == self._applied and self._refused is None:
                    self._say(None)
        except AutoRetrainError as error:
            self._say(str(error))
        except TimeoutError:
            self._say(f"the store did not answer within {CHECK_TIMEOUT_SECONDS:.0f} s")
        except Exception as error:
            log.error("deployment check failed", error=type(error).__name__)
            self._say(f"the deployment could not be checked ({type(error).__name__}); the log says more")

    def _wanted(self) -> Deployment | None:
        if not self._schema_checked:
            self._source.check_schema()
            self._schema_checked = True
        return self._source.deployment()

    async def _change_over(self, wanted: Deployment) -> None:
        old = self._plane.lineup if self._plane.ready else None
        loaded = [model for model, _ in old.models()] if old else []
        try:
            lineup, left_out = await asyncio.to_thread(self._loader.build, wanted, loaded=loaded)
        except AutoRetrainError as error:
            self._refuse(wanted, f"version {wanted.version} can't be served: {error}")
            return
        if lineup != old:
            self._plane.replace(lineup)
            self._publish(lineup)
        if left_out is None:
            self._applied, self._refused = wanted, None
            self._say(None)
        else:
            self._refuse(wanted, f"the experiment is off: {left_out}")

    def _publish(self, lineup: Lineup) -> None:
        shown = [(model.version, model.digest, role) for model, role in lineup.models()]
        self._metrics.show_lineup(shown, loaded_at=lineup.champion.loaded_at.timestamp())
        log.info("serving", versions=[f"v{version} {digest} ({role})" for version, digest, role in shown])

    def _refuse(self, wanted: Deployment, reason: str) -> None:
        if self._refused != wanted:
            self._metrics.load_failures.inc()
        self._refused = wanted
        self._retry_at = self._clock() + LOAD_RETRY_SECONDS
        self._say(reason)

    def _say(self, problem: str | None) -> None:
        if problem and problem not in {self.problem, NO_CHAMPION}:
            log.warning("serving is not what it should be", reason=problem)
        self.problem = problem
        if problem:
            self._plane.not_ready_reason = problem if problem == NO_CHAMPION else f"{NO_CHAMPION} ({problem})"
