"""Where one machine keeps what a cluster keeps in the API server: status, requests, runs, locks. Writes are atomic."""

import hashlib
import json
import os
import uuid
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import filelock
import psutil

from autoretrain.adapters import records, spammodel
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import Requests
from autoretrain.domain.status import Status


class AlreadyRunning(AutoRetrainError):  # noqa: N818 - named for what it says
    """Another controller holds this state directory."""


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`, so that a reader or a crash sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The files of one machine, for every model in it."""

    path: Path

    def runs(self, key: str) -> Path:
        return self.path / "runs" / key

    def log(self, name: str) -> Path:
        logs = self.path / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return logs / f"{name}.log"

    def document(self, key: str) -> Path:
        """Where the controller keeps the document that is in force."""
        return self.path / "documents" / f"{key}.json"

    @property
    def alert_totals(self) -> Path:
        return self.path / "alerts.json"

    @property
    def questions(self) -> Path:
        """What questions to a chat model used within a day."""
        return self.path / "questions.json"

    @property
    def children(self) -> Path:
        return self.path / "children.json"

    # What an API server would give every resource.

    def identity(self, key: str, *, document: dict[str, Any]) -> tuple[str, int]:
        """Return uid and generation of the resource; the generation rises when `document`'s spec changed."""
        path = self.path / "resources" / f"{key}.json"
        text = json.dumps(document.get("spec"), sort_keys=True, default=str)
        spec_hash = hashlib.sha256(text.encode()).hexdigest()
        known: dict[str, Any] = {"uid": str(uuid.uuid4()), "generation": 0, "hash": ""}
        if path.exists():
            known = json.loads(path.read_text())
        if known["hash"] != spec_hash:
            known = {"uid": known["uid"], "generation": known["generation"] + 1, "hash": spec_hash}
            write_atomically(path, json.dumps(known))
        return known["uid"], known["generation"]

    # Status, in the shape of the resource.

    def status_path(self, key: str) -> Path:
        return self.path / "status" / f"{key}.json"

    def read_status(self, key: str) -> Status:
        path = self.status_path(key)
        if not path.exists():
            return Status()
        return spammodel.parse_status(json.loads(path.read_text()).get("status", {}))

    def write_status(self, key: str, resource: dict[str, Any]) -> None:
        write_atomically(self.status_path(key), json.dumps(resource, indent=2, default=str))

    # Manual verbs: what annotations are on a cluster.

    def _requests_path(self, key: str) -> Path:
        return self.path / "requests" / f"{key}.json"

    def read_requests(self, key: str) -> tuple[Requests, bool]:
        """Return the requests and whether the model is suspended by hand."""
        path = self._requests_path(key)
        data = json.loads(path.read_text()) if path.exists() else {}
        suspended = bool(data.pop("suspend", False))
        known = {field.name for field in fields(Requests)}
        return records.load_record(Requests, {name: data[name] for name in data.keys() & known}), suspended

    def request(self, key: str, *, suspend: bool | None = None, **changes: str) -> None:
        """Record a manual verb; the next pass acts on it, once. Raises AutoRetrainError where it can't be kept."""
        requests, suspended = self.read_requests(key)
        data = records.dump_record(replace(requests, **changes))
        data["suspend"] = suspended if suspend is None else suspend
        path = self._requests_path(key)
        try:
            write_atomically(path, json.dumps(data))
        except OSError as error:
            raise AutoRetrainError(f"the request can't be kept: {path} can't be written ({error.strerror})") from None

    # One controller at a time.

    def lock(self, *, purpose: str) -> filelock.FileLock:
        """Take the controller's lock, held until it is released or the process ends.

        Raises AlreadyRunning, naming the process that holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(self.path / "controller.lock", timeout=0)
        owner = self.path / "controller.json"
        try:
            held.acquire()
        except filelock.Timeout:
            raise AlreadyRunning(f"{self._owner_sentence(owner)} Stop it first, or use its state.") from None
        write_atomically(owner, json.dumps({"pid": os.getpid(), "purpose": purpose}))
        return held

    def controller_runs(self) -> bool:
        """Say whether a controller holds the lock now."""
        probe = filelock.FileLock(self.path / "controller.lock", timeout=0)
        if not (self.path / "controller.lock").exists():
            return False
        try:
            with probe:
                return False
        except filelock.Timeout:
            return True

    def _owner_sentence(self, owner: Path) -> str:
        try:
            known = json.loads(owner.read_text())
            name = " ".join(psutil.Process(known["pid"]).cmdline()[:6])
            return f"`autoretrain {known['purpose']}` (pid {known['pid']}: {name}) already uses {self.path}."
        except (OSError, ValueError, KeyError, psutil.Error):
            return f"Another process already uses {self.path}."
