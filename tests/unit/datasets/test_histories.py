"""Recorded histories: what a line may say, and how a wrong one is told."""

import stat
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.histories import EVENLY_FROM, HistoryFile, RecordedMessage, read_history, write_history
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SPAM = RecordedMessage(
    at=AT, text="win £5\tnow\n", label=Label.SPAM, labelled_at=AT + timedelta(hours=1), audit_probability=0.03
)
HAM = RecordedMessage(at=AT, text="see you", label=Label.HAM)
BARE = RecordedMessage(at=AT + timedelta(seconds=1), text="who knows")


@pytest.fixture
def write(tmp_path):
    def made(text, name="history.jsonl"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return made


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "new" / "history.jsonl"
    assert write_history(path, [SPAM, HAM, BARE]) == 3
    assert list(read_history(path, every=None)) == [SPAM, HAM, BARE]


def test_a_history_holds_messages_so_others_may_not_read_it(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("an older file, open to all")
    write_history(path, [HAM])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_could_not_be_finished_leaves_the_old_one(tmp_path):
    def dying():
        yield HAM
        raise RuntimeError

    path = tmp_path / "history.jsonl"
    path.write_text("as it was")
    with pytest.raises(RuntimeError):
        write_history(path, dying())
    assert path.read_text() == "as it was"


def test_a_tsv_has_its_columns_in_any_order_and_ignores_others(write):
    path = write(
        "label\tteam\ttime\ttext\taudit_probability\n"
        "ham\ta\t2026-03-02T10:30:00+01:00\tsee you\t\n"
        "\ta\t2026-03-02T09:30:01Z\twho knows\t\n",
        "history.tsv",
    )
    assert list(read_history(path, every=None)) == [HAM, BARE]


def test_messages_come_evenly_where_that_is_asked_for(write):
    path = write('{"text": "one"}\n\n{"text": "two", "time": "2020-01-01T00:00:00Z"}\n')
    assert [row.at for row in read_history(path, every=timedelta(minutes=2))] == [
        EVENLY_FROM,
        EVENLY_FROM + timedelta(minutes=2),
    ]


def test_a_check_counts_what_there_is(tmp_path):
    path = tmp_path / "history.jsonl"
    write_history(path, [SPAM, HAM, BARE])
    assert HistoryFile.checked(path) == HistoryFile(
        path=path, every=None, messages=3, labelled=2, spam=1, audited=True, first_at=AT, last_at=BARE.at
    )


GOOD = '{"time": "2026-03-02T09:30:00Z", "text": "x", "label": "ham"}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "{", "line 2: is no JSON"),
        (GOOD + "[1]", "line 2: is no JSON object"),
        (GOOD + '{"text": "x", "id": ' + "9" * 5000 + "}", "line 2: is no JSON"),
        (GOOD + '{"time": "2026-03-02T09:30:00Z", "text": " "}', "line 2: has no text"),
        (GOOD + '{"time": "2026-03-02T09:30:00Z"}', "line 2: has no text"),
        (GOOD + '{"text": "x"}', "line 2: has no time; --messages-per-hour"),
        (GOOD + '{"text": "x", "time": "yesterday"}', "line 2: time is no time as"),
        (GOOD + '{"text": "x", "time": 17}', "line 2: time is no time as"),
        (GOOD + '{"text": "x", "time": "9999-12-31T23:59:59-05:00"}', "line 2: time is no time as"),
        (GOOD + '{"text": "x", "time": "2026-03-02T09:30:00"}', "line 2: time has no time zone"),
        (GOOD + '{"text": "x", "time": "2026-03-02T09:29:59Z"}', "line 2: its time is before"),
        (GOOD + GOOD.replace("ham", "eggs"), "line 2: the label is neither ham nor spam"),
        (GOOD + GOOD.replace("}", ', "audit_probability": 0}'), "line 2: audit_probability is no number above 0"),
        (GOOD + GOOD.replace("}", ', "audit_probability": "nan"}'), "line 2: audit_probability is no number above 0"),
        (GOOD + GOOD.replace("}", ', "labelled_at": "soon"}'), "line 2: labelled_at is no time as"),
        (GOOD + GOOD.replace('"x"', f'"{"x" * 20_001}"'), "line 2: the text is longer than 20000 characters"),
        (GOOD + "x" * 200_000, "line 2: is longer than"),
        (GOOD.encode() + b'{"text": "\xff"}', "line 2: is not UTF-8"),
        ("\n", "holds no message"),
        (GOOD.replace('"ham"', "null"), "holds no label"),
    ],
)
def test_a_line_that_is_wrong_is_named(write, text, says):
    with pytest.raises(BadData, match=r"history\.jsonl") as refused:
        HistoryFile.checked(write(text))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("history.tsv", "2026-03-02T09:30:00Z\tham\tsee you\n", "line 1: the first line has to name the columns"),
        ("history.tsv", "time\ttext\n2026-03-02T09:30:00Z\tsee\tyou\n", "line 2: has 3 columns where the header has 2"),
        ("history.csv", GOOD, "the name does not tell the format"),
        ("absent.jsonl", None, "can't be read: No such file"),
    ],
)
def test_a_file_that_is_no_history_is_refused(write, tmp_path, name, text, says):
    path = tmp_path / name if text is None else write(text, name)
    with pytest.raises(BadData) as refused:
        HistoryFile.checked(path)
    assert says in str(refused.value)
