"""The run that is filmed: `autoretrain demo --keep` as a user starts it, and what is started beside its state."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from autoretrain.adapters.store import Store
from autoretrain.app.demo import KEY
from autoretrain.app.preflight import free_port_after
from autoretrain.app.supervisor import end_trees
from scripts.film.tools import FilmError

ROOT = Path(__file__).resolve().parents[2]
FIRST_PORT = 18500
ENVIRONMENT, TERMINAL = "environment.json", "terminal.txt"
START_SECONDS = 240.0
STOP_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the terminal, and the seconds since the command was typed."""

    at: float
    text: str


@dataclass(slots=True)
class DemoRun:
    """`home` is where the run keeps everything; it is emptied at the start.

    `reactions` are called as soon as a line with their pattern is there, since what it tells may be over soon.
    """

    home: Path
    lines: list[Line] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    reactions: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _followed: int = 0

    def start(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        state = {"HOME": str(self.home.parent), "AUTORETRAIN_STATE_DIR": str(self.home / ".autoretrain")}
        # What this shell was told about other data or places is not what the demo is about.
        own = {name: value for name, value in os.environ.items() if not name.startswith("AUTORETRAIN_")}
        self._process = subprocess.Popen(
            command_line("demo", "--keep"),
            cwd=ROOT,
            env={**own, **state, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(time.monotonic(),), daemon=True).start()

    def _read(self, began: float) -> None:
        if self._process is None or self._process.stdout is None:
            raise FilmError("the demo was not started")
        with (self.home / TERMINAL).open("w", encoding="utf-8") as kept:
            for text in self._process.stdout:
                self.lines.append(Line(at=time.monotonic() - began, text=text.rstrip("\n")))
                for pattern, react in self.reactions:
                    if re.search(pattern, text):
                        react()
                kept.write(f"{self.lines[-1].at:.2f}\t{self.lines[-1].text}\n")
                kept.flush()

    def wait_for(self, pattern: str, *, seconds: float) -> Line:
        """Return the next line that has `pattern` in it. Raises FilmError where none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self._followed < len(self.lines):
                line = self.lines[self._followed]
                self._followed += 1
                if re.search(pattern, line.text):
                    return line
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.1)
        told = "\n".join(line.text for line in self.lines[-5:])
        raise FilmError(f"the demo did not say {pattern!r} within {seconds:.0f} s:\n{told}")

    def find_environment(self) -> None:
        """Learn the ports and places of the demo's own processes: it chose them among free ones."""
        if self._process is None:
            raise FilmError("the demo was not started")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for child in psutil.Process(self._process.pid).children():
                found = {name: value for name, value in child.environ().items() if name.startswith("AUTORETRAIN_")}
                if "AUTORETRAIN_SERVING_PORT" in found:
                    port = str(free_port_after(FIRST_PORT))
                    self._use({**found, "AUTORETRAIN_DASHBOARD_PORT": port})
                    return
            time.sleep(0.2)
        raise FilmError(f"the demo had no controller within {START_SECONDS:.0f} s")

    def _use(self, variables: dict[str, str]) -> None:
        (self.home / ENVIRONMENT).write_text(json.dumps(variables), encoding="utf-8")
        self.environment = {**os.environ, **variables}

    @classmethod
    def kept(cls, home: Path) -> "DemoRun":
        """Return a run that has ended, by what it left. Raises FilmError where there is none."""
        if not (home / ENVIRONMENT).is_file():
            raise FilmError(f"{home} keeps no run: record one first")
        run = cls(home=home)
        run._use(json.loads((home / ENVIRONMENT).read_text(encoding="utf-8")))
        for told in (home / TERMINAL).read_text(encoding="utf-8").splitlines():
            at, _, text = told.partition("\t")
            run.lines.append(Line(at=float(at), text=text))
        return run

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'AUTORETRAIN_{name}_PORT']}"

    def end(self) -> int:
        """Wait until the demo has ended by itself; return its exit code."""
        if self._process is None:
            raise FilmError("the demo was not started")
        return self._process.wait(timeout=STOP_SECONDS)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end_trees([self._process.pid], seconds=5)

    def command(self, *arguments: str) -> str:
        """Run `autoretrain` against the demo's state; return what it printed."""
        done = subprocess.run(
            command_line(*arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=True,
        )
        return done.stdout

    def promotion(self) -> int:
        """Return the number of the decision that promoted a candidate for what it was compared by."""
        return self._newest("PROMOTE", reason="BetterOnRecentRows")

    def rollback(self) -> int:
        """Return the number of the newest rollback."""
        return self._newest("ROLLBACK")

    def _newest(self, decision: str, *, reason: str = "") -> int:
        with Store(f"sqlite:///{self.environment['AUTORETRAIN_STATE_DIR']}/store.db", model=KEY) as store:
            heads = store.decision_heads(limit=1000)
        return max(number for number, head in heads if head.decision == decision and reason in ("", head.reason))

    @contextmanager
    def beside(self, *arguments: str, ready: str) -> Iterator[None]:
        """Let `autoretrain ARGUMENTS` run over the demo's state; the body begins when the address `ready` answers."""
        with (self.home / f"{arguments[0]}.log").open("ab") as out:
            process = subprocess.Popen(
                command_line(*arguments), cwd=ROOT, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        try:
            wait_until_answers(ready, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end_trees([process.pid], seconds=5)


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "autoretrain", *arguments]


def wait_until_answers(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, timeout=5.0).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise FilmError(f"{address} did not answer")
