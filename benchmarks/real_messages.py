"""Where do benchmarks find real messages, and how are they read? No file of these comes with the repository."""

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.text import canonical

ROOT = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """Where the messages are: AUTORETRAIN_DATA_DIR, streams laid beside the repository, or what was downloaded."""
    beside = ROOT.parent / "shared" / "data"
    return Path(os.environ.get("AUTORETRAIN_DATA_DIR") or (beside if beside.exists() else ROOT / "data"))


def read_uci(path: Path) -> list[LabelledMessage]:
    """The rows of the UCI file: label, tab, text; no header."""
    lines = (line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return [LabelledMessage(text=text, label=Label(label)) for label, text in lines]


def distinct(rows: Iterable[LabelledMessage]) -> list[LabelledMessage]:
    """The first copy of each message."""
    first: dict[str, LabelledMessage] = {}
    for row in rows:
        first.setdefault(canonical(row.text), row)
    return list(first.values())


def read_csv(path: Path) -> list[LabelledMessage]:
    with path.open(encoding="utf-8", newline="") as file:
        return [LabelledMessage(text=row["text"], label=Label(row["label"])) for row in csv.DictReader(file)]


def read_truth(data: Path) -> dict[str, dict[str, Any]]:
    """What is true of each stream, by its name: its kind, where it changes, and of each window whether it drifted."""
    streams: dict[str, dict[str, Any]] = json.loads((data / "truth_dev.json").read_text(encoding="utf-8"))["streams"]
    return streams


def read_stream(data: Path, name: str) -> list[LabelledMessage]:
    lines = (data / "streams" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [LabelledMessage(text=row["text"], label=Label(row["label"])) for row in map(json.loads, lines)]
