"""Do Helm 3 and 4 make the same of the chart? `helm` beside others on the PATH; the rest is tested with `helm`."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import ALL, CHART, SYSTEM, helm, needs_helm

VALUES = Path("tests/chart/values")
KUBERNETES = "--kube-version=1.34.0"
"""Else a Helm that somebody compiled without its release's options takes a Kubernetes of long ago for granted."""
REFUSED = [
    "nonsense=1",
    "operator.replicas=x",
    "operator.logLevel=LOUD",
    "mlflow.ingress.host=UPPER",
    "postgresql.enabled=false",
]


@pytest.fixture(params=["helm3", "helm4"])
def other(request: pytest.FixtureRequest) -> str:
    """The name of another Helm's program."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not on the PATH")
    return name


def rendered(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return helm("template", "rel", str(CHART), "--namespace", SYSTEM, KUBERNETES, *options, program=program)


def objects(program: str, *options: str) -> list[Any]:
    done = rendered(program, *options)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of(values: str) -> list[str]:
    return ["--values", str(VALUES / f"{values}.yaml")] if values else []


@needs_helm
@pytest.mark.parametrize("values", ALL)
def test_the_same_objects_come_out_in_the_same_order(other: str, values: str):
    assert objects(other, *of(values)) == objects("helm", *of(values))


@pytest.mark.parametrize("values", ALL)
def test_lint_finds_nothing(other: str, values: str):
    done = helm("lint", "--strict", KUBERNETES, str(CHART), *of(values), program=other)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@pytest.mark.parametrize("wrong", REFUSED)
def test_the_same_is_refused_with_the_same_words(other: str, wrong: str):
    theirs, ours = (rendered(program, "--set", wrong) for program in (other, "helm"))
    assert theirs.returncode == ours.returncode == 1
    assert theirs.stderr == ours.stderr


@needs_helm
def test_the_package_is_made_and_rendered_as_the_chart(other: str, tmp_path: Path):
    done = helm("package", str(CHART), "--destination", str(tmp_path), program=other)
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.iterdir()
    again = helm("template", "rel", str(package), "--namespace", SYSTEM, KUBERNETES, program=other)
    assert [each for each in yaml.safe_load_all(again.stdout) if each] == objects("helm")
