"""A cluster for commands: a kubectl on the PATH that is a program of its own and speaks to a file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoretrain.adapters.kubectl import Kubectl
from autoretrain.adapters.spammodel import render_status
from autoretrain.app.cluster_place import DECISIONS, MODELS
from autoretrain.domain.status import Status
from tests.spec_cases import VALID

FAKE = Path(__file__).with_name("fake_kubectl.py")


@dataclass(frozen=True)
class FakeCluster:
    """What the fake kubectl finds, and what it was asked."""

    path: Path
    kubectl = Kubectl(namespace="spam")

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def change(self, **fields: Any) -> None:
        self.path.write_text(json.dumps(self.read() | fields))

    @property
    def model(self) -> dict[str, Any]:
        return self.read()["objects"][f"{MODELS}/sms-spam"]

    @property
    def annotations(self) -> dict[str, str]:
        return self.model["metadata"].get("annotations", {})

    @property
    def calls(self) -> list[list[str]]:
        return self.read()["calls"]

    def set_status(self, status: Status) -> None:
        objects = self.read()["objects"]
        objects[f"{MODELS}/sms-spam"]["status"] = json.loads(json.dumps(render_status(status)))
        self.change(objects=objects)

    def add_decision(self, sequence: int, *, model: str = "sms-spam", record: str | None = None, **spec: Any) -> None:
        told = {"at": f"2026-05-04T12:00:{sequence:02}+00:00", "decision": "HOLD", "reason": "Steady", "message": "no"}
        told |= spec
        thing = {
            "metadata": {"name": f"{model}-{sequence}", "labels": {"autoretrain.dev/spammodel": model}},
            "spec": {**told, "sequence": sequence, "record": json.dumps(told) if record is None else record},
        }
        self.change(objects=self.read()["objects"] | {f"{DECISIONS}/{model}-{sequence}": thing})


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> FakeCluster:
    """A cluster with the SpamModel spam/sms-spam, which nothing was decided about."""
    commands = tmp_path / "bin"
    commands.mkdir()
    state = tmp_path / "cluster.json"
    kubectl = commands / "kubectl"
    kubectl.write_text(f"#!/bin/sh\nexec '{sys.executable}' -S '{FAKE}' '{state}' \"$@\"\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    model = VALID | {"metadata": {"name": "sms-spam", "namespace": "spam"}, "status": {}}
    state.write_text(
        json.dumps(
            {"objects": {f"{MODELS}/sms-spam": model}, "complaints": [], "calls": [], "operator": {}, "serving": ""},
            default=str,
        )
    )
    return FakeCluster(state)
