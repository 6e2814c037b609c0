"""`autoretrain backtest --stream` and the histories for it, as a newcomer types them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from autoretrain.adapters.backtest_picture import Panel, draw_backtest
from autoretrain.adapters.histories import HistoryFile, read_history, write_history
from autoretrain.adapters.store import Store
from autoretrain.cli.histories import sample_history
from autoretrain.cli.main import main
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.ml.sample_corpus import generate_corpus
from tests.spec_cases import VALID

QUICK = {"profile": "Word", "algorithms": [{"name": "NaiveBayes", "parameters": {"alpha": ["0.1"]}}]}
AT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTORETRAIN_SPEC", "model.yaml")
    spec = VALID["spec"] | {"training": QUICK, "promotion": {"minAccuracy": "0.93", "minF1": "0.60"}}
    for name in ("model.yaml", "other.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(VALID | {"spec": spec}))
    write_history(tmp_path / "short.jsonl", sample_history(seed=1, usual=120, wave=0))
    return tmp_path


def test_a_history_is_played_under_each_policy_and_drawn(here, capsys):
    rows = generate_corpus(seed=0, messages=800)
    (here / "base.tsv").write_text("".join(f"{row.label}\t{row.text}\n" for row in rows))
    asked = ["--policy", "model.yaml", "--policy", "other.yaml", "--data", "base.tsv", "--window", "60"]
    assert main(["backtest", "--stream", "short.jsonl", *asked, "--picture", "seen.png"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("model ", "other "))}
    assert rows["model"][1:7] == ["0"] * 6
    assert rows["model"] == rows["other"]
    assert 0.5 < float(rows["model"][8]) <= float(rows["model"][7]) <= 1.0
    assert (here / "seen.png").read_bytes().startswith(b"\x89PNG")


def test_a_sample_is_base_data_and_a_history_that_can_be_played(here, capsys):
    assert main(["data", "sample", "try"]) == 0
    assert "sample-history.jsonl: 4500 messages" in capsys.readouterr().out
    history = HistoryFile.checked(here / "try" / "sample-history.jsonl")
    assert (history.messages, history.labelled, history.audited) == (4500, 4500, False)
    assert main(["data", "check", "try/sample-corpus.tsv"]) == 0


def test_the_same_panels_give_the_same_picture(here):
    marks = [(AT, mark) for mark in ("retrain", "promote", "hold", "rollback", "failed")]
    panel = Panel(title="it", served=[(AT, 0.9), (AT + timedelta(hours=1), 0.5)], fixed=[(AT, 0.9)], marks=marks)
    drawn = []
    for name in ("one.svg", "two.svg"):
        draw_backtest(here / name, [panel], title="a history")
        drawn.append((here / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert b"<svg" in drawn[0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--policy", "model.yaml"], 1, "--policy, --data and --picture go with --stream"),
        (["--stream", "bad.jsonl"], 64, "bad.jsonl, line 2: is no JSON"),
        (["--stream", "short.jsonl", "--picture", "seen.gif"], 64, "ends with .png or .svg"),
        (["--stream", "short.jsonl", "--policy", "absent.yaml"], 64, "absent.yaml"),
        (["--stream", "short.jsonl", "--data", "absent.tsv"], 64, "absent.tsv: can't be read"),
    ],
    ids=["no stream", "a bad line", "a picture of another kind", "no policy", "no data"],
)
def test_what_cant_be_played_is_said_in_a_sentence(here, capsys, arguments, code, says):
    (here / "bad.jsonl").write_text((here / "short.jsonl").read_text().splitlines()[0] + "\n{\n")
    assert main(["backtest", *arguments]) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--reports", "1.5"), ("--window", "0"), ("--messages-per-hour", "-1")])
def test_a_number_out_of_range_is_wrong_usage(here, option):
    with pytest.raises(SystemExit, match="2"):
        main(["backtest", "--stream", "short.jsonl", *option])


def test_the_store_is_exported_with_labels_and_their_times(here, capsys):
    with Store(f"sqlite:///{here / 'state' / 'store.db'}", model="default.sms-spam") as store:
        store.migrate()
        drawn = {"audited": 0.5, "asked": 0.5, "reported": 0.5, "both": 0.5, "plain": None}
        store.add_predictions(
            [
                Prediction(
                    prediction_id=name,
                    text=f"the {name} one",
                    label=Label.HAM,
                    score=0.1,
                    model_version="1",
                    at=AT + timedelta(minutes=number),
                    audit_probability=probability,
                )
                for number, (name, probability) in enumerate(drawn.items())
            ]
        )
        said = [("audited", LabelKind.AUDIT, Label.SPAM, True), ("reported", LabelKind.REPORT, Label.SPAM, True)]
        said += [("both", LabelKind.AUDIT, Label.HAM, True), ("both", LabelKind.REPORT, Label.SPAM, True)]
        said += [("plain", LabelKind.REPORT, Label.SPAM, False)]
        for number, (name, kind, label, trusted) in enumerate(said):
            store.add_labels(
                [
                    NewLabel(
                        label=label,
                        kind=kind,
                        source="desk",
                        trusted=trusted,
                        received_at=AT + timedelta(hours=1 + number),
                        prediction_id=name,
                    )
                ]
            )
    assert main(["data", "export", "out.jsonl"]) == 0
    assert "5 messages in out.jsonl" in capsys.readouterr().out
    rows = list(read_history(here / "out.jsonl", every=None))
    assert [(row.text.split()[1], row.label, row.audit_probability) for row in rows] == [
        ("audited", Label.SPAM, 0.5),
        ("asked", None, 0.5),
        ("reported", Label.SPAM, None),
        ("both", Label.HAM, 0.5),
        ("plain", None, None),
    ]
    assert [row.labelled_at for row in rows][:2] == [AT + timedelta(hours=1), None]
    assert HistoryFile.checked(here / "out.jsonl").audited


def test_an_export_takes_the_last_days_and_a_name_that_says_what_it_is(here, capsys):
    assert main(["data", "export", "out.csv"]) == 1
    assert "end the name with .jsonl" in capsys.readouterr().err
    with Store(f"sqlite:///{here / 'state' / 'store.db'}", model="default.sms-spam") as store:
        store.migrate()
        now = datetime.now(UTC)
        store.add_predictions(
            [
                Prediction(
                    prediction_id=str(days),
                    text="x",
                    label=Label.HAM,
                    score=0.1,
                    model_version="1",
                    at=now - timedelta(days=days),
                )
                for days in (9, 1)
            ]
        )
    assert main(["data", "export", "out.jsonl", "--days", "3"]) == 0
    assert len((here / "out.jsonl").read_text().splitlines()) == 1
    assert json.loads((here / "out.jsonl").read_text())["text"] == "x"


def test_a_decision_that_this_release_can_not_read_is_named(here, capsys):
    with Store(f"sqlite:///{here / 'state' / 'store.db'}", model="default.sms-spam") as store:
        store.migrate()
        record = {"at": AT.isoformat(), "decision": "NO_ACTION", "reason": "Steady", "message": ""}
        store.append_decision(record | {"observation": {"now": "?"}, "plan": {}})
    assert main(["backtest"]) == 1
    assert capsys.readouterr().err == "decision 1 was recorded by a release that this one can't read\n"
