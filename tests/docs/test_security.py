"""Does each line of the threat model name a test that exists?"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and " | what stops it | " not in line]
NAMED = re.compile(r"`(tests/[\w/.]+\.py)::(\w+)`")
ACTORS = {
    "Who writes SpamModels",
    "Who sends messages",
    "Who sends feedback",
    "Who writes to the registry or the store",
    "Network neighbours",
    "Who reads the store, metrics, logs or Secrets",
    "The supply chain",
}


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_everybody_who_may_attack_has_a_table():
    assert set(re.findall(r"^### (.+)$", TEXT, re.MULTILINE)) == ACTORS
    assert len(ROWS) > 3 * len(ACTORS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_line_names_tests_that_exist_and_says_what_is_left(row: str):
    _, tried, stops, proof, left, _ = row.split("|")
    assert all(cell.strip() for cell in (tried, stops, left))
    named = NAMED.findall(proof)
    assert named
    assert NAMED.sub("", proof).replace(",", "").strip() == ""
    for path, test in named:
        assert test in named_in(path), f"{path}::{test}"
