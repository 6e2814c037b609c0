"""A thousand served models without a cluster: what an API server lists, what Prometheus answers, and the passes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import from_json

from autoretrain.adapters.evidence_metrics import Evidence, render_evidence
from autoretrain.domain.drift import MetricDrift
from autoretrain.domain.status import Status
from controller.api import PAGE
from controller.apply import Applier
from controller.cache import WatchCache
from controller.children.builder import Children
from controller.cluster import DECISION, SPAM_MODEL, WATCHED, Kind, Object, key_of
from controller.gather import Evidence as EvidencePort
from controller.gather import Gatherer
from controller.metrics import ControllerMetrics
from controller.passes import Passes
from controller.prometheus import QUERIES
from controller.upgrades import Upgrades
from tests.operator.memory_cluster import MemoryCluster
from tests.operator.operator_world import DEFAULTS, KEY, FakeRegistry, OperatorWorld, Reading, settled
from tests.unit.decide.builders import label_window

SETTLING_PASSES = 200
MOST_ROUNDS = 10
NEW_LABELS = 400
BREACH, QUIET = 0.4, 0.02


@dataclass
class DetectedWorld(OperatorWorld):
    """What a real detector and audit labels tell: each metric of each window, and label windows."""

    async def read(self, model: Any, status: Status, *, now: datetime) -> Reading:
        reading = await super().read(model, status, now=now)
        if reading.drift:
            metrics = tuple(
                MetricDrift(name=name, raw=0.4, median=0.3, upper=0.5, score=self.drift_score)
                for name in metric_names()
            )
            reading.drift = tuple(replace(report, metrics=metrics) for report in reading.drift)
        if reading.performance:
            reading.performance = replace(reading.performance, windows=(label_window(), label_window()))
        return reading


@cache
def metric_names() -> tuple[str, ...]:
    # Imported here: the process that is measured must not hold what only a monitor uses.
    from autoretrain.ml.drift.metrics import METRICS, SPAM_SHARE, metric_name
    from autoretrain.ml.drift.references import LABEL_METRICS, VIEWS

    # In the order that they are read in: another would be another status.
    return tuple(sorted([*(metric_name(m, view) for view in VIEWS for m in METRICS), SPAM_SHARE, *LABEL_METRICS]))


def build_world(models: int, *, decisions: int) -> OperatorWorld:
    """Return a world whose controller is at rest: each model with a champion, children, 3 Pods and its last decisions.

    One model goes through its first run, rollout and guard; the others get its status and make their own children.
    """
    world = DetectedWorld()
    world.create_model()
    settled(world, passes=SETTLING_PASSES)
    told = [world.resource, *world.cluster.of(DECISION)[-decisions:]]
    for number in range(1, models):
        for thing in told:
            world.cluster.put(_renamed(thing, number))
    for _ in range(MOST_ROUNDS):
        world.cluster.deliver(world.passes.cache)
        calls = len(world.cluster.calls)
        for model in world.cluster.of(SPAM_MODEL):
            asyncio.run(world.passes.make(key_of(model)))
        if len(world.cluster.calls) == calls:
            break
        world.roll_out()
    else:
        raise RuntimeError(f"the models are not at rest after {MOST_ROUNDS} passes each")
    for model in world.cluster.of(SPAM_MODEL):
        for component in ("serving", "serving", "monitor"):
            world.cluster.put(_pod(model, component, number=len(world.cluster.objects)))
    world.cluster.deliver(world.passes.cache)
    return world


def build_passes(
    cluster: MemoryCluster, cache: WatchCache, evidence: EvidencePort, *, metrics: ControllerMetrics, now: datetime
) -> Passes:
    """Return the passes of a controller, as `controller.main` puts them together."""
    registry = FakeRegistry()
    builder = Children(defaults=DEFAULTS)
    return Passes(
        cluster=cluster,
        cache=cache,
        gatherer=Gatherer(cluster, cache, evidence, lambda _model, _document: registry),
        applier=Applier(
            cluster, cache, builder, lambda _model, _document: registry, Upgrades(cache, limit=5), metrics.count_call
        ),
        metrics=metrics,
        now=lambda: now,
    )


def write_listings(cluster: MemoryCluster, directory: Path) -> None:
    """Write what a listing of each watched kind answers, a line a page."""
    for kind in WATCHED:
        things = cluster.of(kind)
        pages = (things[start : start + PAGE] for start in range(0, len(things), PAGE))
        (directory / f"{kind.name}.jsonl").write_text("".join(f"{json.dumps(page)}\n" for page in pages))


class ListedCluster(MemoryCluster):
    """Answers listings from files and holds no object itself: the API server's memory is not the controller's."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    async def list_pages(
        self, kind: Kind, *, namespace: str | None = None, model: str | None = None
    ) -> AsyncIterator[list[Object]]:
        with (self._directory / f"{kind.name}.jsonl").open("rb") as pages:
            for page in pages:
                yield from_json(page, cache_strings="all")


def write_answers(world: OperatorWorld, directory: Path, *, drifting: Iterable[str]) -> None:
    """Write what Prometheus answers to each query, by model, while the models named `drifting` drift."""
    drifting, found = frozenset(drifting), {name: dict[str, str]() for name in QUERIES}
    world.labels += NEW_LABELS
    for model in world.cluster.of(SPAM_MODEL):
        namespace, name = key_of(model)
        world.drift_score = BREACH if name in drifting else QUIET
        key = f"{namespace}.{name}"
        found["evidence"][key] = _joined(_rows(key, _measured(world), namespace=namespace))
        served = {"namespace": namespace, "spammodel": key, "model_version": "v1"}
        for query, value in (("requests", "5000"), ("errors", "0"), ("p95", "0.004")):
            found[query][key] = _joined([{"metric": served, "value": [world.now.timestamp(), value]}])
    world.labels -= NEW_LABELS
    directory.mkdir()
    for query, rows in found.items():
        (directory / f"{query}.json").write_text(json.dumps(rows))


@contextmanager
def prometheus(directory: Path) -> Iterator[str]:
    """Serve the answers written below `directory` in a process of its own; `<address>/<folder>` is one Prometheus."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(directory, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(10)


def _serve(directory: Path, started) -> None:
    answers = {(place.parent.name, place.stem): json.loads(place.read_text()) for place in directory.glob("*/*.json")}

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            folder = self.path.removeprefix("/").removesuffix("/api/v1/query")
            name, keys = _asked(form["query"][0])
            rows = answers[folder, name]
            result = ",".join(rows[key] for key in keys if key in rows)
            body = f'{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}'.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    started.send(server.server_port)
    server.serve_forever()


def _asked(query: str) -> tuple[str, list[str]]:
    """Which of QUERIES is this, and about which models?"""
    parts = {name: text.split("MODELS") for name, text in QUERIES.items()}
    name = next(name for name, (begin, end) in parts.items() if query.startswith(begin) and query.endswith(end))
    [keys] = re.findall(r'spammodel=~"([^"]*)"', query)
    return name, keys.replace("[.]", ".").split("|")


def _joined(rows: list[Object]) -> str:
    return ",".join(json.dumps(row, separators=(",", ":")) for row in rows)


def _measured(world: OperatorWorld) -> Evidence:
    """What the monitor of a model with the first version as its champion would publish now."""
    reading = asyncio.run(world.read(None, world.status, now=world.now))
    return Evidence(
        model_version="1",
        measured_at=world.now,
        drift=reading.drift,
        pending_messages=reading.pending,
        performance=reading.performance,
        supply=reading.supply,
        guard=reading.guard,
    )


def _rows(key: str, evidence: Evidence, *, namespace: str) -> list[Object]:
    scrape = {
        "namespace": namespace,
        "pod": f"{key.rpartition('.')[2]}-monitor-7d4b9c6f5-x2x7p",
        "component": "monitor",
        "job": "autoretrain",
        "instance": "10.244.0.7:8002",
    }
    return [
        {
            "metric": {
                "__name__": each.name,
                **scrape,
                **{name: value for name, value in each.labels.items() if value},
            },
            "value": [evidence.measured_at.timestamp(), repr(each.value)],
        }
        for each in render_evidence(key, evidence)
    ]


def _renamed(thing: Object, number: int) -> Object:
    """Return the first model's `thing` as another model has it."""
    text = json.dumps(thing).replace(KEY[1], f"{KEY[1]}-{number:04}").replace("uid-model", f"uid-model-{number}")
    renamed: Object = json.loads(text)
    return renamed


def _pod(model: Object, component: str, *, number: int) -> Object:
    """Return a Pod that is ready, as a kubelet shows it."""
    name, at = model["metadata"]["name"], model["metadata"]["creationTimestamp"]
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    labels = {"name": "autoretrain", "instance": name, "component": component, "managed-by": "autoretrain"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{component}-{number}",
            "namespace": model["metadata"]["namespace"],
            "labels": {f"app.kubernetes.io/{part}": value for part, value in labels.items()}
            | {"autoretrain.dev/spammodel": name, "pod-template-hash": "7d4b9c6f5"},
            "annotations": {"autoretrain.dev/model-version": "1", "prometheus.io/scrape": "true"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-{component}", "uid": f"set-{number}"}
            ],
        },
        "spec": {"containers": [{"name": component, "image": "serving:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": at} for kind in kinds
            ],
            "containerStatuses": [
                {
                    "name": component,
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "image": "serving:1",
                    "imageID": f"sha256:{number:064x}",
                    "containerID": f"containerd://{number:064x}",
                    "state": {"running": {"startedAt": at}},
                    "lastState": {},
                }
            ],
            "hostIP": "10.0.0.1",
            "podIP": "10.244.0.7",
            "startTime": at,
            "qosClass": "Burstable",
        },
    }
