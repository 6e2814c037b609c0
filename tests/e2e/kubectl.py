"""The cluster under test, by kubectl: what a user types, with time limits."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

CALL_SECONDS = 60.0
LOOK_SECONDS = 1.0

Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl in one context, which must be of a kind cluster of this project's own: tests delete what they made."""

    context: str

    def run(self, *arguments: str, text: str | None = None, seconds: float = CALL_SECONDS) -> str:
        """Return what it printed. Raises AssertionError with what it complained of."""
        ended = subprocess.run(
            ["kubectl", "--context", self.context, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == 0, f"kubectl {' '.join(arguments)}: {ended.stderr.strip()}"
        return ended.stdout

    def apply(self, *objects: Object, namespace: str = "default") -> None:
        # Server-side, since a client-side apply keeps the whole object in an annotation: too long for a file of data.
        self.run("apply", "--server-side", "-n", namespace, "-f", "-", text=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str, *, namespace: str) -> Object | None:
        found = self.run("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def list(self, kind: str, *, namespace: str, labels: str = "") -> list[Object]:
        selector = ["-l", labels] if labels else []
        return json.loads(self.run("get", kind, "-n", namespace, "-o", "json", *selector))["items"]

    def delete(self, kind: str, name: str, *, namespace: str = "default", at_once: bool = False) -> None:
        grace = ["--grace-period=0", "--force"] if at_once else []
        self.run("delete", kind, name, "-n", namespace, "--ignore-not-found", "--wait=false", *grace)

    def annotate(self, name: str, *, namespace: str, **annotations: str) -> None:
        """Ask something of a SpamModel by hand."""
        pairs = [f"autoretrain.dev/{key.replace('_', '-')}={value}" for key, value in annotations.items()]
        self.run("annotate", "spammodel", name, "-n", namespace, "--overwrite", *pairs)

    def patch(self, kind: str, name: str, change: Object, *, namespace: str) -> None:
        self.run("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(change))

    @contextmanager
    def forwarded(self, target: str, port: int, *, namespace: str) -> Iterator[str]:
        """The address of `port` of `target` on this machine, while the block lasts."""
        command = ["kubectl", "--context", self.context, "port-forward", "-n", namespace, target, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                assert "Forwarding from" in said, f"no way to {target}: {said}"
                yield f"http://127.0.0.1:{said.split(':')[1].split()[0]}"
            finally:
                process.terminate()


def wait(what: str, look: Callable[[], T | None], *, seconds: float) -> T:
    """Return the first thing that `look` finds. Raises AssertionError where it finds none in time."""
    until, problem = time.monotonic() + seconds, ""
    while time.monotonic() < until:
        try:
            if found := look():
                return found
            problem = ""
        except (AssertionError, subprocess.TimeoutExpired) as error:
            problem = f" ({error})"
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"{what}: not within {seconds:.0f} s{problem}")
