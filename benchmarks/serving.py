"""How fast is serving, beside what a user would write instead? One run, all servers at once, ratios of the same round.

Trains one model of the chosen profile, serves it by `uvicorn src.serve:app`, and compares with an empty FastAPI echo
and with FastAPI over a scikit-learn pipeline of the same features. The bounds of p50 and throughput are those at the
least number of connections that is measured, the bound of p95 is that at the most.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import joblib
import uvloop
from bounds import Bounds
from closed_loop import Load, run_load
from real_messages import data_dir, distinct, read_uci
from serving_processes import MODEL, OURS, ROOT, START_SECONDS, TARGETS, Server, serve
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union

from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.ml.artefact import LinearParts
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import search
from autoretrain.ml.variants import Profile

MUST_P95_MS, MUST_P99, MUST_COLD = 100, 1.10, 2
DRIFT_ROUNDS, DRIFT_SECONDS = 15, 6.0
"""A p99 of 2 s is made by its 17 slowest requests: its ratio swings by 20 % between runs in which nothing changed."""
AIM_P50_ECHO, AIM_RATE_PIPELINE, AIM_START, AIM_COLD, AIM_MEBIBYTES = 1.3, 5, 2, 1, 100

COLD_LOAD = """
import time; began = time.perf_counter()
from autoretrain.adapters.store import Store
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
store = Store({url!r}, model={model!r})
loader = ModelLoader([lambda version, digest: store.artefact(digest)], ServingMetrics({model!r}))
lineup, _ = loader.build(store.deployment(), loaded=())
lineup.champion.model.predict("Win a free prize now")
print(time.perf_counter() - began)
"""


def prepare(directory: Path, *, profile: Profile) -> list[LabelledMessage]:
    """Train both models, put ours into a store and the pipeline into a file; returns the held-out rows."""
    rows = distinct(read_uci(data_dir() / "SMSSpamCollection"))
    held_out = [row for row in rows if in_holdout(row.text)]
    training = [row for row in rows if not in_holdout(row.text)]
    algorithms = (AlgorithmSpec(name="LinearSVM", parameters={}),)
    spec = TrainingSpec(profile=profile, seed=0, algorithms=algorithms, active_deadline_seconds=900, backoff_limit=0)
    trained = search(rows, spec)
    reference = build_references(trained.model, held_out, seed=0)
    card = json.dumps({"algorithm": "LinearSVM", "metrics": {}})
    artefact = ModelArtefact(
        version="1", digest=trained.digest, run_id="", model=trained.artefact, reference=reference, card=card
    )
    with Store(f"sqlite:///{directory / 'store.db'}", model=MODEL) as store:
        store.migrate()
        store.put_artefact(artefact)
        store.deploy(Deployment(version="1", digest=trained.digest))
    pipeline = make_pipeline(build_vectorizer(trained.model.parts), LogisticRegression(C=10, max_iter=1000))
    pipeline.fit([row.text for row in training], [row.label == "spam" for row in training])
    joblib.dump(pipeline, directory / "pipeline.joblib")
    return held_out


def build_vectorizer(parts: LinearParts) -> TfidfVectorizer | FeatureUnion:
    """The features of our model as scikit-learn has them: the same profile on both sides."""
    word = TfidfVectorizer(ngram_range=parts.word.lengths, sublinear_tf=True)
    if parts.character is None:
        return word
    return make_union(word, TfidfVectorizer(analyzer="char_wb", ngram_range=parts.character.lengths, sublinear_tf=True))


def build_requests(rows: list[LabelledMessage]) -> list[bytes]:
    return [build_request("/predict", json.dumps({"message": row.text}).encode()) for row in rows]


def build_request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def load(server: Server, requests: list[bytes], *, connections: int, seconds: float) -> tuple[Load, float]:
    """The load, and the server's CPU seconds a request."""
    before = server.cpu_seconds()
    done = uvloop.run(run_load(server.port, requests, connections=connections, seconds=seconds))
    if done.failed:
        raise SystemExit(f"{server.name}: {done.failed} requests failed")
    return done, (server.cpu_seconds() - before) / len(done.latencies)


def compare(servers: list[Server], requests: list[bytes], options: argparse.Namespace, *, bounds: Bounds) -> None:
    for connections in options.connections:
        loads: dict[str, list[tuple[Load, float]]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                loads[server.name].append(load(server, requests, connections=connections, seconds=options.seconds))
        print(f"\n{connections} connection(s), {options.rounds} rounds of {options.seconds} s; ratios: medians")
        print(f"{'server':<14}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'rps':>9}{'CPU us':>9}", end="")
        print(f"{'p50/echo':>10}{'rps/echo':>10}{'rps/pipe':>10}")
        for name, rounds in loads.items():
            p50, p95, p99 = (median(one.quantile(q) for one, _ in rounds) * 1e3 for q in (0.5, 0.95, 0.99))
            rate, cpu = median(one.rate for one, _ in rounds), median(cpu for _, cpu in rounds) * 1e6
            pairs = list(zip(rounds, loads["echo"], loads["pipeline"], strict=True))
            p50_echo = median(mine.quantile(0.5) / echo.quantile(0.5) for (mine, _), (echo, _), _ in pairs)
            rate_echo = median(mine.rate / echo.rate for (mine, _), (echo, _), _ in pairs)
            rate_pipe = median(mine.rate / pipe.rate for (mine, _), _, (pipe, _) in pairs)
            print(f"{name:<14}{p50:>9.2f}{p95:>9.2f}{p99:>9.2f}{rate:>9.0f}{cpu:>9.0f}", end="")
            print(f"{p50_echo:>9.2f}x{rate_echo:>9.2f}x{rate_pipe:>9.2f}x")
            if name == OURS and connections == max(options.connections):
                bounds.must(
                    f"p95 < {MUST_P95_MS} ms, {connections} connections", f"{p95:.1f} ms", met=p95 < MUST_P95_MS
                )
            if name == OURS and connections == min(options.connections):
                bounds.aim(f"p50 <= {AIM_P50_ECHO} x the echo's", f"{p50_echo:.2f} x", met=p50_echo <= AIM_P50_ECHO)
                bounds.aim(
                    f"throughput >= {AIM_RATE_PIPELINE} x the pipeline's",
                    f"{rate_pipe:.1f} x",
                    met=rate_pipe >= AIM_RATE_PIPELINE,
                )


async def _with_drift(server: Server, requests: list[bytes], *, seconds: float) -> tuple[Load, Load]:
    """Load while one client after the other asks for drift; the drift's own answers second.

    Both are asked by the same cheap client: a general one would spend milliseconds of this process on each report, and
    that would be measured as the server's.
    """
    drift = build_request("/drift/calculate", (ROOT / "test_data" / "new_messages.json").read_bytes())
    predictions, reports = await asyncio.gather(
        run_load(server.port, requests, connections=1, seconds=seconds),
        run_load(server.port, [drift], connections=1, seconds=seconds),
    )
    for done in (predictions, reports):
        if done.failed:
            raise SystemExit(f"{server.name}: {done.failed} requests failed")
    return predictions, reports


def disturb(server: Server, requests: list[bytes], *, bounds: Bounds) -> None:
    uvloop.run(_with_drift(server, requests, seconds=1.0))  # the worker's own start is not what is asked
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(DRIFT_ROUNDS):
        calm, _ = load(server, requests, connections=1, seconds=DRIFT_SECONDS)
        busy, reports = uvloop.run(_with_drift(server, requests, seconds=DRIFT_SECONDS))
        alone.append(calm.quantile(0.99))
        beside.append(busy.quantile(0.99))
    ratio = median(b / a for a, b in zip(alone, beside, strict=True))
    print(
        f"\n/predict p99 alone {median(alone) * 1e3:.2f} ms, beside /drift/calculate {median(beside) * 1e3:.2f} ms: ",
        end="",
    )
    print(f"{ratio:.2f}x ({len(reports.latencies)} calculations in the last round)")
    bounds.must(f"p99 beside /drift/calculate <= {MUST_P99} x alone", f"{ratio:.2f} x", met=ratio <= MUST_P99)


def start_and_memory(directory: Path, *, starts: int, bounds: Bounds) -> None:
    print(f"\nstart to the first right answer, {starts} starts in turn, each alone; memory after it")
    for name, target in TARGETS.items():
        seconds, memory = [], []
        for _ in range(starts):
            with serve(name, target, directory=directory) as server:
                seconds.append(server.started_seconds)
                memory.append(server.resident_mib())
        print(
            f"{name:<14}{median(seconds):>8.2f} s ({min(seconds):.2f} to {max(seconds):.2f}){median(memory):>8.0f} MiB"
        )
        if name == OURS:
            start, held = median(seconds), median(memory)
            bounds.must(
                f"start to the first right answer < {START_SECONDS} s", f"{start:.2f} s", met=start < START_SECONDS
            )
            bounds.aim(f"start to the first right answer <= {AIM_START} s", f"{start:.2f} s", met=start <= AIM_START)
            bounds.aim(f"memory <= {AIM_MEBIBYTES} MiB", f"{held:.0f} MiB", met=held <= AIM_MEBIBYTES)


def cold_load(directory: Path, *, starts: int, bounds: Bounds) -> None:
    code = COLD_LOAD.format(url=f"sqlite:///{directory / 'store.db'}", model=MODEL)
    inside, whole = [], []
    for _ in range(starts):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
        whole.append(time.perf_counter() - began)
        inside.append(float(done.stdout))
    print(f"\nchampion from the store in a cold process: {median(inside):.2f} s with imports, ", end="")
    print(f"{median(whole):.2f} s from the process's start ({starts} processes)")
    took = median(whole)
    bounds.must(f"champion in a cold process < {MUST_COLD} s", f"{took:.2f} s", met=took < MUST_COLD)
    bounds.aim(f"champion in a cold process <= {AIM_COLD} s", f"{took:.2f} s", met=took <= AIM_COLD)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Profile, default=Profile.WORD_AND_CHARACTER, choices=list(Profile))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--only", choices=["load", "drift", "start", "cold"], nargs="+", default=[])
    options = parser.parse_args()
    bounds = Bounds()
    wanted = set(options.only or ["load", "drift", "start", "cold"])
    with tempfile.TemporaryDirectory(prefix="autoretrain-bench-") as name, ExitStack() as stack:
        directory = Path(name)
        requests = build_requests(prepare(directory, profile=options.profile))
        print(f"profile {options.profile}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        if "cold" in wanted:
            cold_load(directory, starts=options.starts, bounds=bounds)
        if "start" in wanted:
            start_and_memory(directory, starts=options.starts, bounds=bounds)
        if wanted & {"load", "drift"}:
            servers = [
                stack.enter_context(serve(name, target, directory=directory)) for name, target in TARGETS.items()
            ]
            if "load" in wanted:
                compare(servers, requests, options, bounds=bounds)
            if "drift" in wanted:
                disturb(servers[-1], requests, bounds=bounds)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
