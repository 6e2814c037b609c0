"""`autoretrain data export` and `data sample`: histories of messages, one's own and a generated one with drift."""

import argparse
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.histories import EVENLY_FROM, RecordedMessage, write_history
from autoretrain.adapters.sample_files import write_sample
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.ml.sample_corpus import generate_traffic, generate_wave

SAMPLE_NAME: Final = "sample-history.jsonl"
USUAL_MESSAGES: Final = 1500
WAVE_MESSAGES: Final = 3000
APART: Final = timedelta(seconds=30)


def add_actions(actions: Any) -> None:
    export = actions.add_parser("export", help="write the store's messages and labels as a history")
    export.add_argument("path", type=Path, help="file to write, ending in .jsonl; it holds messages: keep it safe")
    export.add_argument("-f", "--file", type=Path, help="SpamModel document of this machine")
    export.add_argument("--days", type=float, help="only of the last so many days (default: all that is kept)")
    export.set_defaults(run=run_export)
    sample = actions.add_parser("sample", help="write generated base data, and a history that drifts away from it")
    sample.add_argument("directory", type=Path)
    sample.add_argument("--seed", type=int, default=0)
    sample.set_defaults(run=run_sample)


def run_export(arguments: argparse.Namespace) -> int:
    if arguments.path.suffix.lower() not in {".jsonl", ".ndjson"}:
        raise AutoRetrainError(f"{arguments.path}: a history is written as JSONL; end the name with .jsonl")
    since = None if arguments.days is None else utc_now() - timedelta(days=arguments.days)
    world = LocalWorld.open(Settings(), expect_serving=False)
    try:
        count = write_history(arguments.path, world.store.history(since=since))
    finally:
        world.close()
    sys.stdout.write(f"{count} messages in {arguments.path}, readable by you alone\n")
    return 0


def run_sample(arguments: argparse.Namespace) -> int:
    data = write_sample(arguments.directory, seed=arguments.seed)
    history = arguments.directory / SAMPLE_NAME
    count = write_history(history, sample_history(seed=arguments.seed))
    sys.stdout.write(
        f"{data}: base data\n{history}: {count} messages; after the first {USUAL_MESSAGES} most spam is of campaigns "
        "that the base data does not know\nBoth are generated: nobody ever sent them.\n"
    )
    return 0


def sample_history(
    *, seed: int, usual: int = USUAL_MESSAGES, wave: int = WAVE_MESSAGES, apart: timedelta = APART
) -> Iterator[RecordedMessage]:
    """Yield `usual` messages like those of `generate_corpus`, then `wave` in which most spam is new, evenly in time."""
    rows = [
        *generate_traffic(seed=seed, messages=usual),
        *generate_wave(seed=seed, messages=wave, spam_share=0.3),
    ]
    for number, row in enumerate(rows):
        yield RecordedMessage(at=EVENLY_FROM + number * apart, text=row.text, label=row.label)
