"""Keeps child processes alive, heals them with back-off, and ends all of them, so that no orphan is left."""

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from autoretrain.app.state import StateDirectory, write_atomically

STOP_SECONDS = 15.0
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
STABLE_SECONDS = 60.0
MAX_LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One program to keep running; `environment` is added to ours."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    retry_at: float = 0.0


class Supervisor:
    """Children are started in process groups of their own: a Ctrl-C reaches only us, and we pass it on in order."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def start(self, spec: ChildSpec) -> None:
        with self._lock:
            child = _Child(spec)
            self._children[spec.name] = child
            self._launch(child)
        self._remember()

    def heal(self) -> list[str]:
        """Start again what ended, each with its own growing delay; return a sentence for each restart."""
        notes = []
        with self._lock:
            if self._stopping:
                return []
            for child in self._children.values():
                note = self._heal_one(child, now=time.monotonic())
                if note:
                    notes.append(note)
        if notes:
            self._remember()
        return notes

    def pid(self, name: str) -> int | None:
        child = self._children.get(name)
        return child.process.pid if child and child.process else None

    def alive(self, name: str) -> bool:
        child = self._children.get(name)
        return bool(child and child.process and child.process.poll() is None)

    def stop_all(self, *, seconds: float = STOP_SECONDS) -> None:
        """End every child and what it started: first by SIGTERM, after `seconds` by SIGKILL."""
        with self._lock:
            self._stopping = True
            processes = [child.process for child in self._children.values() if child.process]
        end_trees([process.pid for process in processes], seconds=seconds)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        self._state.children.unlink(missing_ok=True)

    def _heal_one(self, child: _Child, *, now: float) -> str:
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                if child.failures and now - child.started_at > STABLE_SECONDS:
                    child.failures = 0
                return ""
            delay = min(FIRST_BACKOFF_SECONDS * 2**child.failures, MAX_BACKOFF_SECONDS)
            child.process, child.failures, child.retry_at = None, child.failures + 1, now + delay
            log = self._state.log(child.spec.name)
            return f"{child.spec.name} ended with code {code}; next start in {delay:.1f} s (log: {log})"
        if now >= child.retry_at:
            self._launch(child)
            return f"{child.spec.name} started again"
        return ""

    def _launch(self, child: _Child) -> None:
        log = self._state.log(child.spec.name)
        mode = "ab" if not log.exists() or log.stat().st_size < MAX_LOG_BYTES else "wb"
        with log.open(mode) as out:
            child.process = spawn(child.spec.command, output=out, environment=child.spec.environment)
        child.started_at = time.monotonic()

    def _remember(self) -> None:
        """Write down who runs, so that a start after our own kill -9 can end what we left behind."""
        with self._lock:
            running = [child.process.pid for child in self._children.values() if child.process]
        write_atomically(self._state.children, json.dumps([entry for pid in running if (entry := identify(pid))]))


def spawn(
    command: Sequence[str], *, output: IO[bytes], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that the terminal's signals do not reach, without input and with all its output in one place."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**os.environ, **(environment or {})},
        start_new_session=True,  # ignored on Windows, where the flag below does it
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def identify(pid: int) -> dict[str, float] | None:
    """Return a process's identity: its pid alone may be somebody else's later."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.Error:
        return None


def find(identity: Mapping[str, float]) -> psutil.Process | None:
    """Return the process of that identity while it lives."""
    try:
        process = psutil.Process(int(identity["pid"]))
        same = abs(process.create_time() - identity["created"]) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def end_leftovers(children: Path) -> int:
    """End what an earlier run started and did not live to stop; return how many there were."""
    try:
        identities = json.loads(children.read_text())
    except (OSError, ValueError):
        return 0
    pids = [process.pid for identity in identities if (process := find(identity))]
    end_trees(pids, seconds=STOP_SECONDS)
    children.unlink(missing_ok=True)
    return len(pids)


def end_trees(pids: Sequence[int], *, seconds: float) -> None:
    """End these processes and all their descendants, politely first."""
    trees: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            trees += [process, *process.children(recursive=True)]
    for process in trees:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(trees, timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
