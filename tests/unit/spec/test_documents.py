"""Reading the file: one document, as Kubernetes reads YAML, and the line of what is wrong."""

from pathlib import Path

import pytest

from autoretrain.adapters.documents import MAX_BYTES, load_document
from autoretrain.domain.errors import InvalidSpec


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "model.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidSpec) as refused:
        load_document(path)
    return str(refused.value).replace(str(path), "FILE")


def test_reads_names_and_dates_as_text(tmp_path):
    text = "---\na: {1: x, on: y, 2026-11-23: 2026-11-23}\nb: 0.15\n...\n"
    assert load_document(written(tmp_path, text)) == {
        "a": {"1": "x", "true": "y", "2026-11-23": "2026-11-23"},
        "b": 0.15,
    }


def test_reads_anchors_and_merges(tmp_path):
    text = "a: &one {x: 1}\nb: {<<: *one, y: 2}\n"
    assert load_document(written(tmp_path, text))["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "FILE: is empty"),
        ("# only words\n", "FILE: is empty"),
        ("a: 1\n---\nb: 2\n", "FILE: holds 2 documents; one is needed"),
        ("- a\n", "FILE: is not a SpamModel document"),
        ("just text\n", "FILE: is not a SpamModel document"),
        ("a: 1\nb: [1, 2\n", "FILE, line 3: expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", "FILE, line 2: found character '\\t' that cannot start any token"),
        ("spec:\n  a: 1\n  b: 2\n  a: 3\n", 'FILE, line 4: "a" is already set above'),
        ("a: {true: 1, on: 2}\n", 'FILE, line 1: "true" is already set above'),
        ("cron: * * * * *\n", "write a value that starts with * or @ in quotes"),
        ("a: 1\ncron: @weekly\n", "FILE, line 2: found character '@' that cannot start any token; write a value that"),
        ("a: !!python/object/apply:os.getcwd []\n", "FILE, line 1: could not determine a constructor"),
        ("? [a]\n: 1\n", "FILE, line 1: a name must be text"),
        ("a: &loop [*loop]\n", "FILE, line 1: found unconstructable recursive node"),
        (b"a: \xff\n", "FILE: is not UTF-8: byte 3 can't be decoded"),
        ("a: \x00\n", "special characters are not allowed"),
        ("a: 1\n" * (MAX_BYTES // 5 + 1), f"FILE: is larger than {MAX_BYTES} bytes"),
    ],
    ids=range(17),
)
def test_refuses_with_the_place(tmp_path, text, says):
    assert says in refusal(written(tmp_path, text))


def test_refuses_a_file_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "none.yaml") == "FILE: can't be read: No such file or directory"


def test_refuses_a_directory(tmp_path):
    assert refusal(tmp_path) == "FILE: can't be read: Is a directory"
