"""A whole local controller in a directory of its own, on free ports: what the demo and the integration test drive."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from autoretrain.app.preflight import free_port_after
from autoretrain.app.state import StateDirectory
from autoretrain.app.supervisor import end_trees
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import Status

START_SECONDS = 600.0
STOP_SECONDS = 60.0
FIRST_PORT = 18000


@dataclass(slots=True)
class ScenarioStack:
    """`document` is the SpamModel that is run, `data` the file it trains on; `directory` is emptied at the start."""

    directory: Path
    document: Path
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        port = FIRST_PORT
        for name in ("SERVING", "MLFLOW", "MONITOR", "DASHBOARD"):
            port = free_port_after(port)
            self._ports[name] = port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._ports['SERVING']}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every process of this stack."""
        own = {f"AUTORETRAIN_{name}_PORT": str(port) for name, port in self._ports.items()}
        own |= {
            "AUTORETRAIN_SPEC": str(self.document.resolve()),
            "AUTORETRAIN_DATA": str(self.data.resolve()),
            "AUTORETRAIN_STATE_DIR": str(self.state.path),
            "AUTORETRAIN_MLFLOW_TRACKING_URI": self.tracking_uri,
        }
        return {**os.environ, **own, **self.environment}

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.directory / 'mlflow.db'}"

    @property
    def state(self) -> StateDirectory:
        return StateDirectory(self.directory / "state")

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.state.path / 'store.db'}"

    def start(self, *, clean: bool = True) -> None:
        """Start the controller and wait until it serves a champion. Raises AutoRetrainError where it does not."""
        if clean:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "controller.log").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autoretrain", "run", "--no-dashboard"],
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.wait("a champion is served", self.ready, seconds=START_SECONDS)

    def stop(self) -> int | None:
        """Stop it as Ctrl-C does; return its exit code."""
        if self._process is None or self._process.poll() is not None:
            return self._process.returncode if self._process else None
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_trees([self._process.pid], seconds=0)
            raise AutoRetrainError(f"the controller did not stop within {STOP_SECONDS:.0f} s") from None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise AutoRetrainError("the controller was not started")
        return self._process.pid

    def command(self, *arguments: str, seconds: float = 180.0) -> str:
        """Run one `autoretrain` command against this stack as a user would; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "autoretrain", *arguments],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise AutoRetrainError(f"autoretrain {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AutoRetrainError(f"the controller ended: {self._log_tail()}")
        try:
            return httpx.get(f"{self.address}/readyz", timeout=2.0).is_success and self.status().champion is not None
        except httpx.HTTPError:
            return False

    def status(self, key: str = "") -> Status:
        found = sorted((self.state.path / "status").glob("*.json"))
        return self.state.read_status(key or found[0].stem) if key or found else Status()

    def current(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(httpx.get(f"{self.address}/models/current", timeout=5.0).text)
        return answer

    def wait(self, what: str, reached: Callable[[], bool], *, seconds: float, pause: float = 0.5) -> None:
        """Wait until `reached`. Raises AutoRetrainError saying what did not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if reached():
                return
            time.sleep(pause)
        raise AutoRetrainError(f"within {seconds:.0f} s it did not happen that {what}; {self._log_tail()}")

    def _log_tail(self) -> str:
        log = self.directory / "controller.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
