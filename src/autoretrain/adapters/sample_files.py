"""Where the generated sample corpus lies as a file, and the note beside it that says what it is."""

from pathlib import Path

from autoretrain.ml.sample_corpus import MESSAGES, generate_corpus

FILE_NAME = "sample-corpus.tsv"
NOTE_NAME = "SAMPLE.md"


def write_sample(directory: Path, *, seed: int = 0, messages: int = MESSAGES) -> Path:
    """Write the corpus as TSV (label, tab, text; no header) with its note, and return the file's path."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=seed, messages=messages)]
    note = (
        "# Generated messages\n\n"
        f"`{FILE_NAME}` holds {messages} messages that AutoRetrain generated from templates with seed {seed}. Nobody\n"
        "ever sent them. Figures measured on them are no figures for real messages, nor for the UCI SMS Spam\n"
        "Collection. One label in a hundred is wrong on purpose.\n"
    )
    path = directory / FILE_NAME
    for target, text in ((directory / NOTE_NAME, note), (path, "".join(lines))):
        new = target.with_suffix(".new")
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(target)
    return path
