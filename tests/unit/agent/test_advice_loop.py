"""The agent beside a loop in another container: works by the document in force, and outlives whatever is away."""

import json

import pytest

from autoretrain.adapters.chat_model import AgentUnusable
from autoretrain.app import advice_http, advice_loop
from autoretrain.app.advice_http import AdviceMetrics
from autoretrain.app.advice_loop import AGAIN_SECONDS, agent_of, look_once
from autoretrain.app.ledger_advice import LOOK_SECONDS
from autoretrain.domain.errors import AutoRetrainError, StoreUnavailable
from autoretrain.domain.spec import AgentSpec, TriggerMode
from tests.unit.agent.advised import advice


class Agent:
    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def look(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_it_does_as_the_document_in_force_says(tmp_path):
    document = tmp_path / "spam.sms.json"
    document.write_text(json.dumps({"spec": {"agent": {"mode": "Act", "model": "openai:x"}}}))
    assert agent_of(document) == AgentSpec(mode=TriggerMode.ACT, model="openai:x")
    document.write_text(json.dumps({"spec": {}}))
    assert agent_of(document).mode is TriggerMode.DISABLED


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"spec": {"agent": {"mode": "Sometimes"}}}'])
def test_a_document_that_cant_be_read_is_one_named_error(tmp_path, text):
    document = tmp_path / "spam.sms.json"
    if text is not None:
        document.write_text(text)
    with pytest.raises(AutoRetrainError, match="the document in force can't be read"):
        agent_of(document)


def test_advice_is_counted_and_silence_is_not():
    agent, metrics = Agent(advice(input_tokens=7), None), AdviceMetrics("spam.sms")
    assert [look_once(agent, metrics), look_once(agent, metrics)] == [LOOK_SECONDS, LOOK_SECONDS]
    asked = {"spammodel": "spam.sms", "outcome": "Answered"}
    assert metrics.registry.get_sample_value("autoretrain_agent_advice_total", asked) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), AgentUnusable("no key")])
def test_what_is_away_is_looked_for_again_later(error):
    assert look_once(Agent(error), AdviceMetrics("spam.sms")) == AGAIN_SECONDS


@pytest.mark.parametrize("start", [advice_loop.main, lambda: advice_http.main(["openai:x"])], ids=["loop", "port"])
def test_a_setting_that_is_none_is_named_where_a_pod_keeps_its_last_words(start, monkeypatch, capsys):
    monkeypatch.setenv("AUTORETRAIN_AGENT_INTERVAL_SECONDS", "often")
    assert start() == 2
    assert "AUTORETRAIN_AGENT_INTERVAL_SECONDS" in capsys.readouterr().err.splitlines()[-1]
