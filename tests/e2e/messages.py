"""Which messages do the stories play? Real ones where this machine has any, else those of the sample corpus."""

import json

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from tests.e2e.conftest import DATA_DIRECTORY

UCI = DATA_DIRECTORY / "SMSSpamCollection"
STREAM = DATA_DIRECTORY / "streams" / "dev-abrupt-india-telecom.jsonl"
"""Of an operator's customers, years after UCI's, whose messages come first. UCI's model misses four of ten spam."""
CHANGE = 750
WAVE_MESSAGES = 20_000


def corpus(seed: int = 0, *, messages: int = 2500) -> bytes:
    """Base data of the sample corpus, as TSV."""
    return as_tsv(generate_corpus(seed=seed, messages=messages))


def as_tsv(rows: list[LabelledMessage]) -> bytes:
    return "".join(f"{row.label}\t{row.text}\n" for row in rows).encode()


def base_data() -> bytes:
    return UCI.read_bytes() if UCI.exists() else as_tsv(generate_corpus(seed=0))


def quiet_messages() -> list[LabelledMessage]:
    """Traffic like the base data."""
    if not UCI.exists():
        return generate_traffic(seed=6, messages=1500)
    rows = [line.split("\t", 1) for line in UCI.read_text(encoding="utf-8").splitlines()]
    return [LabelledMessage(text=text, label=Label(label)) for label, text in rows[::3]]


def new_messages() -> list[LabelledMessage]:
    """Traffic with spam that the base data does not know."""
    if not (UCI.exists() and STREAM.exists()):
        return generate_wave(seed=7, messages=WAVE_MESSAGES)
    rows = [json.loads(line) for line in STREAM.read_text(encoding="utf-8").splitlines()[CHANGE:]]
    return [LabelledMessage(text=row["text"], label=Label(row["label"])) for row in rows]
