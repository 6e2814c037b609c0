"""Asks the adviser about a situation, within a day's budget, and keeps what it says beside what the rules decided.

A pass never waits for this. On one machine situations are the ledger's (`ledger_advice`) and the pass reads the newest
advice from the store; on a cluster the controller brings each and takes the advice with it (`advice_http`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeVar

import pydantic

from autoretrain.adapters.chat_model import Exchange
from autoretrain.adapters.records import dump_record
from autoretrain.adapters.settings import Settings
from autoretrain.decide.advice import MAX_AGE
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceTotals, Situation

PROMPT_VERSION: Final = "1"
"""To be raised with each change of INSTRUCTIONS, `tools_of` or Advised: advice of two prompts is not to be compared."""

INSTRUCTIONS: Final = """\
You advise the rules that keep a spam classifier fresh. You see figures of one situation, as JSON. Say what should be \
done now, by calling Advised once:
RETRAIN: train a new model on the labels that are there. It costs a run and pays where messages have changed for good \
or live quality is surely low, and there are enough new labels to learn it from. Only if `allowed` has it.
ALERT: a person should act: label messages, look at the data, change a threshold.
NO_ACTION: wait; nothing is wrong, or what would help is under way or not known yet.
Verdicts of findings are passed, triggered and inconclusive: inconclusive is no evidence for anything. A drift score \
of 0.15 is as rare as one undrifted window in 200; one window above it may be chance, several in a row are not. With \
prior_shift only the share of spam moved, and a new model would learn nothing. Judge accuracy by its interval, not by \
the estimate alone. Name the findings and the numbers of decisions that your advice rests on. The tools have more \
figures; use as few as you need."""

DAY: Final = timedelta(days=1)
LONGEST_REASON: Final = 300
ASK_AGAIN: Final = frozenset({AdviceOutcome.UNREACHABLE, AdviceOutcome.TOO_SLOW})

T = TypeVar("T", bound=pydantic.BaseModel)


class Advised(pydantic.BaseModel):
    """Your advice on the situation."""

    model_config = pydantic.ConfigDict(extra="forbid")

    advice: Literal["RETRAIN", "NO_ACTION", "ALERT"]
    reason: str = pydantic.Field(max_length=2000, description="Why, in one or two sentences with figures.")
    findings: list[str] = pydantic.Field(default=[], max_length=50, description="`check` of each that it rests on.")
    decisions: list[int] = pydantic.Field(default=[], max_length=50, description="`sequence` of each it rests on.")


class Chat(Protocol):
    """What is asked: `adapters.chat_model.ChatModel`, or templates or recorded answers where advice is measured."""

    @property
    def name(self) -> str: ...

    def ask(
        self, question: str, *, instructions: str, answer: type[T], tools: Mapping[str, Callable[[], str]]
    ) -> Exchange[T]: ...


class Records(Protocol):
    """Where advice is kept; both places have it in the store."""

    def advice(self, *, limit: int) -> Sequence[Advice]: ...

    def advice_totals(self, *, since: datetime | None = None) -> AdviceTotals: ...

    def add_advice(self, advice: Advice) -> int: ...


@dataclass(slots=True)
class Adviser:
    """One chat model that advises on one model. `clock` returns the time in UTC."""

    records: Records
    chat: Chat
    settings: Settings
    clock: Callable[[], datetime]
    _unkept: Advice | None = field(init=False, default=None)

    def advise(self, situation_id: str, at: datetime, build: Callable[[], tuple[Situation, str]]) -> Advice | None:
        """Ask about the situation `situation_id` of `at`, if it is due, and keep the answer. Raises AutoRetrainError.

        `build` returns it with what the rules decide on it. Each is asked about once, over restarts, too; where nobody
        answered again, until it is too old to matter. There is nothing to advise on a candidate or a rollback: these
        are the gates' and the guard's alone.
        """
        if self._unkept is not None:
            return self._keep(self._unkept)
        now = self.clock()
        if not self._is_due(situation_id, at, now=now):
            return None
        situation, rules = build()
        if rules not in set(AdviceChoice):
            return None
        exchange = self._refused_by_budget(now) or self.chat.ask(
            question_of(situation), instructions=INSTRUCTIONS, answer=Advised, tools=tools_of(situation)
        )
        advice = judge(exchange, situation, rules=rules, chat_model=self.chat.name, at=self.clock())
        return self._keep(advice)

    def _keep(self, advice: Advice) -> Advice:
        # What was asked counts in the records alone: a store that can be read but not written must not be a way around
        # the budget.
        self._unkept = advice
        kept = replace(advice, sequence=self.records.add_advice(advice))
        self._unkept = None
        return kept

    def _is_due(self, situation_id: str, at: datetime, *, now: datetime) -> bool:
        last = next(iter(self.records.advice(limit=1)), None)
        if last is None:
            return True
        # Distances, as in `decide.advice`: a clock that was set back must not silence the adviser for as long.
        if abs(now - last.at) < timedelta(seconds=self.settings.agent_interval_seconds):
            return False
        if (last.situation_id, last.situation_at) != (situation_id, at):
            return True
        return last.outcome in ASK_AGAIN and abs(now - last.situation_at) < MAX_AGE

    def _refused_by_budget(self, now: datetime) -> Exchange[Advised] | None:
        """Return the outcome of a question that must not be asked; None where it may."""
        used, settings = self.records.advice_totals(since=now - DAY), self.settings
        tokens = used.input_tokens + used.output_tokens
        if used.calls < settings.agent_calls_per_day and tokens < settings.agent_tokens_per_day:
            return None
        detail = f"{used.calls} calls and {tokens} tokens within a day"
        return Exchange(outcome=AdviceOutcome.OVER_BUDGET, detail=detail)


def question_of(situation: Situation) -> str:
    """Return what an adviser is told at once, as JSON; the rest it may ask for."""
    told = dump_record(situation)
    return json.dumps({name: told[name] for name in ("situation_id", "at", "allowed", "held_by", "findings", "labels")})


def tools_of(situation: Situation) -> dict[str, Callable[[], str]]:
    """Return the tools by name. They take nothing and return parts of `situation`, as it was then."""
    told = dump_record(situation)

    def tool(documentation: str, *names: str) -> Callable[[], str]:
        def read() -> str:
            return json.dumps({name: told[name] for name in names})

        read.__doc__ = documentation
        return read

    return {
        "read_status": tool("Where the loop stands: champion, run, rollout, guard, budget, schedule.", "state"),
        "read_drift": tool("The champion's last windows of messages, oldest first.", "windows", "drift_threshold"),
        "read_quality": tool("Live quality by audit labels, with 95 % intervals.", "quality", "labels"),
        "read_ledger": tool("The last decisions, oldest first.", "decisions"),
        "read_comparison": tool("The last judged candidate beside the champion, on the same rows.", "candidate"),
        "read_versions": tool("Registered versions in a role, with the figures of their training.", "versions"),
    }


def judge(exchange: Exchange[Advised], situation: Situation, *, rules: str, chat_model: str, at: datetime) -> Advice:
    """Return the advice to keep: what was said, whether it is allowed, and which of its evidence exists."""
    said = exchange.said
    choice = AdviceChoice(said.advice) if said else None
    checks = {finding.check for finding in situation.findings}
    sequences = {decision.sequence for decision in situation.decisions}
    return Advice(
        at=at,
        situation_id=situation.situation_id,
        situation_at=situation.at,
        outcome=exchange.outcome,
        choice=choice,
        reason=one_line(said.reason)[:LONGEST_REASON] if said else exchange.detail,
        rules=rules,
        allowed=choice in situation.allowed,
        chat_model=chat_model,
        prompt_version=PROMPT_VERSION,
        findings=tuple(dict.fromkeys(check for check in said.findings if check in checks)) if said else (),
        decisions=tuple(dict.fromkeys(number for number in said.decisions if number in sequences)) if said else (),
        calls=exchange.calls,
        input_tokens=exchange.input_tokens,
        output_tokens=exchange.output_tokens,
        cost=exchange.cost,
        seconds=exchange.seconds,
    )


def one_line(text: str) -> str:
    """Return what a model wrote without line breaks and without anything that a terminal would obey."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
