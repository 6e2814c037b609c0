"""What `data check` and `labels import` say about a file."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoretrain.adapters.datasets import ClassCount, DatasetReport, Floors, ImportReport, check_dataset, import_labels
from autoretrain.adapters.sample_files import FILE_NAME, NOTE_NAME, write_sample
from autoretrain.adapters.store import Store
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.ml.splits import in_holdout
from benchmarks.real_messages import data_dir

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def written(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
    return path


def word(number: int) -> str:
    """Letters that spell a number, so that no two messages are near-duplicates."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def rows(ham: int, spam: int) -> list[tuple[str, str]]:
    labels = ["ham"] * ham + ["spam"] * spam
    return [(label, f"{word(n)} {word(7 * n)} {word(13 * n)}") for n, label in enumerate(labels)]


def test_the_report_counts_what_a_run_would_drop(tmp_path: Path) -> None:
    base = [("ham", "see you at noon today then"), ("spam", "win a prize now, call 0900 1234")]
    more = [
        ("ham", "See you  at noon today then"),
        ("spam", "win a prize now, call 0900 9999"),
        ("ham", "  "),
        ("ham", "is it free"),
        ("spam", "IS IT FREE"),
    ]
    path = written(tmp_path / "data.tsv", base + more)
    report = check_dataset(path)
    held = [text for _, text in (*base, more[1]) if in_holdout(text)]
    assert (report.rows, report.blank, report.duplicates, report.contradictions) == (ClassCount(ham=3, spam=3), 1, 2, 1)
    assert (report.clusters, report.largest_cluster) == (3, 2)
    assert report.holdout.ham + report.holdout.spam == len(held)
    assert report.training.ham + report.training.spam == 3 - len(held)
    assert not report.usable


def test_a_large_enough_set_has_no_problem(tmp_path: Path) -> None:
    report = check_dataset(written(tmp_path / "data.tsv", rows(600, 200)))
    assert (report.problems, report.notes, report.usable) == ((), (), True)


def test_a_missing_class_is_a_problem(tmp_path: Path) -> None:
    report = check_dataset(written(tmp_path / "data.tsv", rows(600, 0)))
    assert report.problems[0] == "0 different spam messages may train; at least 20 are needed: add spam messages"


def test_floors_that_can_not_be_met_name_the_field_and_a_value_that_could(tmp_path: Path) -> None:
    path = written(tmp_path / "data.tsv", rows(600, 45))
    spam = check_dataset(path).holdout.spam
    reached = 2 * (spam - 2) / (2 * spam - 2)
    [problem] = check_dataset(path, floors=Floors(min_f1=0.99)).problems
    floor = int(100 * reached) / 100
    assert problem == (
        f"the holdout has {spam} spam messages, so 2 errors end under spec.promotion.minF1 0.99: add messages, "
        f"or set it to {floor} or lower"
    )
    assert check_dataset(path, floors=Floors(min_f1=floor)).problems == ()


def test_a_small_holdout_names_the_accuracy_floor_and_the_drift_reference(tmp_path: Path) -> None:
    problems = check_dataset(written(tmp_path / "data.tsv", rows(60, 60)), floors=Floors(min_f1=0.1)).problems
    assert [problem.split(":")[0].split(";")[-1] for problem in problems] == [
        " the drift reference needs 100",
        next(p.split(":")[0] for p in problems if "spec.promotion.minAccuracy" in p),
    ]


def test_rare_spam_is_a_note_about_the_label_floor(tmp_path: Path) -> None:
    report = check_dataset(written(tmp_path / "data.tsv", rows(4900, 100)))
    [note] = report.notes
    assert note == (
        "with 2.0% spam it takes about 750 labels to have the 15 of spec.triggers.minNewSpamLabels; "
        "lower it if 100 labels (minNewLabels) should do"
    )


def test_the_rendered_report_shows_no_message(tmp_path: Path) -> None:
    path = written(tmp_path / "data.tsv", [("ham", "a very private message"), ("spam", "win now")])
    shown = check_dataset(path).render()
    assert "private" not in shown
    assert shown.splitlines()[1:3] == [
        "  rows                                 2 (1 ham, 1 spam)",
        "  rows without text, dropped           0",
    ]
    assert shown.splitlines()[-1] == "  not usable as it is"


def test_the_uci_file_is_fit_to_train_on() -> None:
    path = data_dir() / "SMSSpamCollection"
    if not path.exists():
        pytest.skip(f"no {path}: set AUTORETRAIN_DATA_DIR to the directory of the UCI file")
    report = check_dataset(path)
    assert report == DatasetReport(
        source=str(path),
        data_hash="df683bc4636b29b7fa5b49d412b28642ab1215a3d0cef4a8c7adfe5a70e89dc6",
        rows=ClassCount(ham=4827, spam=747),
        blank=0,
        duplicates=415,
        contradictions=0,
        clusters=report.clusters,
        largest_cluster=report.largest_cluster,
        holdout=ClassCount(ham=890, spam=132),
        training=ClassCount(ham=3627, spam=510),
        problems=(),
        notes=(),
    )


def test_imported_labels_are_trusted_and_never_doubled(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.tsv", [("ham", "a"), ("spam", "b")])
    with Store(f"sqlite:///{tmp_path}/store.db", model="default.sms") as store:
        store.migrate()
        first = import_labels(store, path, received_at=NOON, source="desk")
        written(path, [("ham", "a"), ("spam", "b"), ("spam", "c"), ("spam", "c")])
        second = import_labels(store, path, received_at=NOON, source="desk")
        assert store.labels() == [
            LabelledMessage(text=text, label=label, source="desk", kind=LabelKind.IMPORT, sequence=sequence)
            for sequence, (text, label) in enumerate([("a", Label.HAM), ("b", Label.SPAM), ("c", Label.SPAM)], start=1)
        ]
    assert (first, second) == (
        ImportReport(source="desk", rows=ClassCount(ham=1, spam=1), new=2, repeated=0),
        ImportReport(source="desk", rows=ClassCount(ham=1, spam=3), new=1, repeated=1),
    )
    assert str(second) == (
        "1 labels stored as source desk, 2 were there already, 1 repeated within the file; rows: 4 (1 ham, 3 spam)"
    )


def test_nothing_of_a_broken_file_is_imported(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.tsv", [("ham", "a"), ("eggs", "b")])
    with Store(f"sqlite:///{tmp_path}/store.db", model="default.sms") as store:
        store.migrate()
        with pytest.raises(BadData, match="line 2"):
            import_labels(store, path, received_at=NOON)
        assert store.labels() == []


def test_the_sample_is_written_with_a_note_that_it_is_generated(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "data", seed=3, messages=2000)
    report = check_dataset(path)
    assert (path.name, report.rows.ham + report.rows.spam, report.usable) == (FILE_NAME, 2000, True)
    assert "Nobody\never sent them" in (path.parent / NOTE_NAME).read_text(encoding="utf-8")
    assert sorted(file.name for file in path.parent.iterdir()) == [NOTE_NAME, FILE_NAME]
