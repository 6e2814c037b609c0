"""The containers of docker-compose.yml as a project of their own on free ports: the integration test's other stack."""

import json
import os
import subprocess
from pathlib import Path

from autoretrain.adapters.spammodel import parse_status
from autoretrain.app.preflight import free_port_after
from autoretrain.app.scenario_stack import ScenarioStack
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import Status

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "autoretrain-test"
LOOP = "agent-scheduler"
BUILD_SECONDS = 1800.0
CALL_SECONDS = 180.0


class ComposeStack(ScenarioStack):
    """Document, data and keys are mounted, so everybody may read them. What it learnt is removed with it."""

    @property
    def variables(self) -> dict[str, str]:
        # What this machine's shell has for an MLflow or a store of its own is not for these containers.
        elsewhere = dict.fromkeys(("AUTORETRAIN_STORE_URL", "MLFLOW_TRACKING_URI", "AUTORETRAIN_HOST"), "")
        port = str(free_port_after(max(self._ports.values())))
        return {**super().variables, **elsewhere, "AUTORETRAIN_PROMETHEUS_PORT": port}

    def start(self, *, clean: bool = True) -> None:
        """Build, start, and wait until every service is healthy, which serving is with a champion."""
        if clean:
            self._remove()
        self._compose("up", "--build", "--detach", "--wait", seconds=BUILD_SECONDS)

    def stop(self) -> int | None:
        """Stop and remove the containers; return the exit code of the loop's, None where there is none."""
        self._compose("stop")
        loop = self._compose("ps", "--all", "--quiet", LOOP).strip()
        code = int(self._run("docker", "inspect", "--format={{.State.ExitCode}}", loop)) if loop else None
        self._remove()
        return code

    def command(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        return self._compose("exec", "-T", LOOP, "autoretrain", *arguments, seconds=seconds)

    def status(self, key: str = "") -> Status:
        """Return what the loop wrote last; its file is read, since a command would take a second of one core."""
        try:
            text = self._compose("exec", "-T", LOOP, "cat", f"status/{key}.json")
        except AutoRetrainError:
            return Status()
        return parse_status(json.loads(text).get("status", {}))

    def _remove(self) -> None:
        self._compose("down", "--volumes", "--remove-orphans")

    def _compose(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        # Nobody's own `.env` is read: its alerts and its ports are not for these containers.
        options = ("--project-name", PROJECT, "--env-file", os.devnull)
        return self._run("docker", "compose", *options, *arguments, seconds=seconds)

    def _run(self, *command: str, seconds: float = CALL_SECONDS) -> str:
        """Run one command in the repository. Raises AutoRetrainError with the end of what it said."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode != 0:
            raise AutoRetrainError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-3000:]}")
        return done.stdout

    def _log_tail(self) -> str:
        return self._compose("logs", "--tail=40", LOOP)
