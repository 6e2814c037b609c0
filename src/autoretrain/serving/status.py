"""What is served, how well does it do, and is the server fit to answer? What people and probes ask."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import orjson
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from autoretrain.domain.messages import AuditedPrediction
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import Performance
from autoretrain.domain.reasons import Reason
from autoretrain.ml.performance import measure_performance
from autoretrain.serving.dataplane import DataPlane
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.predict import json_answer
from autoretrain.serving.problems import problem, problem_responses
from autoretrain.serving.schemas import (
    CurrentModel,
    EstimateBody,
    ExperimentBody,
    Health,
    LivePerformance,
    PerformanceResponse,
    VersionPerformance,
)
from autoretrain.serving.store_calls import StoreCalls
from autoretrain.serving.watch import DeploymentWatch

PERFORMANCE_CACHE_SECONDS: Final = 5.0
LABEL_WINDOW: Final = 100


class AuditStore(Protocol):
    """What live performance needs of the store."""

    def audited(self, *, version: str | None, since: datetime | None) -> tuple[list[AuditedPrediction], int]: ...

    def audited_shadow(
        self, *, version: str, threshold: float, since: datetime | None
    ) -> tuple[list[AuditedPrediction], int]: ...


def build_current_model(lineup: Lineup, *, name: str) -> CurrentModel:
    champion, wanted = lineup.champion, lineup.deployment.experiment
    experiment = wanted and ExperimentBody(
        mode=wanted.mode.value,
        model_version=f"v{wanted.version}",
        version=wanted.version,
        digest=wanted.digest,
        percent=wanted.percent,
        run_id=lineup.second.run_id if lineup.second else None,
        loaded=lineup.second is not None,
    )
    return CurrentModel(
        model=name,
        model_version=champion.name,
        version=champion.version,
        digest=champion.digest,
        run_id=champion.run_id,
        revision=lineup.deployment.revision,
        threshold=champion.model.threshold,
        loaded_at=champion.loaded_at,
        metrics=_training_metrics(champion),
        card=champion.card,
        experiment=experiment,
    )


def _training_metrics(model: ServedModel) -> dict[str, Any]:
    metrics = model.card.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


class PerformanceDesk:
    """Live quality by version, of the last `window_seconds`; measured at most once in PERFORMANCE_CACHE_SECONDS."""

    def __init__(
        self,
        store: AuditStore,
        calls: StoreCalls,
        *,
        window_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._calls, self._clock = store, calls, clock
        self._window_seconds = window_seconds
        self._cached: tuple[float, Lineup, PerformanceResponse] | None = None

    async def measure(self, lineup: Lineup) -> PerformanceResponse:
        if self._cached is not None:
            at, of, measured = self._cached
            if of is lineup and self._clock() - at < PERFORMANCE_CACHE_SECONDS:
                return measured
        now = datetime.now(UTC)
        since = now - timedelta(seconds=self._window_seconds)
        versions = [
            await self._version(model, role, since=since, shadow=model is lineup.shadow)
            for model, role in lineup.models()
        ]
        measured = PerformanceResponse(
            **versions[0].model_dump(),
            measured_at=now,
            window_seconds=self._window_seconds,
            experiment=versions[1] if len(versions) > 1 else None,
        )
        self._cached = (self._clock(), lineup, measured)
        return measured

    async def _version(self, model: ServedModel, role: str, *, since: datetime, shadow: bool) -> VersionPerformance:
        def sample() -> tuple[list[AuditedPrediction], int]:
            if shadow:
                threshold = model.model.threshold
                return self._store.audited_shadow(version=model.version, threshold=threshold, since=since)
            return self._store.audited(version=model.version, since=since)

        def measure() -> tuple[Performance, int]:
            audited, pending = sample()
            measured = measure_performance(
                audited, model_version=model.version, pending=pending, window_labels=LABEL_WINDOW
            )
            return measured, pending

        performance, pending = await self._calls.run(measure)
        return VersionPerformance(
            model_version=model.name,
            role=role,
            live=render_live(performance, pending=pending),
            training=_training_metrics(model),
        )


def render_live(performance: Performance, *, pending: int) -> LivePerformance:
    overall = performance.overall
    return LivePerformance(
        accuracy=_estimate(overall.accuracy if overall else None),
        precision=_estimate(performance.precision),
        recall=_estimate(overall.spam_recall if overall else None),
        f1=_estimate(overall.f1 if overall else None),
        labels=performance.labels,
        pending=pending,
        matured_ratio=performance.matured_ratio,
        verdict="measured" if overall else "inconclusive",
        reason=None if overall else Reason.NO_AUDIT_LABELS.value,
    )


def _estimate(estimate: Estimate | None) -> EstimateBody | None:
    return None if estimate is None else EstimateBody(**asdict(estimate))


def build_status_routes(
    plane: DataPlane,
    watch: DeploymentWatch,
    metrics: ServingMetrics,
    *,
    performance: PerformanceDesk,
    name: str,
) -> APIRouter:
    router = APIRouter(tags=["status"])

    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged."}}

    @router.get("/models/current", response_model=CurrentModel, responses=unchanged | problem_responses(503))
    async def current(request: Request) -> Response:
        """What is served: version, digest, metrics, and where its data came from. Answers `If-None-Match` with 304."""
        lineup = plane.lineup
        body = orjson.dumps(build_current_model(lineup, name=name).model_dump(mode="json"))
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = lineup.champion.headers | {"etag": etag, "cache-control": "no-cache"}
        if etag_matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @router.get("/metrics/performance", responses=problem_responses(429, 503))
    async def live_performance() -> PerformanceResponse:
        """Live quality from audit labels alone, with 95 % intervals, beside what was measured in training."""
        return await performance.measure(plane.lineup)

    @router.get("/livez")
    async def livez() -> Health:
        """The process answers. Depends on nothing else."""
        return Health(status="ok")

    def readiness(request: Request) -> Response:
        if not plane.ready:
            return problem(request.scope, 503, plane.not_ready_reason, headers={"retry-after": "1"})
        health = Health(status="ok", model_version=plane.lineup.champion.name, detail=watch.problem)
        return json_answer(health.model_dump(mode="json"))

    @router.get("/readyz", response_model=Health, responses=problem_responses(503))
    async def readyz(request: Request) -> Response:
        """A model is loaded and warm. `detail` says what is not as it should be all the same."""
        return readiness(request)

    @router.get("/health", response_model=Health, responses=problem_responses(503))
    async def health(request: Request) -> Response:
        """The same as /readyz."""
        return readiness(request)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Counters in Prometheus' text format."""
        text = await run_in_threadpool(generate_latest, metrics.registry)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    return router


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Whether a client's `If-None-Match` names `etag` (weak comparison, RFC 9110 section 13.1.2)."""
    offered = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in offered or "*" in offered
