"""Whatever a chat model's server does, asking ends in time with a named outcome, and starts nothing not allowed."""

import builtins
import json
import os
import subprocess
import sys
import threading

import pytest

from autoretrain.adapters.chat_limits import CALLS
from autoretrain.adapters.chat_model import PROVIDERS, AgentUnusable, ChatModel, Exchange
from autoretrain.adapters.settings import Settings
from autoretrain.app.advising import INSTRUCTIONS, Advised, judge, question_of, tools_of
from autoretrain.decide.situation import build_situation
from autoretrain.decide.transition import decide
from autoretrain.domain.advice import AdviceChoice, AdviceOutcome
from autoretrain.domain.reasons import Reason
from tests.unit.agent.advised import asking
from tests.unit.agent.chat_server import ChatServer, advising, body, calling, chat_server, cutting_off, trickling
from tests.unit.agent.hostile import INJECTION, SCRIPTS, silent
from tests.unit.decide.builders import NOW, but, minutes, quiet, run

pytestmark = pytest.mark.slow  # LangChain alone takes seconds to import

GATES = [
    {"model__spec__suspend": True},
    {"status__active_run": run()},
    {"status__breaker_open": True},
    {"status__last_run_ended_at": NOW - minutes(5)},
    {"status__run_starts": (NOW - minutes(100),) * 3},
    {"supply__new_labels": 0},
    {"drift": None, "performance": None},
    {"registry_owner": "other/model"},
]


@pytest.fixture(scope="module")
def server():
    with chat_server() as server:
        yield server


def ask(server: ChatServer, *script, situation=None, seconds=20.0, provider="openai", **settings) -> Exchange[Advised]:
    server.script = script
    server.asked.clear()
    situation = situation or build_situation(quiet(), situation_id="s", decisions=())[0]
    chat = ChatModel(f"{provider}:test", Settings(agent_base_url=server.url, agent_seconds=seconds, **settings))
    return chat.ask(question_of(situation), instructions=INSTRUCTIONS, answer=Advised, tools=tools_of(situation))


@pytest.fixture(scope="module")
def exchanges(server) -> dict[str, tuple[Exchange[Advised], int]]:
    """What became of each hostile script, and how many requests it got."""
    return {name: (ask(server, *script), len(server.asked)) for name, (script, _) in SCRIPTS.items()}


def test_an_answer_comes_back_with_what_it_cost(server):
    exchange = ask(server, calling("read_drift"), advising("ALERT"), agent_input_price=2.0, agent_output_price=10.0)
    assert (exchange.outcome, exchange.said) == (AdviceOutcome.ANSWERED, Advised(advice="ALERT", reason="because"))
    assert exchange.calls == 2
    assert exchange.output_tokens == 40
    assert exchange.cost == pytest.approx((2 * exchange.input_tokens + 10 * exchange.output_tokens) / 1e6)
    assert exchange.seconds > 0


def test_a_tool_gives_the_figures_of_the_situation(server):
    ask(server, calling("read_drift"), advising("ALERT"))
    *_, told = server.asked[-1]["messages"]
    assert told["role"] == "tool"
    assert '"score": 0.03' in told["content"]


def test_a_model_is_offered_its_tools_and_the_answer_alone(server):
    ask(server, advising("ALERT"))
    offered = {tool["function"]["name"] for tool in server.asked[0]["tools"]}
    assert offered == {
        *("read_status", "read_drift", "read_quality", "read_ledger", "read_comparison", "read_versions", "Advised")
    }


def test_a_call_asks_for_no_more_tokens_than_its_budget(server):
    ask(server, advising("ALERT"), agent_tokens_per_call=123)
    assert 123 in {server.asked[0].get(name) for name in ("max_tokens", "max_completion_tokens")}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_of_the_provider_is_not_shown_to_another_address(server, monkeypatch, provider):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OLLAMA_API_KEY"):
        monkeypatch.setenv(name, "of-the-provider")
    server.keys.clear()
    ask(server, body("no", status=400), provider=provider)
    ask(server, body("no", status=400), provider=provider, agent_api_key="own")
    assert server.keys == ["Bearer none", "Bearer own"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_can_not_send_the_figures_on_to_another(server, provider):
    with chat_server() as other:
        exchange = ask(server, body("", status=307, Location=f"{other.url}/chat"), provider=provider)
        assert (exchange.outcome, other.asked) == (AdviceOutcome.UNREACHABLE, [])


def of_anthropic(reason: str):
    """Answer as Anthropic's API has it."""
    said = {"type": "tool_use", "id": "t1", "name": "Advised", "input": {"advice": "ALERT", "reason": reason}}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "test", "content": [said]}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return body(json.dumps({**message, "stop_reason": "tool_use", "stop_sequence": None, "usage": usage}))


def test_connections_of_one_question_do_not_spoil_the_next():
    with chat_server(keeps_alive=True) as server:
        asked = [ask(server, of_anthropic("so"), provider="anthropic") for _ in range(3)]
    assert [each.outcome for each in asked] == [AdviceOutcome.ANSWERED] * 3


def test_an_answer_of_anthropic_is_no_longer_than_that_of_others():
    with chat_server() as server:
        exchange = ask(server, of_anthropic("r" * 300_000), provider="anthropic")
    assert (exchange.outcome, exchange.detail) == (
        AdviceOutcome.MALFORMED,
        "the answer has more than 262144 bytes",
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_hostile_server_is_an_outcome_and_its_words_stay_out_of_what_we_say_of_it(exchanges, name):
    exchange, requests = exchanges[name]
    outcome = SCRIPTS[name][1]
    assert exchange.outcome is outcome
    assert (exchange.said is None) is (outcome is not AdviceOutcome.ANSWERED)
    assert INJECTION not in exchange.detail
    assert 1 <= exchange.calls <= CALLS
    assert requests <= CALLS
    assert min(exchange.input_tokens, exchange.output_tokens) >= 0


@pytest.mark.parametrize("name", silent(threading.Event()))
def test_a_server_that_takes_its_time_is_left_in_time(server, name):
    script, outcome = silent(server.stop)[name]
    exchange = ask(server, *script, seconds=0.4)
    assert (exchange.outcome, exchange.detail) == (outcome, "no answer within its time")
    assert exchange.seconds < 5


def test_nobody_there_is_unreachable():
    chat = ChatModel("openai:test", Settings(agent_base_url="http://127.0.0.1:9/v1"))
    assert chat.ask("?", instructions="", answer=Advised, tools={}).outcome is AdviceOutcome.UNREACHABLE


def test_of_200_hostile_answers_none_starts_a_run_that_is_not_allowed(exchanges):
    closed = [asking(but(quiet(), **gate)) for gate in GATES]
    built = [build_situation(observation, situation_id="s", decisions=()) for observation in closed]
    judged = 0
    for exchange, _ in exchanges.values():
        for observation, (situation, rules) in zip(closed, built, strict=True):
            said = judge(exchange, situation, rules=rules, chat_model="openai:test", at=NOW)
            plan = decide(but(observation, advice=said))
            assert not (said.choice is AdviceChoice.RETRAIN and said.allowed)
            assert plan.reason is not Reason.AGENT_ADVISED
            assert plan.actions == decide(observation).actions
            assert INJECTION not in str(plan.findings)
            judged += 1
    assert judged >= 200


def test_nothing_is_traced_whatever_the_environment_says(server, monkeypatch):
    """A tracer of LangSmith would send the prompt to its endpoint: here this same server, which would have seen it."""
    from langsmith import utils

    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    utils.get_env_var.cache_clear()
    made = []
    monkeypatch.setattr("langchain_core.tracers.langchain.LangChainTracer.__init__", lambda *_, **__: made.append(1))
    try:
        assert ask(server, advising("ALERT")).outcome is AdviceOutcome.ANSWERED
    finally:
        utils.get_env_var.cache_clear()
    assert made == []


@pytest.mark.parametrize("name", ["gpt", "openai:", "somebody:model", ""])
def test_a_model_that_nobody_offers_is_refused_with_those_that_are(name):
    with pytest.raises(AgentUnusable, match="openai:NAME, anthropic:NAME, ollama:NAME"):
        ChatModel(name, Settings())


@pytest.mark.parametrize(("provider", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_key_is_said_at_once_by_its_name(monkeypatch, provider, variable, empty):
    monkeypatch.delenv(variable, raising=False)
    if empty:
        monkeypatch.setenv(variable, "")
    with pytest.raises(AgentUnusable, match=f"^{provider}:test can't be asked without a key: set {variable}$"):
        ChatModel(f"{provider}:test", Settings())
    monkeypatch.setenv(variable, "a key")
    ChatModel(f"{provider}:test", Settings())


def test_a_model_of_ones_own_machine_needs_no_key(monkeypatch):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    ChatModel("ollama:test", Settings())
    ChatModel("openai:test", Settings(agent_base_url="http://127.0.0.1:1/v1"))


def test_without_the_extra_the_command_to_install_it_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name.startswith("langchain"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AgentUnusable, match=r"pip install 'autoretrain\[agent\]'"):
        ChatModel("openai:test", Settings())


def test_langchain_is_loaded_only_where_a_model_is_asked():
    code = (
        "import sys, autoretrain.app.agent, autoretrain.app.advising\n"
        "sys.exit(any(name.startswith('langchain') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, timeout=120, check=False)
    assert done.returncode == 0


def test_a_body_of_the_server_is_never_in_the_detail(server):
    exchange = ask(server, body(f'{{"error": {{"message": "{INJECTION}"}}}}', status=400))
    assert (exchange.outcome, exchange.detail) == (AdviceOutcome.REFUSED, "HTTP 400")


def answering_as(provider: str, arguments: dict):
    """Answer with a call of Advised, in the words of another provider's API."""
    if provider == "ollama":
        called = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "Advised", "arguments": arguments}}],
        }
        said = {"model": "test", "created_at": "2026-01-01T00:00:00Z", "message": called, "done": True}
        counts = {"done_reason": "stop", "prompt_eval_count": 5000, "eval_count": 70}
        return body(json.dumps({**said, **counts}) + "\n", kind="application/x-ndjson")
    used = {"type": "tool_use", "id": "t1", "name": "Advised", "input": arguments}
    said = {"id": "m1", "type": "message", "role": "assistant", "model": "test", "content": [used]}
    counts = {"stop_reason": "tool_use", "usage": {"input_tokens": 5000, "output_tokens": 70}}
    return body(json.dumps({**said, **counts}))


def ask_provider(server, provider, *script, seconds=20.0):
    server.script = script
    server.asked.clear()
    url = server.url.removesuffix("/v1")
    chat = ChatModel(f"{provider}:test", Settings(agent_base_url=url, agent_seconds=seconds))
    return chat.ask("{}", instructions=INSTRUCTIONS, answer=Advised, tools={})


@pytest.mark.parametrize("provider", ["anthropic", "ollama"])
def test_other_providers_answer_too(server, provider):
    exchange = ask_provider(server, provider, answering_as(provider, {"advice": "ALERT", "reason": "why"}))
    assert (exchange.outcome, exchange.said) == (AdviceOutcome.ANSWERED, Advised(advice="ALERT", reason="why"))
    assert (exchange.input_tokens, exchange.output_tokens) == (5000, 70)


@pytest.mark.parametrize("provider", ["anthropic", "ollama"])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (body("{}", status=401), AdviceOutcome.REFUSED),
        (body("{}", status=503), AdviceOutcome.UNREACHABLE),
        (body("<html>", kind="text/html"), AdviceOutcome.MALFORMED),
        (cutting_off, AdviceOutcome.UNREACHABLE),
    ],
)
def test_failures_of_other_providers_are_named_alike(server, provider, answer, outcome):
    assert ask_provider(server, provider, answer).outcome is outcome


@pytest.mark.parametrize("provider", ["anthropic", "ollama"])
def test_other_providers_are_left_in_time(server, provider):
    exchange = ask_provider(server, provider, trickling(server.stop), seconds=0.4)
    assert exchange.outcome is AdviceOutcome.TOO_SLOW
    assert exchange.seconds < 5


@pytest.mark.parametrize(
    ("name", "says"), [("huge", "the answer has more than 262144 bytes"), ("compressed", "the answer is compressed")]
)
def test_an_answer_is_read_no_further_than_an_answer_can_be(exchanges, name, says):
    assert exchanges[name][0].detail == says
