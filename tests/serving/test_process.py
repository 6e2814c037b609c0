"""The server as a process: what it imports, how it ends, and what survives when it is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label
from tests.serving.conftest import serve_artefact
from tests.serving.models import HAM, MODEL, SPAM, make_artefact

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "scipy", "sklearn", "pandas", "mlflow", "matplotlib", "nltk", "alembic", "httpx", "streamlit")
UVICORN = [sys.executable, "-m", "uvicorn", "src.serve:app", "--port", "{port}"]
RUN_SERVING = [sys.executable, "-m", "autoretrain.serving"]


class Running:
    def __init__(self, process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> None:
        self.process, self.http, self.log = process, http, log

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def running(settings: Settings, command: list[str], tmp_path: Path) -> Iterator[Running]:
    """The server of `command` on a free port, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "AUTORETRAIN_STATE_DIR": str(settings.state_dir),
        "AUTORETRAIN_MODEL": MODEL,
        "AUTORETRAIN_SERVING_PORT": str(port),
        "AUTORETRAIN_MLFLOW_TRACKING_URI": "sqlite:///unused.db",
    }
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    if http.get("/readyz").status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    time.sleep(0.02)
            yield Running(process, http, log)
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(
    "command", [UVICORN, RUN_SERVING], ids=["uvicorn src.serve:app", "python -m autoretrain.serving"]
)
def test_sigterm_ends_it_cleanly_after_everything_answered_was_kept(
    settings: Settings, store: Store, tmp_path: Path, command: list[str]
):
    serve_artefact(store, make_artefact())
    with running(settings, command, tmp_path) as server:
        for _ in range(30):
            assert server.http.post("/predict", json={"message": HAM}).status_code == 200
        assert server.http.post("/predict", json={"message": "my-secret-words"}).status_code == 200
        assert server.http.post("/predict", json={"message": 1}).status_code == 422
        code = server.end(signal.SIGTERM)
    log = server.log.read_text()
    assert code in {0, -signal.SIGTERM}
    assert "Traceback" not in log
    assert "my-secret-words" not in log
    assert all(json.loads(line)["event"] for line in log.splitlines())
    assert store.count_predictions(version="1", since=None) == 31


def test_an_interrupt_leaves_no_traceback(settings: Settings, store: Store, tmp_path: Path):
    serve_artefact(store, make_artefact())
    with running(settings, RUN_SERVING, tmp_path) as server:
        server.end(signal.SIGINT)
    assert "Traceback" not in server.log.read_text()


def test_feedback_that_was_acknowledged_survives_kill_9(settings: Settings, store: Store, tmp_path: Path):
    serve_artefact(store, make_artefact())
    with running(settings, UVICORN, tmp_path) as server:
        kept = 0
        for number in range(20):
            answer = server.http.post("/feedback", json={"message": f"{SPAM} {number}", "label": "spam"})
            kept += answer.status_code == 201
        server.end(signal.SIGKILL)
    with Store(settings.resolved_store_url(), model=MODEL) as reopened:
        assert [(one.source, one.labels, one.spam) for one in reopened.sources()] == [("anonymous", 20, 20)]
    assert kept == 20


def test_a_port_that_is_taken_is_an_error_without_a_traceback(settings: Settings, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = os.environ | {
            "AUTORETRAIN_STATE_DIR": str(settings.state_dir),
            "AUTORETRAIN_SERVING_PORT": str(taken.getsockname()[1]),
        }
        done = subprocess.run(RUN_SERVING, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert b"address already in use" in done.stderr
    assert b"Traceback" not in done.stderr


def test_serving_imports_none_of_the_training_libraries(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    code = f"""
import asyncio, json, sys
from pathlib import Path
from autoretrain.adapters.settings import Settings
from autoretrain.serving.app import create_app

app = create_app(Settings(state_dir=Path({str(settings.state_dir)!r}), model={MODEL!r}))
async def start():
    async with app.router.lifespan_context(app):
        pass
asyncio.run(start())
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r}))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_predictions_of_several_starts_are_all_there(settings: Settings, store: Store, tmp_path: Path):
    serve_artefact(store, make_artefact())
    for _ in range(2):
        with running(settings, UVICORN, tmp_path) as server:
            server.http.post("/predict", json={"message": SPAM})
            server.end(signal.SIGTERM)
    assert [one.label for one in store.recent_predictions(version="1", since=None, limit=9)] == [Label.SPAM] * 2
