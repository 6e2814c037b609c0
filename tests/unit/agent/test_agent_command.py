"""`autoretrain agent` and `autoretrain ask` on one machine: a real store, a real document, a server on loopback."""

import io
from dataclasses import replace

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.app.ledger_advice import LedgerAgent
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.runner import LocalController
from autoretrain.app.state import StateDirectory
from autoretrain.cli import ask
from autoretrain.cli.main import main
from autoretrain.domain.advice import AdviceChoice, AdviceOutcome
from tests.spec_cases import VALID_TEXT
from tests.unit.agent.advised import advice
from tests.unit.agent.chat_server import advising, body, calling, chat_server
from tests.unit.agent.test_citing import LEDGER
from tests.unit.agent.test_situation import record
from tests.unit.decide.builders import but, quiet

pytestmark = pytest.mark.slow  # LangChain alone takes seconds to import

WHY = "why was version 12 rolled back?"


@pytest.fixture(scope="module")
def server():
    with chat_server() as server:
        yield server


@pytest.fixture
def document(tmp_path, monkeypatch, server):
    path = tmp_path / "model.yaml"
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(path))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTORETRAIN_SERVING_PORT", "1")  # nobody listens there
    monkeypatch.setenv("AUTORETRAIN_AGENT_BASE_URL", server.url)
    monkeypatch.setenv("AUTORETRAIN_AGENT_INTERVAL_SECONDS", "1")

    def write(mode):
        path.write_text(VALID_TEXT + f"  agent: {{mode: {mode}, model: 'openai:test'}}\n")

    write("Advise")
    return write


@pytest.fixture
def world(document):
    opened = LocalWorld.open(Settings(), expect_serving=False)
    yield opened
    opened.close()


def decided_now(world):
    """A decision of this moment on a quiet world is in the ledger."""
    world.store.append_decision(record(but(quiet(), now=utc_now())))


def run_agent_once(monkeypatch, *arguments):
    monkeypatch.setattr(ask, "repeat", lambda action, **_: action())
    return main(["agent", *arguments])


def test_the_agent_advises_and_says_so(world, server, monkeypatch, capsys):
    decided_now(world)
    server.script = [advising("ALERT", reason="label\nmore", findings=["drift"])]
    assert run_agent_once(monkeypatch) == 0
    (kept,) = world.store.advice(limit=9)
    assert (kept.outcome, kept.choice, kept.findings) == (AdviceOutcome.ANSWERED, AdviceChoice.ALERT, ("drift",))
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "openai:test advises on default.sms-spam (Advise). Ctrl-C ends."
    assert told[1].endswith(f"UTC decision-1: ALERT (the rules: {kept.rules}): label more")


def test_a_pass_sees_the_newest_advice_without_what_the_model_wrote(world, document):
    assert world.gather(utc_now()).advice is None
    sequence = world.store.add_advice(advice(reason="words of a model"))
    assert world.gather(utc_now()).advice == advice(reason="", sequence=sequence)
    document("Disabled")
    assert world.gather(utc_now()).advice is None


def test_the_document_may_change_the_adviser_while_it_runs(world, document, server):
    settings = Settings()
    look = LedgerAgent(lambda: world.model().spec.agent, world.store, world.store, settings, utc_now).look
    decided_now(world)
    server.script = [advising("ALERT")]
    document("Disabled")
    look()
    assert world.store.advice(limit=9) == []
    document("Act")
    look()
    assert [each.chat_model for each in world.store.advice(limit=9)] == ["openai:test"]


def test_an_agent_that_can_not_be_used_ends_with_the_reason(document, monkeypatch, capsys):
    monkeypatch.setenv("AUTORETRAIN_AGENT_BASE_URL", "")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["agent"]) == 1
    assert "OPENAI_API_KEY" in capsys.readouterr().err


def test_without_an_adviser_the_agent_is_asked(document, monkeypatch, capsys):
    document("Disabled")
    monkeypatch.setattr("sys.stdin", io.StringIO("status\n\n"))
    assert main(["agent"]) == 0
    assert "No model is served yet." in capsys.readouterr().out


def test_a_question_is_answered_by_the_model_beside_the_record(world, server, capsys):
    for _ in range(17):
        world.store.append_decision({name: value for name, value in LEDGER[2].items() if name != "sequence"})
    server.script = [calling("Phrased", {"known": True, "answer": "Too much spam (decision 17).", "decisions": [17]})]
    assert main(["agent", "--ask", WHY]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["Too much spam (decision 17).", "(openai:test, from:)"]
    assert told[2].endswith("going back from version 12 to version 11. (decision 17)")


def test_questions_and_advice_share_the_days_budget(world, server, monkeypatch, capsys):
    monkeypatch.setenv("AUTORETRAIN_AGENT_CALLS_PER_DAY", "1")
    world.store.append_decision({name: value for name, value in LEDGER[2].items() if name != "sequence"})
    server.script = [calling("Phrased", {"known": True, "answer": "Too much spam (decision 1).", "decisions": [1]})]
    for told in ("Too much spam (decision 1).", "(openai:test did not answer: OverBudget; this is from the records.)"):
        assert main(["ask", "--ask", WHY]) == 0
        assert told in capsys.readouterr().out.splitlines()
    decided_now(world)
    assert run_agent_once(monkeypatch) == 0
    assert [each.outcome for each in world.store.advice(limit=9)] == [AdviceOutcome.OVER_BUDGET]


def test_a_question_is_answered_from_templates_where_the_model_fails(world, server, capsys):
    world.store.append_decision({name: value for name, value in LEDGER[2].items() if name != "sequence"})
    server.script = [body("down", status=503)]
    assert main(["ask", "--ask", WHY]) == 0
    assert capsys.readouterr().out.endswith(
        "version 11. (decision 1)\n(openai:test did not answer: Unreachable; this is from the records.)\n"
    )


def test_a_question_is_answered_where_no_model_can_be_used(document, monkeypatch, capsys):
    monkeypatch.setenv("AUTORETRAIN_AGENT_BASE_URL", "")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["ask", "--ask", WHY]) == 0
    told = capsys.readouterr()
    assert "No decision that is kept is about version 12." in told.out
    assert "answers are from templates" in told.err


@pytest.mark.parametrize(("mode", "starts"), [("Advise", True), ("Act", True), ("Disabled", False)])
def test_the_loop_on_one_machine_starts_the_agent_that_the_document_asks_for(world, document, tmp_path, mode, starts):
    document(mode)
    names = [child.name for child in LocalController(Settings(), StateDirectory(tmp_path))._services(world.model())]
    assert ("agent" in names) is starts


def test_one_line_tells_what_was_said_beside_the_rules():
    illegal = advice(reason="so", rules="NO_ACTION", allowed=False)
    assert ask.told(illegal).endswith("UTC s1: RETRAIN, not allowed (the rules: NO_ACTION): so")
    failed = replace(illegal, choice=None, outcome=AdviceOutcome.TOO_SLOW, reason="no answer within its time")
    assert ask.told(failed).endswith("UTC s1: TooSlow (the rules: NO_ACTION): no answer within its time")
