"""A bare `mlflow server` and direct writing into its SQLite file, in either order: both see all of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from autoretrain.adapters.registry_mlflow import MlflowRegistry, server_command
from tests.contract.test_registry import NAME, artefact_bytes, register

pytestmark = [
    pytest.mark.slow,  # a server takes 10 s to start
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

START_SECONDS = 120.0
EXPERIMENT = "any order"


@contextmanager
def serving(directory, command=None):
    """A server with `directory` as its working directory; without `command` a bare one. Yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bare = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
    environment |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command(port) if command else bare,
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address, process)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def wait_for(address, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended at once"
        try:
            if httpx.get(f"{address}/health", timeout=2.0).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"no answer of {address} within {START_SECONDS:.0f} s")


def log_run(registry, run_name):
    """A run with a picture, and the version it registered."""
    run = registry.start_run(EXPERIMENT, run_name=run_name)
    run.log(metrics={"f1": 0.9}, files={"picture.png": run_name.encode()})
    version = register(registry, run_name, run_id=run.run_id)
    run.finish()
    return version


def picture(address, version):
    """What the server's own page would show."""
    listed = httpx.get(f"{address}/api/2.0/mlflow/artifacts/list", params={"run_id": version.run_id}, timeout=20.0)
    assert [file["path"] for file in listed.json()["files"]] == ["picture.png"]
    wanted = {"path": "picture.png", "run_uuid": version.run_id}
    return httpx.get(f"{address}/get-artifact", params=wanted, timeout=20.0).raise_for_status().content


def test_what_was_written_directly_is_shown_by_a_bare_server_started_later(tmp_path):
    directly = MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", name=NAME)
    first = log_run(directly, "before")
    with serving(tmp_path) as address:
        through = MlflowRegistry(address, name=NAME)
        assert picture(address, first) == b"before"
        assert through.versions() == (first,)
        assert through.fetch_artefact("1") == directly.fetch_artefact("1")
        second = log_run(through, "beside")
        assert picture(address, second) == b"beside"
    assert [found.version for found in directly.versions()] == ["1", "2"]
    assert directly.fetch_artefact("2").model == artefact_bytes()


def test_a_run_goes_directly_into_an_experiment_that_a_bare_server_made(tmp_path):
    directly = MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", name=NAME)
    with serving(tmp_path) as address:
        created = httpx.post(f"{address}/api/2.0/mlflow/experiments/create", json={"name": EXPERIMENT}, timeout=20.0)
        experiment = created.raise_for_status().json()["experiment_id"]
        beside = log_run(directly, "while it runs")
        assert picture(address, beside) == b"while it runs"
    after = log_run(directly, "after it ended")
    assert [found.version for found in directly.versions()] == ["1", "2"]
    assert directly.fetch_artefact("2").run_id == after.run_id
    assert list((tmp_path / "mlartifacts" / experiment).glob(f"{after.run_id}/artifacts/picture.png"))
    assert not (tmp_path / "mlruns").exists()


def test_our_own_server_shows_the_same(tmp_path):
    tracking_uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = log_run(MlflowRegistry(tracking_uri, name=NAME), "before")
    with serving(tmp_path, lambda port: server_command(tracking_uri, host="127.0.0.1", port=port)) as address:
        assert picture(address, first) == b"before"
        refused = httpx.get(
            f"{address}/api/2.0/mlflow/experiments/search", headers={"Host": "evil.example"}, timeout=20.0
        )
        assert refused.status_code == httpx.codes.FORBIDDEN
