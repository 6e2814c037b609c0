"""How does a command reach a cluster? By the `kubectl` of whoever typed it, with their logins, proxies and plugins.

JSON goes in and comes out. Every call has a time limit, and no call waits for somebody to type.
"""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from autoretrain.domain.errors import AutoRetrainError

Object: TypeAlias = dict[str, Any]

REQUEST_SECONDS: Final = 20
CALL_SECONDS: Final = 30.0
"""Longer than one request: a login plugin may have to fetch a token before it."""
FORWARD_SECONDS: Final = 15.0
END_SECONDS: Final = 5.0

# What passes by itself: an API server that restarts, is overloaded, or can't be reached just now.
_PASSING: Final = re.compile(
    r"unable to connect|connection to the server|connection (refused|reset)|timeout|timed out|unexpected EOF"
    r"|etcdserver|error from server \((timeout|serviceunavailable|internalerror|toomanyrequests)\)",
    re.IGNORECASE,
)
# Of an object. A server that does not know the kind, or is no API server, says that it "could not find the resource".
_ABSENT: Final = re.compile(r'\(NotFound\): .*" not found$')
_FORWARDED: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class KubectlFailed(AutoRetrainError):  # noqa: N818 - named for what happened
    """kubectl is absent, or it said no; the message is what it said."""


class NotFound(KubectlFailed):
    """There is no such object."""


class TooMany(KubectlFailed):
    """There are more objects than are read at once, and a part of them says nothing of the rest."""


class Unanswered(KubectlFailed):
    """No answer, or one that says "later"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """One namespace of one context; an empty one is what kubectl has selected."""

    context: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        context = f"context {self.context}" if self.context else "the selected context"
        return f"namespace {self.namespace} of {context}" if self.namespace else f"the namespace of {context}"

    def get(self, kind: str, name: str) -> Object:
        """Return the object. Raises NotFound, Unanswered or KubectlFailed."""
        return self._json("get", kind, name)

    def list_labelled(self, kind: str, labels: Mapping[str, str]) -> list[Object]:
        """Return all objects that carry all of `labels`, however many. Raises Unanswered or KubectlFailed."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return list(self._json("get", kind, f"--selector={selector}")["items"])

    def merge(self, kind: str, name: str, change: Mapping[str, Any]) -> Object:
        """Merge `change` into the object (RFC 7386: None removes) and return it. Raises as `get` does."""
        return self._json("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[str]:
        """The address on this machine of `port` of `target`, as service/NAME, while the block lasts.

        Raises KubectlFailed.
        """
        command = [*self._command("port-forward"), "--address=127.0.0.1", target, f":{port}"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            # Reading a line has no time limit of its own: ending the writer ends it.
            watch = threading.Timer(FORWARD_SECONDS, process.kill)
            watch.start()
            try:
                said = process.stdout.readline() if process.stdout else ""
                watch.cancel()
                found = _FORWARDED.search(said)
                if found is None:
                    reason = said.strip() or f"nothing was said within {FORWARD_SECONDS:.0f} s"
                    raise KubectlFailed(f"no way to {target} in {self}: {reason}")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                watch.cancel()
                _end(process)

    def _json(self, verb: str, *arguments: str) -> Object:
        command = [*self._command(verb), *arguments, "--output=json", f"--request-timeout={REQUEST_SECONDS}s"]
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unanswered(
                f"kubectl did not answer within {CALL_SECONDS:.0f} s; does `kubectl get spammodels` in {self}?"
            ) from None
        if ended.returncode != 0:
            raise _failure(ended.stderr, place=str(self))
        try:
            answer = json.loads(ended.stdout)
        except ValueError:
            raise KubectlFailed(f"kubectl {verb} in {self} answered with something that is no JSON") from None
        if not isinstance(answer, dict):
            raise KubectlFailed(f"kubectl {verb} in {self} answered with something that is no object")
        return answer

    def _command(self, verb: str) -> Sequence[str]:
        """Return the start of the command line. Raises KubectlFailed where there is no kubectl."""
        path = shutil.which("kubectl")
        if path is None:
            raise KubectlFailed(
                "--context and --namespace speak to a cluster by kubectl, and there is none on the PATH; "
                "see https://kubernetes.io/docs/tasks/tools"
            )
        context = [f"--context={self.context}"] if self.context else []
        namespace = [f"--namespace={self.namespace}"] if self.namespace else []
        return [path, verb, *context, *namespace]


def _failure(complaint: str, *, place: str) -> KubectlFailed:
    """Return the error for what kubectl complained of; its last line says it, warnings come before."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    reason = lines[-1] if lines else "kubectl failed and did not say why"
    kind: type[KubectlFailed] = KubectlFailed
    if _ABSENT.search(reason):
        kind = NotFound
    elif _PASSING.search(reason):
        kind = Unanswered
    return kind(f"{place}: {reason}")


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
