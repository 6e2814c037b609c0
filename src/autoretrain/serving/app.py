"""The composition root: every part of serving is made and joined here, and started and stopped in order."""

import asyncio
import gc
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog
from fastapi import FastAPI

from autoretrain.adapters.registry_login import login_of_variables
from autoretrain.adapters.registry_rest import RestRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.api_keys import ApiKeys
from autoretrain.serving.below import BelowPath
from autoretrain.serving.dataplane import DataPlane
from autoretrain.serving.docs_page import build_docs_routes
from autoretrain.serving.drift_route import build_drift_routes
from autoretrain.serving.drift_worker import DriftWorker
from autoretrain.serving.feedback import LabelDesk, build_feedback_routes
from autoretrain.serving.fixed import FixedDeployment, keeping
from autoretrain.serving.gate import Gate, RateLimit
from autoretrain.serving.identity import Identity
from autoretrain.serving.inference_protocol import build_inference_routes
from autoretrain.serving.limits import BodyLimit
from autoretrain.serving.loading import ArtefactSource, ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.openapi import complete_openapi
from autoretrain.serving.predict import add_predict_routes
from autoretrain.serving.problems import LastResort, add_error_answers
from autoretrain.serving.recorder import Recorder
from autoretrain.serving.status import PerformanceDesk, build_status_routes
from autoretrain.serving.store_calls import StoreCalls
from autoretrain.serving.watch import DeploymentWatch

log = structlog.get_logger(__name__)

SWITCH_INTERVAL_SECONDS: Final = 0.0005
"""How long the writer may keep the interpreter from a request; Python's own 5 ms would be seen in p99."""

DESCRIPTION: Final = "Labels SMS as spam or ham, says why, takes feedback, and measures drift and live accuracy."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What lives as long as the server."""

    store: Store
    calls: StoreCalls
    recorder: Recorder
    watch: DeploymentWatch
    worker: DriftWorker

    async def start(self) -> asyncio.Task[None]:
        self.recorder.start()
        await self.watch.check()
        _favour_requests()
        return asyncio.create_task(self.watch.run())

    async def stop(self, watching: asyncio.Task[None]) -> None:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await self.worker.close()
        await asyncio.to_thread(self.recorder.close)
        self.calls.close()
        self.store.close()
        log.info("serving ended")


def create_app(settings: Settings) -> FastAPI:
    """The HTTP API of `settings.model`. Nothing is opened before the application starts."""
    metrics = ServingMetrics(settings.model)
    store = Store(settings.resolved_store_url(), model=settings.model)
    recorder = Recorder(store, metrics, audit_rate=settings.audit_rate, audit_seed=secrets.randbits(64))
    plane = DataPlane(recorder)
    calls = StoreCalls()
    source = FixedDeployment.from_settings(settings) or store
    watch = DeploymentWatch(source, ModelLoader(_sources(store, settings), metrics), plane, metrics)
    parts = Parts(store=store, calls=calls, recorder=recorder, watch=watch, worker=DriftWorker())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = await parts.start()
        try:
            yield
        finally:
            await parts.stop(watching)
            if settings.termination_file is not None and not plane.ready:
                _leave_word(settings.termination_file, watch.problem or plane.not_ready_reason)

    app = FastAPI(
        title="AutoRetrain",
        summary=f"Serving of {settings.model}",
        description=DESCRIPTION,
        version=version("autoretrain"),
        lifespan=lifespan,
        redirect_slashes=False,
        # Its own pages load from elsewhere.
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    keys = ApiKeys(settings.api_keys_file)
    _add_gate(app, keys, settings)
    app.add_middleware(LastResort)
    app.add_middleware(BodyLimit)
    if settings.root_path:
        app.add_middleware(BelowPath, prefix=settings.root_path)
    add_error_answers(app)
    add_predict_routes(app, plane)
    identity = Identity(keys)
    app.include_router(build_feedback_routes(LabelDesk(store, calls, recorder, metrics), identity))
    app.include_router(
        build_drift_routes(
            plane, parts.worker, threshold=settings.drift_threshold, min_samples=settings.drift_min_samples
        )
    )
    performance = PerformanceDesk(store, calls, window_seconds=settings.window_max_age_seconds)
    app.include_router(build_status_routes(plane, watch, metrics, performance=performance, name=settings.model))
    app.include_router(build_inference_routes(plane, name=settings.model))
    app.include_router(build_docs_routes(f"AutoRetrain: {settings.model}"))
    complete_openapi(app)
    return app


def _add_gate(app: FastAPI, keys: ApiKeys, settings: Settings) -> None:
    """Where nothing is to be kept out, no request pays for it."""
    needs_key = settings.api_keys_for == "Everything"
    if needs_key and not keys.configured:
        raise AutoRetrainError("AUTORETRAIN_API_KEYS_FOR=Everything needs AUTORETRAIN_API_KEYS_FILE")
    limit = RateLimit(settings.requests_per_second) if settings.requests_per_second else None
    if needs_key or limit:
        app.add_middleware(Gate, keys=keys, needs_key=needs_key, limit=limit)


def _favour_requests() -> None:
    """Set the interpreter up for short answers instead of throughput."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    # The modules and the model stay: without them a full collection takes microseconds instead of tens of milliseconds.
    gc.collect()
    gc.freeze()


def _leave_word(file: Path, problem: str) -> None:
    """Let whoever ends a server that never got ready see why."""
    try:
        file.write_text(problem, encoding="utf-8")
    except OSError as error:
        log.warning("the termination message can't be written", reason=error.strerror)


def _sources(store: Store, settings: Settings) -> list[ArtefactSource]:
    """The store first: it holds what is served, and is read without a server in between."""

    def from_store(_version: str, digest: str) -> ModelArtefact | None:
        return store.artefact(digest)

    if not settings.mlflow_tracking_uri.startswith(("http://", "https://")):
        return [from_store]
    name = settings.registered_model_name or settings.model
    login = login_of_variables(
        username=settings.mlflow_tracking_username,
        password=settings.mlflow_tracking_password.get_secret_value(),
        token=settings.mlflow_tracking_token.get_secret_value(),
    )
    return [from_store, keeping(RestRegistry(settings.mlflow_tracking_uri, name=name, login=login), store)]
