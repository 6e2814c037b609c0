"""Do the pages speak of what exists? Commands are understood, documents are valid, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from autoretrain.adapters.alert_addresses import AlertSettings
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.cli.main import build_parser
from tests.spec_cases import VALID

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(".venv/bin/autoretrain")]


@pytest.mark.parametrize("page", HOW_TO, ids=name_of)
def test_every_autoretrain_command_of_a_how_to_is_understood(page: Path):
    for command in commands(page):
        build_parser().parse_args(command[1:])


@pytest.mark.parametrize("page", HOW_TO, ids=name_of)
def test_every_document_of_a_how_to_is_valid_by_itself_or_in_a_whole_one(page: Path):
    for block in blocks(page, "yaml"):
        shown = yaml.safe_load(block)
        document = shown if "kind" in shown else VALID | {"spec": VALID["spec"] | shown["spec"]}
        parse_spam_model(document, uid="", generation=1)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_the_map_leads_to_every_page():
    text = (ROOT / "docs" / "index.md").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", text)}
    assert {page for page in PAGES if page.name != "index.md"} - linked == set()


def test_every_variable_of_the_alerts_is_on_their_page():
    text = (ROOT / "docs" / "how-to" / "alerts.md").read_text()
    aliases = {name: field.validation_alias for name, field in AlertSettings.model_fields.items()}
    fields = {alias.choices[0] if alias else name.upper() for name, alias in aliases.items()}
    assert {name for name in fields if f"`{name}`" not in text} == set()


def test_every_script_of_the_benchmarks_is_in_their_table():
    directory = ROOT / "benchmarks"
    text = (directory / "README.md").read_text()
    scripts = {path.name for path in directory.glob("*.py")} - {"__main__.py", "__init__.py"}
    named = set(re.findall(r"`(?:benchmarks/)?(\w+\.py)\b", text))
    assert (scripts - named, named - scripts) == (set(), set())
