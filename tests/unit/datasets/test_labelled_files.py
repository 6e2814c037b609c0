"""Reading labelled messages: what is accepted, and what every broken file says."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from autoretrain.adapters import labelled_files
from autoretrain.adapters.datasets import data_hash, read_dataset
from autoretrain.adapters.labelled_files import MAX_MESSAGE_CHARACTERS, LabelledFile, read_labelled_file
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.spec import DataFormat

HAM, SPAM = Label.HAM, Label.SPAM
TSV = "ham\tOk lar...\nspam\tFree entry, £1!\n"
ROWS = [LabelledMessage(text="Ok lar...", label=HAM), LabelledMessage(text="Free entry, £1!", label=SPAM)]
NUMBERS = {"0": "ham", "1": "spam"}


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, TSV)
    return buffer.getvalue()


def numbered(cases: list[tuple[str, ...]]) -> list[str]:
    return [f"{number} {case[0]}" for number, case in enumerate(cases)]


ACCEPTED = [
    ("SMSSpamCollection", TSV),
    ("data.tsv", "label\tmessage\n" + TSV),
    ("data.tsv", "v1\tv2\n" + TSV),
    ("data.tsv", "text\tlabel\nOk lar...\tham\nFree entry, £1!\tspam\n"),
    ("data.txt", "\ufeff" + TSV.replace("\n", "\r\n")),
    ("data.tsv", "\n" + TSV.replace("\n", "\n\n").replace("ham", " HAM ").replace("Ok", "  Ok")),
    ("data.tsv.gz", gzip.compress(TSV.encode())),
    ("sms.zip", zipped(["readme", "SMSSpamCollection"])),
    ("data.csv", 'label,text\nham,Ok lar...\nspam,"Free entry, £1!"\n'),
    ("data.csv", 'id,text,label\n1,Ok lar...,ham\n\n2,"Free entry, £1!",spam\n'),
    ("data.csv.gz", gzip.compress('label,text\r\nham,Ok lar...\r\nspam,"Free entry, £1!"\r\n'.encode())),
    ("data.jsonl", "\n".join(json.dumps({"text": row.text, "label": row.label.value}) for row in ROWS)),
]

BROKEN = [
    ("data.tsv", "", "data.tsv: holds no labelled message"),
    ("data.tsv", "label\ttext\n", "data.tsv: holds no labelled message"),
    ("data.tsv", TSV + "ham no tab\n", "data.tsv, line 3: has no tab between label and text"),
    ("data.tsv", TSV + "eggs\thello\n", "data.tsv, line 3: the label 'eggs' is none of ham, spam; "),
    ("data.tsv", TSV + "\thello\n", "data.tsv, line 3: the label '' is none of ham, spam; "),
    ("data.tsv", TSV + "see you at eight\tham\n", "data.tsv, line 3: the label is none of ham, spam; "),
    ("data.tsv", TSV.encode() + b"ham\tcaf\xe9\n", "data.tsv, line 3: is not utf-8 (byte 0xe9); save it as UTF-8"),
    ("data.tsv", TSV.encode("utf-16"), "data.tsv, line 1: is written in UTF-16"),
    ("data.tsv", TSV + "ham\ta\0b\n", "data.tsv, line 3: holds a NUL byte"),
    ("data.tsv", TSV + f"ham\t{'x' * (MAX_MESSAGE_CHARACTERS + 1)}\n", "data.tsv, line 3: the message is longer"),
    ("data.csv", "ham,hello\n", "data.csv, line 1: has no column 'label' but ham, hello; name it with spec.data."),
    ("data.csv", "ham,when will you be back home\n", "data.csv, line 1: has no column 'label' but other names; "),
    ("data.csv", "", "data.csv, line 1: has no column 'label' but none"),
    ("data.csv", "label,text\nham,a,b\n", "data.csv, line 2: has 3 columns where the header has 2"),
    ("data.csv", "label,text\nham\n", "data.csv, line 2: has 1 columns where the header has 2"),
    ("data.csv", 'label,text\nham,"open\n', "data.csv, line 2: is no CSV: unexpected end"),
    ("data.csv", f"label,text\nham,{'x' * 200_000}\n", "data.csv, line 2: is no CSV: field larger"),
    ("data.jsonl", '{"text": "a", "label": "ham"}\n{"text": ', "data.jsonl, line 2: is no JSON"),
    ("data.jsonl", "[" * 100_000, "data.jsonl, line 1: is no JSON"),
    ("data.jsonl", '["ham", "a"]', "data.jsonl, line 1: is no JSON object"),
    ("data.jsonl", '{"label": "ham"}', "data.jsonl, line 1: has no key 'text'"),
    ("data.jsonl", '{"text": 5, "label": "ham"}', "data.jsonl, line 1: the value of 'text' is no text"),
    ("data.jsonl", '{"text": "a", "label": null}', "data.jsonl, line 1: the label 'null' is none of"),
    ("data.parquet", TSV, "data.parquet: the name does not tell the format"),
    ("data.tsv.gz", TSV, "data.tsv.gz: can't be unpacked: Not a gzipped file"),
    ("data.tsv.gz", gzip.compress(TSV.encode())[:-9], "data.tsv.gz: can't be unpacked: "),
    ("sms.zip", TSV, "sms.zip: can't be unpacked: File is not a zip file"),
    ("sms.zip", zipped(["a.tsv", "b.tsv"]), "sms.zip: holds 2 files beside a readme; exactly one is expected"),
]


@pytest.mark.parametrize(("name", "content"), ACCEPTED, ids=numbered(ACCEPTED))
def test_every_accepted_form_gives_the_same_rows(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert read_dataset(written(tmp_path, name, content)) == ROWS


def test_fields_labels_and_format_can_be_named(tmp_path: Path) -> None:
    lines = [json.dumps({"body": row.text, "y": int(row.label is SPAM)}) for row in ROWS]
    path = written(tmp_path, "export.dump", "\n".join(lines))
    found = read_dataset(path, format=DataFormat.JSONL, text_field="body", label_field="y", label_map=NUMBERS)
    assert found == ROWS


def test_with_a_spam_label_the_one_other_label_means_ham(tmp_path: Path) -> None:
    path = written(tmp_path, "data.tsv", TSV.replace("spam\t", "Junk\t").replace("ham\t", "fine\t"))
    assert read_dataset(path, spam_label="junk") == ROWS


def test_a_declared_encoding_is_used(tmp_path: Path) -> None:
    path = written(tmp_path, "data.tsv", TSV.encode("cp1252"))
    assert read_dataset(path, encoding="cp1252") == ROWS


def test_only_a_line_feed_ends_a_line_and_a_message_keeps_its_tabs(tmp_path: Path) -> None:
    path = written(tmp_path, "data.tsv", "ham\tone\u2028two\x85three\tfour\n")
    assert read_dataset(path) == [LabelledMessage(text="one\u2028two\x85three\tfour", label=HAM)]


def test_a_quoted_message_may_hold_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "data.csv", 'label,text\nham,"one\ntwo ""three"""\n')
    assert read_dataset(path) == [LabelledMessage(text='one\ntwo "three"', label=HAM)]


def test_rows_without_text_are_dropped_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "data.tsv", "ham\t   \n" + TSV + "spam\t\n")
    assert read_labelled_file(path) == LabelledFile(messages=tuple(ROWS), blank=2)


@pytest.mark.parametrize(("name", "content", "says"), BROKEN, ids=numbered(BROKEN))
def test_a_broken_file_says_file_line_and_reason(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(BadData) as raised:
        read_dataset(path)
    assert str(raised.value).startswith(f"{tmp_path}/{says}")


def test_a_third_label_is_refused_where_only_the_spam_label_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "data.tsv", TSV + "spma\tWin!\n")
    with pytest.raises(BadData, match="line 3: the label 'spma' is a third label beside the label 'spam' and"):
        read_dataset(path, spam_label="spam")


@pytest.mark.parametrize("path", ["missing.tsv", "."])
def test_a_path_that_can_not_be_read_says_why(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadData, match=r"can't be read: (No such file|Is a directory)"):
        read_dataset(tmp_path / path, format=DataFormat.TSV)


def test_a_label_map_must_mean_ham_or_spam(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"spec\.data\.labelMap.*eggs"):
        read_dataset(written(tmp_path, "data.tsv", TSV), label_map={"1": "eggs"})


@pytest.mark.parametrize("name", ["data.tsv", "data.tsv.gz"])
def test_a_file_that_is_too_large_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_files, "MAX_FILE_BYTES", 20)
    content = gzip.compress(TSV.encode()) if name.endswith("gz") else TSV
    with pytest.raises(BadData, match="is larger than 0 MiB unpacked"):
        read_dataset(written(tmp_path, name, content))


def test_the_data_hash_ignores_order_and_nothing_else() -> None:
    changed = [
        ROWS[::-1],
        ROWS * 2,
        [ROWS[0]],
        [ROWS[0], LabelledMessage(text=ROWS[1].text, label=HAM)],
        [ROWS[0], LabelledMessage(text=ROWS[1].text + "!", label=SPAM)],
    ]
    hashes = [data_hash(rows) for rows in (ROWS, *changed)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == len(changed)
