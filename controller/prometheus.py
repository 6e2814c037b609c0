"""What does Prometheus know of each model? A few queries for many models at once, and one model's evidence out of them.

Nothing raises here. An answer that is late, partial, double, stale, not a number or no answer at all is no evidence,
and `problem` says which; no decision rests on it.

Models are asked about in shards, so that an answer stays small however many there are. Where a shard gets none although
Prometheus is there, the series of one of its namespaces may be to blame: each is then asked about by itself.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from zlib import crc32

import aiohttp

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
from controller.allowed import NotAllowed
from controller.cache import Key
from controller.instant_query import NoAnswer, ask

TIMEOUT_SECONDS: Final = 5.0
MODELS_A_QUERY: Final = 100
CACHE_SECONDS: Final = 1.0
CACHE_SHARE: Final = 5.0
"""Answers that took a second to get, of all shards together, are good for five: however many models there are, most of
the time is not spent on asking."""
LONGEST_CACHE_SECONDS: Final = 30.0
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
    "evidence": '{__name__=~"autoretrain_evidence_.+",MODELS}',
    # Over an hour: Pods of the version before are gone by the time that the new one is compared with it.
    "requests": f"sum {BY}) (increase({COUNT}{{MODELS}}[1h]))",
    "errors": f"sum {BY}) (increase({ERRORS}{{MODELS}}[1h]))",
    "p95": f"histogram_quantile(0.95, sum {BY}, le) (increase({BUCKET}{{MODELS}}[1h])))",
}
"""What is asked; `build_query` puts in whom it is about."""
PROBE: Final = "vector(1)"

ModelKey = tuple[str, str]
"""The namespace that the scrape found the series in, and what the series say that they are about."""


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
    """One round of queries. `failed` says by query why there is no answer to it.

    `to_part` says that the namespaces are better asked about one by one.
    """

    evidence: Mapping[ModelKey, list[Sample]]
    figures: Mapping[ModelKey, Mapping[str, LiveFigures]]
    failed: Mapping[str, str]
    to_part: bool = False


@dataclass(slots=True)
class _Shard:
    """Models that are asked about together, and the same by namespace where together they get no answer."""

    keys: tuple[Key, ...] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    snapshot: Snapshot | None = None
    good_until: float = -math.inf
    parts: dict[str, "_Shard"] = field(default_factory=dict)

    def part(self, namespace: str) -> "_Shard":
        found = self.parts.setdefault(namespace, _Shard())
        found.keys = tuple(key for key in self.keys if key[0] == namespace)
        return found


@dataclass(slots=True)
class _Address:
    """The models whose series one Prometheus has. A model stays in its shard while their number is the same."""

    known: frozenset[Key] = frozenset()
    good_until: float = -math.inf
    shards: list[_Shard] = field(default_factory=list)

    def share_out(self, keys: Iterable[Key]) -> None:
        self.known = frozenset(keys)
        count = max(math.ceil(len(self.known) / MODELS_A_QUERY), 1)
        if count != len(self.shards):
            self.shards = [_Shard() for _ in range(count)]
        members: list[list[Key]] = [[] for _ in self.shards]
        for key in sorted(self.known):
            members[self._number(key)].append(key)
        for shard, own in zip(self.shards, members, strict=True):
            shard.keys = tuple(own)

    def shard_of(self, key: Key) -> _Shard:
        return self.shards[self._number(key)]

    def _number(self, key: Key) -> int:
        return crc32("/".join(key).encode()) % len(self.shards)


class PrometheusEvidence:
    """Reads through `http`.

    `url_of` says which Prometheus a model's series are in, or raises NotAllowed; `keys_at` says of which models the
    series are in one, so that they can be asked about together.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        url_of: Callable[[SpamModel], str],
        keys_at: Callable[[str], Iterable[Key]],
        timeout_seconds: float = TIMEOUT_SECONDS,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._http, self._url_of, self._keys_at = http, url_of, keys_at
        self._timeout, self._cache_seconds = timeout_seconds, cache_seconds
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    async def read(self, model: SpamModel, status: Status, *, now: datetime) -> EvidenceReading:
        """Return what metrics say of the champion of `status`. Never raises."""
        try:
            url = self._url_of(model)
        except NotAllowed as problem:
            return EvidenceReading(problem=str(problem))
        snapshot = await self._snapshot(url, (model.namespace, model.name))
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

    async def _snapshot(self, url: str, key: Key) -> Snapshot:
        address = self._addresses.setdefault(url, _Address())
        if key not in address.known or self._clock() >= address.good_until:
            address.share_out({*self._keys_at(url), key})
            address.good_until = self._clock() + self._cache_seconds
        shard, shards = address.shard_of(key), len(address.shards)
        snapshot = await self._fresh(url, shard, shards=shards)
        if snapshot.to_part:
            return await self._fresh(url, shard.part(key[0]), shards=shards + len(shard.parts))
        shard.parts.clear()
        return snapshot

    async def _fresh(self, url: str, shard: _Shard, *, shards: int) -> Snapshot:
        """Return what is known of `shard`, asked anew where that is too old; `shards` are kept in this way."""
        async with shard.lock:
            if shard.snapshot is None or self._clock() >= shard.good_until:
                began = self._clock()
                shard.snapshot = None  # Nobody reads it any more; a hundred models' evidence need not be held twice.
                shard.snapshot = await self._ask_everything(url, shard.keys)
                ended = self._clock()
                good = max(self._cache_seconds, CACHE_SHARE * shards * (ended - began))
                shard.good_until = ended + min(good, LONGEST_CACHE_SECONDS)
            return shard.snapshot

    async def _ask_everything(self, url: str, keys: Sequence[Key]) -> Snapshot:
        answers = await asyncio.gather(*(self._ask(url, build_query(name, keys)) for name in QUERIES))
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
        several = len({namespace for namespace, _ in keys}) > 1
        to_part = bool(failed) and several and not isinstance(await self._ask(url, PROBE), str)
        return Snapshot(evidence=evidence, figures=figures, failed=failed, to_part=to_part)

    async def _ask(self, url: str, query: str) -> list[Sample] | str:
        return await ask(self._http, url, query, timeout_seconds=self._timeout)


def build_query(name: str, keys: Iterable[Key]) -> str:
    """Return the query of that name about the models `keys`. Names in Kubernetes hold no sign that needs care here."""
    namespaces = "|".join(sorted({namespace for namespace, _ in keys}))
    models = "|".join(f"{namespace}[.]{model}" for namespace, model in keys)
    return QUERIES[name].replace("MODELS", f'namespace=~"{namespaces}",spammodel=~"{models}"')


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
