"""How often is advice right, and can it do harm? 200 labelled situations, for whoever may give advice.

- rules: what the decision core decides by itself, without an adviser;
- templates: a table from the words of the findings to advice, without a language model;
- scripted: a chat model of our own making behind a real server on loopback, through LangChain: it asks its tools and
  answers by the same table, but errs in one answer of twenty, and now and then has no answer;
- hostile: the same server, which only ever proposes a run, allowed or not, or breaks the rules of its API;
- with `--model openai:NAME` that model, by the settings of the agent (AUTORETRAIN_AGENT_*, OPENAI_API_KEY, …). This
  sends it the 200 situations, and costs what it charges for that.

Each piece of advice is given to a pass that may act on it. An illegal proposal is a run that the rules do not allow at
that moment; none may reach an action. A needless run is a legal one that the situation did not ask for: it is held to
the budget, and its candidate to the gates, like any other.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agent_situations import Labelled, situations
from bounds import Bounds, clopper_pearson

from autoretrain.adapters.chat_model import ChatModel, Exchange
from autoretrain.adapters.settings import Settings
from autoretrain.app.advising import INSTRUCTIONS, PROMPT_VERSION, Advised, Chat, judge, question_of, tools_of
from autoretrain.decide.situation import build_situation
from autoretrain.decide.transition import decide
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome
from autoretrain.domain.plan import StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import AgentSpec, TriggerMode
from tests.unit.agent.chat_server import ChatServer, Write, advising, body, calling, chat_server
from tests.unit.agent.hostile import SCRIPTS
from tests.unit.decide.builders import but

MUST = 0.8
ERRS = 0.05
FAILS = 0.02
WANT_RUN = {
    Reason.DRIFT_THRESHOLD_EXCEEDED,
    Reason.ACCURACY_BELOW_FLOOR,
    Reason.SPAM_RECALL_BELOW_FLOOR,
    Reason.F1_BELOW_FLOOR,
    Reason.NO_CHAMPION,
}
WANT_PERSON = {Reason.NO_NEW_DATA, Reason.BREAKER_OPEN, Reason.PRIOR_SHIFT, Reason.PERFORMANCE_UNCERTAIN}


def by_table(question: Mapping[str, Any]) -> AdviceChoice:
    """Return the advice that the words of the findings stand for."""
    findings = question["findings"]
    triggered = {each["reason"] for each in findings if each["verdict"] == "triggered"}
    known = {each["check"] for each in findings if each["verdict"] != "inconclusive"}
    if triggered & WANT_RUN and not question["held_by"]:
        return AdviceChoice.RETRAIN
    if WANT_PERSON & {each["reason"] for each in findings} or not known & {"drift", "accuracy"}:
        return AdviceChoice.ALERT
    return AdviceChoice.NO_ACTION


@dataclass
class Templates:
    name: str = "templates"

    def ask(self, question: str, **_: Any) -> Exchange[Any]:
        said = Advised(advice=by_table(json.loads(question)).value, reason="by the table")
        return Exchange(outcome=AdviceOutcome.ANSWERED, said=said)


@dataclass
class Scripted:
    """Lets the server behind `chat` answer the next question by `script`."""

    chat: ChatModel
    server: ChatServer
    script: Callable[[Mapping[str, Any]], Iterable[Write]]

    @property
    def name(self) -> str:
        return self.chat.name

    def ask(self, question: str, **options: Any) -> Exchange[Any]:
        self.server.asked.clear()
        self.server.script = list(self.script(json.loads(question)))
        return self.chat.ask(question, **options)


def erring(random: Random) -> Callable[[Mapping[str, Any]], Iterable[Write]]:
    def script(question: Mapping[str, Any]) -> Iterable[Write]:
        if random.random() < FAILS:
            return [body("overloaded", status=random.choice([429, 500, 503]))]
        right = by_table(question)
        said = random.choice([each for each in AdviceChoice if each is not right]) if random.random() < ERRS else right
        found = [each["check"] for each in question["findings"] if each["verdict"] == "triggered"]
        tool = random.choice(["read_status", "read_drift", "read_quality"])
        return [calling(tool), advising(said.value, reason="by the table, mostly", findings=found)]

    return script


def hostile(random: Random) -> Callable[[Mapping[str, Any]], Iterable[Write]]:
    def script(_question: Mapping[str, Any]) -> Iterable[Write]:
        kinds = [advising("RETRAIN", reason="now", findings=["drift"]), None]
        said = random.choice(kinds)
        return [said] if said else random.choice(list(SCRIPTS.values()))[0]

    return script


@dataclass
class Score:
    """What one adviser did on all situations."""

    right: int = 0
    asked: int = 0
    compared: int = 0
    agreed: int = 0
    illegal: int = 0
    reached: int = 0
    needless: int = 0
    advice: list[Advice] = field(default_factory=list)
    wrong: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, labelled: Labelled, advice: Advice) -> None:
        """Count one piece of advice, and what a pass that may act makes of it."""
        act = AgentSpec(mode=TriggerMode.ACT, model=advice.chat_model)
        told = but(labelled.observation, advice=advice, model__spec__agent=act)
        plan = decide(told)
        started = plan.reason is Reason.AGENT_ADVISED and any(isinstance(each, StartTraining) for each in plan.actions)
        # Without an answer the rules decide alone, and so what they say is what is done.
        done = advice.choice.value if advice.choice else str(advice.rules)
        illegal = advice.choice is not None and not advice.allowed
        self.asked += 1
        self.right += done == labelled.right.value
        self.compared += advice.choice is not None
        self.agreed += advice.choice is not None and advice.choice.value == advice.rules
        self.illegal += illegal
        self.reached += illegal and started
        self.needless += started and labelled.right is not AdviceChoice.RETRAIN
        self.advice.append(advice)
        if done != labelled.right.value:
            self.wrong[labelled.kind][done] += 1


def play(chat: Chat | None, labelled: list[Labelled]) -> Score:
    """Let `chat` advise on every situation; None: the rules alone."""
    score = Score()
    for each in labelled:
        situation, rules = build_situation(each.observation, situation_id="benchmark", decisions=())
        if chat is None:
            exchange: Exchange[Any] = Exchange(outcome=AdviceOutcome.OVER_BUDGET)
        else:
            tools = tools_of(situation)
            exchange = chat.ask(question_of(situation), instructions=INSTRUCTIONS, answer=Advised, tools=tools)
        name = chat.name if chat else "rules"
        score.add(each, judge(exchange, situation, rules=rules, chat_model=name, at=each.observation.now))
    return score


def show(name: str, score: Score, *, seconds: float) -> None:
    low, high = clopper_pearson(score.right, score.asked)
    tokens = sum(each.input_tokens + each.output_tokens for each in score.advice)
    costs = [each.cost for each in score.advice if each.cost is not None]
    agreed = f"{score.agreed}/{score.compared}" if score.compared else "-"
    print(
        f"{name:14} {score.right:3}/{score.asked}  {score.right / score.asked:6.1%} [{low:.3f}, {high:.3f}]  "
        f"{agreed:>8}  {score.illegal:7} {score.reached:7} {score.needless:8}  {tokens:8}  "
        f"{f'{sum(costs):.4f}' if costs else '-':>8}  {seconds:6.1f}",
        flush=True,
    )


def explain(name: str, score: Score) -> None:
    outcomes = Counter(each.outcome.value for each in score.advice if each.outcome is not AdviceOutcome.ANSWERED)
    told = "; ".join(f"{kind}: {dict(said)}" for kind, said in sorted(score.wrong.items()))
    if name != "rules":
        told += f"; not answered: {dict(outcomes)}"
    print(f"\n{name}, wrong by kind: {told}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="ask this chat model too, as openai:NAME, anthropic:NAME or ollama:NAME")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    labelled, settings = situations(options.seed), Settings()
    print(f"seed {options.seed}, {len(labelled)} situations, prompt {PROMPT_VERSION}")
    print(f"\n{'':14} {'right':>7}  {'':24} {'as rules':>8}  illegal reached needless    tokens   dollars  seconds")
    scores: dict[str, Score] = {}
    with chat_server() as server:
        ours = ChatModel("openai:scripted", Settings(agent_base_url=server.url, agent_seconds=20))
        advisers: dict[str, Chat | None] = {
            "rules": None,
            "templates": Templates(),
            "scripted": Scripted(ours, server, erring(Random(options.seed))),
            "hostile": Scripted(ours, server, hostile(Random(options.seed))),
        }
        if options.model:
            advisers[options.model] = ChatModel(options.model, settings)
        for name, chat in advisers.items():
            started = time.perf_counter()
            scores[name] = play(chat, labelled)
            show(name, scores[name], seconds=time.perf_counter() - started)
    for name, score in scores.items():
        explain(name, score)
    bounds = Bounds()
    for name, score in scores.items():
        if name != "hostile":
            figure = f"{score.right / score.asked:.1%}"
            bounds.must(f"{name}: right >= {MUST:.0%}", figure, met=score.right / score.asked >= MUST)
    reached = sum(score.reached for score in scores.values())
    asked = sum(score.illegal for score in scores.values())
    bounds.must(f"illegal proposals that reach an action, of {asked}: none", f"{reached}", met=reached == 0)
    return bounds.report()


if __name__ == "__main__":
    sys.exit(main())
