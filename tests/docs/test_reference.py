"""The reference can't drift away from the code: what exists is documented, and what is documented exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from autoretrain.app.advice_http import AdviceMetrics
from autoretrain.app.monitor import MonitorMetrics
from autoretrain.cli.main import build_parser
from autoretrain.domain.reasons import Reason
from controller.metrics import ControllerMetrics
from scripts import make_reference

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(make_reference.PAGES))
def test_a_generated_page_is_what_the_code_says(name):
    assert (REFERENCE / name).read_text() == make_reference.PAGES[name](), "run: python scripts/make_reference.py"


def test_each_reason_is_documented_and_each_documented_reason_exists():
    documented = re.findall(r"^\| `(\w+)` \|", (REFERENCE / "reasons.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(reason.value for reason in Reason)


def test_each_reason_is_given_by_some_code():
    sources = [path.read_text() for path in (ROOT / "src" / "autoretrain" / "decide").rglob("*.py")]
    unused = [reason.name for reason in Reason if not any(f"Reason.{reason.name}" in source for source in sources)]
    assert unused == []


def test_each_metric_is_documented_and_each_documented_metric_exists():
    from autoretrain.serving import metrics as serving

    owners = (MonitorMetrics(), ControllerMetrics(), AdviceMetrics("a.b"))
    exposed = {family.name for owner in owners for family in owner.registry.collect()}
    exposed |= set(re.findall(r'"(autoretrain_[a-z_0-9]+)"', Path(serving.__file__).read_text()))
    documented = re.findall(r"^\| `(autoretrain_\w+)` \|", (REFERENCE / "metrics.md").read_text(), re.MULTILINE)
    assert sorted(map(bare, documented)) == sorted(map(bare, exposed))


def bare(metric: str) -> str:
    """Without the endings that the exposition format adds."""
    return metric.removesuffix("_total").removesuffix("_info")


def make_targets() -> set[str]:
    """Return those that the Makefile declares, whatever their names look like."""
    declared = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(declared[1].replace("\\", " ").split())


def test_each_make_target_that_the_documents_name_exists_and_says_what_it_does():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *REFERENCE.parent.rglob("*.md")]
    texts = [page.read_text() for page in pages]
    named = {target for text in texts for target in re.findall(r"`make ([a-z0-9-]+)`", text)}
    assert named - make_targets() == set()


def test_make_help_lists_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "e2e-full" in make_targets()
    assert set(re.findall(r"^  (\S+)", shown, re.MULTILINE)) == make_targets()


def readme_commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if ".venv/bin/autoretrain" in line]


@pytest.mark.parametrize("command", readme_commands(), ids=lambda command: command[1])
def test_an_autoretrain_command_of_the_readme_is_understood(command):
    build_parser().parse_args(command[1:])


def test_each_script_that_the_readme_names_exists():
    folders = "src|scripts|tests|examples|docs|benchmarks|test_data"
    named = re.findall(rf"\b((?:{folders})/[\w./-]+\w)", (ROOT / "README.md").read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_shipped_entry_points_import_nothing_that_does_not_exist():
    for name in ("train", "monitor", "agent"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "src" / f"{name}.py"), "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
