"""`autoretrain explain --decision`: one decision's chain, on this machine and on a cluster."""

import json
from datetime import datetime

import pytest

from autoretrain.adapters import spammodel
from autoretrain.adapters.store import Store
from autoretrain.app.state import StateDirectory
from autoretrain.cli import explain
from autoretrain.cli.main import main
from autoretrain.domain.status import HistoryEntry, Status
from tests.spec_cases import VALID_TEXT

MODEL = "default.sms-spam"
RUN = {"name": "sms-spam-train-1", "changed_at": None}


def started(minute=0):
    return {
        "at": f"2026-05-04T12:{minute:02}:00+00:00",
        "decision": "RETRAIN",
        "reason": "ManualRequest",
        "message": "asked for by ann",
        "observation": {"status": {"champion": {"version": "1"}}, "drift": [], "performance": None, "supply": None},
        "plan": {"findings": [], "actions": [{"run": RUN}]},
        "outcomes": [{"succeeded": True, "message": ""}],
    }


def failed(minute=1):
    return started(minute) | {
        "decision": "ALERT",
        "reason": "TrainingFailed",
        "message": "run sms-spam-train-1 failed: no memory",
        "observation": {"status": {"champion": {"version": "1"}, "active_run": RUN}},
        "plan": {"findings": [], "actions": []},
    }


def steady(minute):
    return started(minute) | {
        "decision": "NO_ACTION",
        "reason": "Steady",
        "message": "nothing",
        "plan": {"findings": []},
    }


@pytest.fixture
def store(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    with Store(f"sqlite:///{tmp_path / 'state' / 'store.db'}", model=MODEL) as opened:
        opened.migrate()
        yield opened


def test_a_decision_of_this_machine_leads_to_what_came_of_it(store, capsys):
    for record in (started(), failed()):
        store.append_decision(record)
    assert main(["explain", "--decision", "1"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Decision 1, 2026-05-04 12:00:00 UTC: RETRAIN (ManualRequest)\n")
    assert "Run (decision 2, 2026-05-04 12:01:00 UTC)\n  ALERT (TrainingFailed): run sms-spam-train-1 failed" in told


def test_a_decision_long_ago_is_found_with_what_stands_around_it(store, capsys, monkeypatch):
    monkeypatch.setattr(explain, "AROUND", 2)
    for record in (started(), failed(), *(steady(minute) for minute in range(2, 12))):
        store.append_decision(record)
    assert main(["explain", "--decision", "2"]) == 0
    assert "Decision (decision 1, " in capsys.readouterr().out


@pytest.mark.parametrize("asked", ["99", "0"])
def test_a_decision_that_is_not_there_is_refused_with_the_range(store, capsys, asked):
    for record in (started(), failed(), steady(2)):
        store.append_decision(record)
    assert main(["explain", "--decision", asked]) == 1
    assert capsys.readouterr().err == f"there is no decision {asked}; there are those from 1 to 3\n"


def test_without_any_decision_that_is_what_is_said(store, capsys):
    assert main(["explain", "--decision", "1"]) == 1
    assert capsys.readouterr().err == "there is no decision 1: nothing has been decided yet\n"


def test_a_chain_is_json_where_that_is_asked_for(store, capsys):
    store.append_decision(started())
    assert main(["explain", "--decision", "1", "--json"]) == 0
    chain = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in chain["steps"]] == ["Evidence", "Decision"]
    assert chain["unknown"] == ["how run sms-spam-train-1 ended: no record tells it yet"]


def test_the_story_is_json_without_what_was_observed(store, capsys):
    store.append_decision(started())
    assert main(["explain", "--json"]) == 0
    [record] = json.loads(capsys.readouterr().out)
    assert set(record) == {"sequence", "at", "decision", "reason", "message", "plan", "outcomes"}


def test_a_decision_of_a_cluster_is_asked_for_by_its_sequence(cluster, capsys):
    cluster.add_decision(4711, record=json.dumps(started()))
    cluster.add_decision(90210, record=json.dumps(failed()))
    assert main(["explain", "sms-spam", "-n", "spam", "--decision", "90210"]) == 0
    told = capsys.readouterr().out
    assert "Decision (decision 4711, " in told
    assert "Run (this decision, " in told
    assert main(["explain", "sms-spam", "-n", "spam", "--decision", "5000"]) == 1
    assert capsys.readouterr().err == "there is no decision 5000; there are those from 4711 to 90210\n"


@pytest.mark.parametrize(
    "command", [["explain"], ["explain", "--decision", "1"], ["ask", "--ask", "what happened lately?"], ["status"]]
)
def test_a_terminal_gets_nothing_to_obey_from_what_somebody_wrote(store, tmp_path, capsys, command):
    record = started() | {"message": "asked for by ann: \x1b]0;mine\x07\x1b[2J\u202eok\rok"}
    store.append_decision(record)
    told = {"decision": record["decision"], "reason": record["reason"], "message": record["message"]}
    status = Status(history=(HistoryEntry(at=datetime.fromisoformat(record["at"]), **told),))
    StateDirectory(tmp_path / "state").write_status(MODEL, {"status": spammodel.render_status(status)})
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "asked for by ann: " in told
    assert [each for each in told if not each.isprintable() and each != "\n"] == []
