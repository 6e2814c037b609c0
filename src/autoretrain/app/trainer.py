"""Training as a process of its own, submitted and looked at again: what a Job is on a cluster.

A run has a directory. `run.lock` in it is held by the process that trains, so that a run submitted twice (by a
controller that was killed between two lines) trains once. `summary.json` or `failure.json` is how it ended; neither,
with the lock free, means that the process was killed.
"""

import json
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from autoretrain.adapters import records
from autoretrain.app.state import write_atomically
from autoretrain.app.supervisor import end_trees, find, identify, spawn
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import ActiveRun
from autoretrain.domain.training import ExitCode, RunObservation, RunState, TrainingSummary

CANCEL_SECONDS = 10.0
KEPT_RUNS = 20


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run; both the controller and the training process use them."""

    path: Path

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def failure(self) -> Path:
        return self.path / "failure.json"

    @property
    def process(self) -> Path:
        return self.path / "process.json"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    def lock(self) -> filelock.FileLock:
        return filelock.FileLock(self.path / "run.lock", timeout=0)

    def record_failure(self, code: int, message: str) -> None:
        write_atomically(self.failure, json.dumps({"code": code, "message": message[:1000]}))


class LocalTrainer:
    """Submits runs of one model as processes and reports what became of them."""

    def __init__(self, directory: Path, *, arguments: Sequence[str], backoff_limit: int = 0) -> None:
        """`arguments` are those of `autoretrain train` that every run of this model gets."""
        self._directory = directory
        self._arguments = tuple(arguments)
        self.backoff_limit = backoff_limit

    def submit(self, run: ActiveRun) -> None:
        """Start the run, unless it was started before. Raises AutoRetrainError where no process can be started."""
        directory = RunDirectory(self._directory / run.name)
        if directory.process.exists() or directory.summary.exists():
            return
        directory.path.mkdir(parents=True, exist_ok=True)
        self._prune(keep=run.name)
        self._launch(directory, run, attempt=1)

    def observe(self, run: ActiveRun) -> RunObservation | None:
        """Return how the run stands; None where it was never submitted. Starts the next attempt of a failed one."""
        directory = RunDirectory(self._directory / run.name)
        if directory.summary.exists():
            summary = records.load_record(TrainingSummary, json.loads(directory.summary.read_text()))
            return RunObservation(run_name=run.name, state=RunState.SUCCEEDED, summary=summary)
        if not directory.process.exists():
            return None
        known = json.loads(directory.process.read_text())
        if not directory.failure.exists() and (find(known) or self._locked(directory)):
            return RunObservation(run_name=run.name, state=RunState.RUNNING)
        code, message = self._ending(directory)
        retriable = code != ExitCode.BAD_INPUT
        if retriable and known["attempt"] <= self.backoff_limit:
            directory.failure.unlink(missing_ok=True)
            self._launch(directory, run, attempt=known["attempt"] + 1)
            return RunObservation(run_name=run.name, state=RunState.RUNNING)
        return RunObservation(run_name=run.name, state=RunState.FAILED, message=message, retriable=retriable)

    def cancel(self, run_name: str) -> None:
        """End the run's processes and let it count as failed, without another attempt."""
        directory = RunDirectory(self._directory / run_name)
        if not directory.process.exists():
            return
        known = json.loads(directory.process.read_text())
        write_atomically(directory.process, json.dumps({**known, "attempt": self.backoff_limit + 1}))
        if process := find(known):
            end_trees([process.pid], seconds=CANCEL_SECONDS)
        if not directory.summary.exists():
            directory.record_failure(ExitCode.INTERRUPTED, "the run was ended")

    def stop(self) -> None:
        """End whatever trains now; the run is submitted again under its name by the next controller."""
        for path in self._directory.glob("*/process.json"):
            directory = RunDirectory(path.parent)
            if directory.summary.exists() or directory.failure.exists():
                continue
            if process := find(json.loads(path.read_text())):
                end_trees([process.pid], seconds=CANCEL_SECONDS)
                directory.failure.unlink(missing_ok=True)
                path.unlink(missing_ok=True)

    def _launch(self, directory: RunDirectory, run: ActiveRun, *, attempt: int) -> None:
        command = [
            *(sys.executable, "-m", "autoretrain", "training-run", "--run-directory", str(directory.path), "--"),
            *self._arguments,
            *("--run-name", run.name, "--trigger", run.trigger, "--label-cutoff", str(run.label_cutoff)),
            *(("--changed-at", run.changed_at.isoformat()) if run.changed_at else ()),
        ]
        try:
            with directory.log.open("ab") as out:
                child = spawn(command, output=out)
        except OSError as error:
            raise AutoRetrainError(f"training could not be started: {error}") from error
        # Nobody else waits for it, and what ended without being waited for stays in the process table.
        threading.Thread(target=child.wait, name=f"wait-{run.name}", daemon=True).start()
        identity = identify(child.pid) or {"pid": child.pid, "created": 0.0}
        write_atomically(directory.process, json.dumps({**identity, "attempt": attempt}))

    def _locked(self, directory: RunDirectory) -> bool:
        try:
            with directory.lock():
                return False
        except filelock.Timeout:
            return True

    def _ending(self, directory: RunDirectory) -> tuple[int, str]:
        if directory.failure.exists():
            known = json.loads(directory.failure.read_text())
            return known["code"], known["message"]
        return ExitCode.FAILED, f"the training process was killed; its output is in {directory.log}"

    def _prune(self, *, keep: str) -> None:
        """Keep the newest runs only: their directories hold logs, not models."""
        runs = sorted((p for p in self._directory.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
        for old in [p for p in runs if p.name != keep][:-KEPT_RUNS]:
            shutil.rmtree(old, ignore_errors=True)
