"""What does the chart become? `helm template` with values, its objects, and the Pods in them."""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.settings import PREFIX, ControllerSettings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "autoretrain"
SYSTEM = "autoretrain-system"
VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
DEFAULTS = ""
ALL = [DEFAULTS, *(path.stem for path in VALUES)]
"""Names of the values files that everything is rendered with; the empty one has the defaults alone."""

needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on the PATH")


def helm(*arguments: str, program: str = "helm") -> subprocess.CompletedProcess[str]:
    """Run helm, or another of its versions; it knows no cluster."""
    environment = {**os.environ, "KUBECONFIG": os.devnull}
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def template(
    values: str = DEFAULTS, *options: str, namespace: str = SYSTEM, chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    files = ["--values", str(Path(__file__).parent / "values" / f"{values}.yaml")] if values else []
    return helm("template", "rel", str(chart), "--namespace", namespace, *files, *options)


@functools.cache
def _text(values: str, options: tuple[str, ...], namespace: str, chart: Path) -> str:
    done = template(values, *options, namespace=namespace, chart=chart)
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of(values: str = DEFAULTS, *options: str, namespace: str = SYSTEM, chart: Path = CHART) -> str:
    return _text(values, options, namespace, chart)


def objects_of(
    values: str = DEFAULTS, *options: str, namespace: str = SYSTEM, chart: Path = CHART
) -> dict[str, dict[str, Any]]:
    """The objects by kind, namespace and name, as `Deployment/autoretrain-system/mlflow`; each stands there once."""
    documents = [
        each for each in yaml.safe_load_all(text_of(values, *options, namespace=namespace, chart=chart)) if each
    ]
    found = {key_of(each): each for each in documents}
    assert len(found) == len(documents)
    return found


def key_of(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    return "/".join([document["kind"], metadata.get("namespace", ""), metadata["name"]])


def pods_of(documents: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each Pod or Pod template, by its object's key."""
    for key, document in documents.items():
        if document["kind"] == "Pod":
            yield key, document
        elif "template" in document.get("spec", {}):
            yield key, document["spec"]["template"]


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    return container


def variables_of(pod: dict[str, Any]) -> dict[str, Any]:
    """Name and value, or where it comes from; no name stands there twice."""
    variables = container_of(pod).get("env", [])
    found = {each["name"]: each.get("value", each.get("valueFrom")) for each in variables}
    assert len(found) == len(variables), variables
    return found


def operator_of(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (pod,) = [pod for key, pod in pods_of(documents) if key.endswith("/autoretrain-controller")]
    return pod


def settings_of(values: str, *options: str) -> ControllerSettings:
    """The settings with which the operator would start."""
    variables = variables_of(operator_of(objects_of(values, *options)))
    said = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items() if name.startswith(PREFIX)}
    said.pop("registry_netrc_file", None)  # is looked for at once, and stands in the Pod only
    return ControllerSettings(own_namespace=SYSTEM, identity="x", **said)


def without_policies(documents: dict[str, Any]) -> list[tuple[str, Any]]:
    """Without NetworkPolicies, which are there before and after the Pods that they are for."""
    return [(key, each) for key, each in documents.items() if each["kind"] != "NetworkPolicy"]
