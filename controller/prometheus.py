"""What does Prometheus know of each model? A few queries for all models at once, and one model's evidence out of them.

Nothing raises here. An answer that is late, partial, double, stale, not a number or no answer at all is no evidence,
and `problem` says which; no decision rests on it.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

import aiohttp
from pydantic_core import from_json

from autoretrain.adapters.evidence_metrics import (
    TIME,
    Evidence,
    EvidenceProblem,
    Sample,
    parse_evidence,
    version_label,
)
from autoretrain.adapters.live_figures import LEAST_REQUESTS, LiveFigures, latency_ratio
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import GuardEvidence, LabelSupply, Performance
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status

TIMEOUT_SECONDS: Final = 5.0
MAX_BODY_BYTES: Final = 64 * 2**20
CACHE_SECONDS: Final = 1.0
CACHE_SHARE: Final = 5.0
"""An answer that took a second to get is good for five: however many models there are, most of the time is not spent
on asking."""
MAX_ADDRESSES: Final = 16
STALE_INTERVALS: Final = 3
STALE_SECONDS: Final = 60.0
ENDED_INTERVALS: Final = 2
AHEAD_SECONDS: Final = 60.0
"""Clocks of two nodes differ by less than this, or something is wrong with one of them."""

BY: Final = "by (namespace, spammodel, model_version"
COUNT: Final = "autoretrain_prediction_duration_seconds_count"
ERRORS: Final = "autoretrain_prediction_errors_total"
BUCKET: Final = "autoretrain_prediction_duration_seconds_bucket"
QUERIES: Final = {
    "evidence": '{__name__=~"autoretrain_evidence_.+"}',
    # Over an hour: Pods of the version before are gone by the time that the new one is compared with it.
    "requests": f"sum {BY}) (increase({COUNT}[1h]))",
    "errors": f"sum {BY}) (increase({ERRORS}[1h]))",
    "p95": f"histogram_quantile(0.95, sum {BY}, le) (increase({BUCKET}[1h])))",
}

ModelKey = tuple[str, str]
"""The namespace that the scrape found the series in, and what the series say that they are about."""

_ONCE: Final = {"Connection": "close"}
"""A connection that lives on would keep to whoever answered first, when the address has long been another's."""


class NoAnswer(Exception):  # noqa: N818 - named for what it reports; it never leaves this module
    """Prometheus gave nothing to go by; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReading:
    """What metrics say of one model's champion. None could not be read; `problem` then says why."""

    drift: tuple[DriftReport, ...] | None = None
    pending: int = 0
    performance: Performance | None = None
    supply: LabelSupply | None = None
    guard: GuardEvidence | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One round of queries. `failed` says by query why there is no answer to it."""

    evidence: Mapping[ModelKey, list[Sample]]
    figures: Mapping[ModelKey, Mapping[str, LiveFigures]]
    failed: Mapping[str, str]


@dataclass(slots=True)
class _Address:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    snapshot: Snapshot | None = None
    good_until: float = -math.inf


class PrometheusEvidence:
    """Reads through `http`; `url_of` says which Prometheus a model's series are in."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        url_of: Callable[[SpamModel], str],
        timeout_seconds: float = TIMEOUT_SECONDS,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._http, self._url_of = http, url_of
        self._timeout, self._cache_seconds = timeout_seconds, cache_seconds
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    async def read(self, model: SpamModel, status: Status, *, now: datetime) -> EvidenceReading:
        """Return what metrics say of the champion of `status`. Never raises."""
        snapshot = await self._snapshot(self._url_of(model).rstrip("/"))
        if "evidence" in snapshot.failed:
            return EvidenceReading(problem=snapshot.failed["evidence"])
        key = model.namespace, model.key
        version = status.champion.version if status.champion else ""
        label = version_label(version)
        own = [s for s in snapshot.evidence.get(key, []) if s.labels.get("model_version", "") == label]
        interval = model.spec.monitoring.interval_seconds
        try:
            evidence = parse_evidence(_of_living_monitors(own, interval_seconds=interval))
            _require_fresh(evidence, now=now, interval_seconds=interval)
        except EvidenceProblem as problem:
            reading = EvidenceReading(problem=f"evidence of {label or 'no version'}: {problem}")
        else:
            reading = EvidenceReading(
                drift=evidence.drift,
                pending=evidence.pending_messages,
                performance=evidence.performance,
                supply=evidence.supply,
                guard=evidence.guard,
            )
        return _complete_guard(reading, snapshot, key=key, status=status)

    async def _snapshot(self, url: str) -> Snapshot:
        if url not in self._addresses and len(self._addresses) >= MAX_ADDRESSES:
            self._addresses.clear()
        address = self._addresses.setdefault(url, _Address())
        async with address.lock:
            if address.snapshot is None or self._clock() >= address.good_until:
                began = self._clock()
                address.snapshot = None  # Nobody reads it any more; a thousand models' evidence need not be held twice.
                address.snapshot = await self._ask_everything(url)
                ended = self._clock()
                address.good_until = ended + max(self._cache_seconds, CACHE_SHARE * (ended - began))
            return address.snapshot

    async def _ask_everything(self, url: str) -> Snapshot:
        answers = await asyncio.gather(*(self._ask(url, query) for query in QUERIES.values()))
        found = dict(zip(QUERIES, answers, strict=True))
        failed = {name: answer for name, answer in found.items() if isinstance(answer, str)}
        samples = {name: answer for name, answer in found.items() if not isinstance(answer, str)}
        evidence: dict[ModelKey, list[Sample]] = {}
        for sample in samples.get("evidence", []):
            evidence.setdefault(_key(sample), []).append(sample)
        figures: dict[ModelKey, Mapping[str, LiveFigures]] = {}
        if not failed.keys() - {"evidence"}:
            try:
                figures = _live_figures(samples)
            except NoAnswer as reason:
                failed["errors"] = str(reason)
        return Snapshot(evidence=evidence, figures=figures, failed=failed)

    async def _ask(self, url: str, query: str) -> list[Sample] | str:
        """Return the samples, or why there are none."""
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        form = {"query": query, "timeout": f"{self._timeout:.0f}s"}
        try:
            async with self._http.post(
                f"{url}/api/v1/query", data=form, headers=_ONCE, timeout=timeout, allow_redirects=False
            ) as got:
                body = bytearray()
                async for chunk in got.content.iter_chunked(2**16):
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise NoAnswer(f"Prometheus answers more than {MAX_BODY_BYTES} bytes")
            return await asyncio.to_thread(_parse_answer, body, got.status)
        except NoAnswer as reason:
            return str(reason)
        except TimeoutError:
            return f"Prometheus did not answer within {self._timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"Prometheus can't be reached ({type(error).__name__})"


def _parse_answer(body: bytes | bytearray, status: int) -> list[Sample]:
    """Return the samples of an instant query's answer. Raises NoAnswer for everything that is not a whole one."""
    try:
        # Most strings are labels that many series share; each is kept once.
        answer: Any = from_json(body, cache_strings="all")
    except (ValueError, RecursionError):
        raise NoAnswer(f"Prometheus answers {status} with something that is not JSON") from None
    if not isinstance(answer, dict):
        raise NoAnswer("Prometheus' answer can't be understood")
    if status != 200 or answer.get("status") != "success":
        raise NoAnswer(f"Prometheus answers {status} ({str(answer.get('errorType', 'no error named'))[:50]})")
    if answer.get("warnings"):
        raise NoAnswer("Prometheus' answer is partial: it carries warnings")
    try:
        if answer["data"]["resultType"] != "vector":
            raise NoAnswer("Prometheus' answer is no instant vector")
        return [_sample(row) for row in answer["data"]["result"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NoAnswer("Prometheus' answer can't be understood") from None


def _sample(row: Any) -> Sample:
    labels = {str(name): str(value) for name, value in row["metric"].items()}
    _, value = row["value"]
    if not isinstance(value, str):
        raise TypeError
    return Sample(labels.get("__name__", ""), labels, float(value))


def _key(sample: Sample) -> ModelKey:
    return sample.labels.get("namespace", ""), sample.labels.get("spammodel", "")


def _of_living_monitors(samples: Sequence[Sample], *, interval_seconds: int) -> list[Sample]:
    """Leave out what ended monitors said last: a Prometheus that was away at their end shows it for minutes more.

    Of two that live, nothing is left out, and their series are double.
    """
    measured = {_target(sample): sample.value for sample in samples if sample.name == TIME}
    newest = max(measured.values(), default=0.0)
    ended = {target for target, at in measured.items() if newest - at > ENDED_INTERVALS * interval_seconds}
    return [sample for sample in samples if _target(sample) not in ended]


def _target(sample: Sample) -> tuple[str, str]:
    return sample.labels.get("pod", ""), sample.labels.get("instance", "")


def _require_fresh(evidence: Evidence, *, now: datetime, interval_seconds: int) -> None:
    age = now - evidence.measured_at
    if age > timedelta(seconds=STALE_INTERVALS * interval_seconds + STALE_SECONDS):
        raise EvidenceProblem(f"was measured at {evidence.measured_at:%Y-%m-%d %H:%M:%S} UTC, which is too long ago")
    if age < -timedelta(seconds=AHEAD_SECONDS):
        raise EvidenceProblem(f"was measured at {evidence.measured_at:%Y-%m-%d %H:%M:%S} UTC, which is in the future")


def _live_figures(samples: Mapping[str, list[Sample]]) -> dict[ModelKey, Mapping[str, LiveFigures]]:
    """Return serving's figures by model and version. Raises NoAnswer where a version is there twice."""
    columns: dict[str, dict[tuple[ModelKey, str], float]] = {}
    for name in ("requests", "errors", "p95"):
        column = columns.setdefault(name, {})
        for sample in samples[name]:
            place = _key(sample), sample.labels.get("model_version", "")
            if place in column:
                raise NoAnswer(f"Prometheus gives the {name} of a version more than once")
            column[place] = sample.value
    figures: dict[ModelKey, dict[str, LiveFigures]] = {}
    for place, answered in columns["requests"].items():
        errors, p95 = columns["errors"].get(place), columns["p95"].get(place, math.nan)
        if errors is None or not math.isfinite(errors) or not math.isfinite(answered):
            continue
        key, label = place
        figures.setdefault(key, {})[label] = LiveFigures(
            requests=answered,
            errors=errors,
            p95_seconds=p95 if math.isfinite(p95) and answered >= LEAST_REQUESTS else None,
        )
    return dict(figures)


def _complete_guard(reading: EvidenceReading, snapshot: Snapshot, *, key: ModelKey, status: Status) -> EvidenceReading:
    """Return `reading` with what all replicas of serving counted of the version under guard.

    Errors are seen although the monitor is away; what only the monitor measures then stays unknown.
    """
    if status.guard is None or status.guard.ended:
        return reading
    version = status.guard.version
    if snapshot.failed:
        return replace(reading, problem=reading.problem or next(iter(snapshot.failed.values())))
    versions = snapshot.figures.get(key, {})
    now = versions.get(version_label(version))
    before = versions.get(version_label(status.previous.version)) if status.previous else None
    if now is None:
        return reading
    seen = now.requests + now.errors
    guard = replace(
        reading.guard or GuardEvidence(model_version=version, messages=0),
        requests=round(seen),
        error_ratio=min(now.errors / seen, 1.0) if seen > 0 else None,
        latency_ratio=latency_ratio(now, before),
    )
    return replace(reading, guard=guard)
