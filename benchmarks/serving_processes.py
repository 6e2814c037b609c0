"""Which servers does the serving benchmark compare, and how is each started as a process of its own?"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
MODEL = "default.sms-spam"
OURS = "autoretrain"
TARGETS = {
    "echo": ["--app-dir", "benchmarks", "--factory", "serving_peers:create_echo"],
    "pipeline": ["--app-dir", "benchmarks", "--factory", "serving_peers:create_pipeline"],
    OURS: ["src.serve:app"],
}
START_SECONDS = 30  # what must hold: a server that has not answered by then is given up


@dataclass
class Server:
    name: str
    port: int
    process: psutil.Popen
    started_seconds: float

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def resident_mib(self) -> float:
        return self.process.memory_info().rss / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serve(name: str, target: list[str], *, directory: Path) -> Iterator[Server]:
    """Start `target` and wait for its first right answer."""
    port = free_port()
    settings = {
        "AUTORETRAIN_STATE_DIR": str(directory),
        "AUTORETRAIN_MODEL": MODEL,
        "AUTORETRAIN_MLFLOW_TRACKING_URI": "sqlite:///unused.db",
        "BENCHMARK_PIPELINE": str(directory / "pipeline.joblib"),
    }
    options = ["--port", str(port), "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    began = time.perf_counter()
    log = (directory / f"{name.replace(' ', '-')}.log").open("wb")
    process = psutil.Popen(
        [sys.executable, "-m", "uvicorn", *target, *options],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=log,
        stderr=log,
    )
    try:
        while True:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"message": "ok see you"}, timeout=5)
                if answer.status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise
            time.sleep(0.01)
        yield Server(name, port, process, time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
        log.close()
