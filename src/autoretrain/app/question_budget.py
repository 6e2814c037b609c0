"""What do a person's questions use of a chat model's day? They and the agent's advice share one budget.

Advice counts itself, in the store where it is kept. A question leaves no record there, for the rules read the newest
advice: what it used is kept in a file of the state directory, for a day.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import filelock
import pydantic

from autoretrain.adapters.chat_model import Exchange
from autoretrain.adapters.settings import Settings
from autoretrain.app.advising import DAY, Chat, Records
from autoretrain.app.state import write_atomically
from autoretrain.domain.advice import Advice, AdviceOutcome, AdviceTotals
from autoretrain.domain.errors import AutoRetrainError

LOCK_SECONDS: Final = 5

T = TypeVar("T", bound=pydantic.BaseModel)


@dataclass(frozen=True, slots=True)
class Questions:
    """What questions used, in `file`. Everything raises AutoRetrainError where it can't be read or written."""

    file: Path

    def used(self, *, since: datetime) -> tuple[int, int, int]:
        """Return calls, tokens read and tokens written since then."""
        kept = self._read(since)
        return sum(row[1] for row in kept), sum(row[2] for row in kept), sum(row[3] for row in kept)

    def add(self, at: datetime, *, calls: int, read: int, written: int) -> None:
        """Keep what was used, and forget what is older than a day."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self.file}.lock", timeout=LOCK_SECONDS):
                rows = [*self._read(at - DAY), (at, calls, read, written)]
                write_atomically(self.file, json.dumps([[when.isoformat(), *numbers] for when, *numbers in rows]))
        except (OSError, filelock.Timeout) as error:
            raise AutoRetrainError(f"what the question uses can't be kept in {self.file}: {error}") from None

    def _read(self, since: datetime) -> list[tuple[datetime, int, int, int]]:
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8"))
            found = [(datetime.fromisoformat(at), int(calls), int(read), int(out)) for at, calls, read, out in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise AutoRetrainError(f"{self.file} can't be read: {error}") from None
        return [row for row in found if row[0] >= since]


@dataclass(frozen=True, slots=True)
class CountedRecords:
    """The records of advice, whose totals hold what questions used, too: so the adviser's budget counts both."""

    records: Records
    questions: Questions

    def advice(self, *, limit: int) -> Sequence[Advice]:
        return self.records.advice(limit=limit)

    def add_advice(self, advice: Advice) -> int:
        return self.records.add_advice(advice)

    def advice_totals(self, *, since: datetime | None = None) -> AdviceTotals:
        totals = self.records.advice_totals(since=since)
        if since is None:
            return totals
        calls, read, written = self.questions.used(since=since)
        return replace(
            totals,
            calls=totals.calls + calls,
            input_tokens=totals.input_tokens + read,
            output_tokens=totals.output_tokens + written,
        )


@dataclass(frozen=True, slots=True)
class BudgetedChat:
    """A chat model that is asked within the day's budget. `clock` returns the time in UTC."""

    chat: Chat
    records: CountedRecords
    settings: Settings
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        return self.chat.name

    def ask(
        self, question: str, *, instructions: str, answer: type[T], tools: Mapping[str, Callable[[], str]]
    ) -> Exchange[T]:
        """Ask, and count it. A budget that is spent, or can't be counted, is an outcome and not asked."""
        now, questions = self.clock(), self.records.questions
        try:
            if self._is_spent(now):
                return Exchange(outcome=AdviceOutcome.OVER_BUDGET, detail="the day's budget is spent")
            # Nothing yet, to see that it can be kept: a file that can't be written must be no way around the budget.
            questions.add(now, calls=0, read=0, written=0)
            exchange: Exchange[Any] = self.chat.ask(question, instructions=instructions, answer=answer, tools=tools)
            questions.add(now, calls=exchange.calls, read=exchange.input_tokens, written=exchange.output_tokens)
        except AutoRetrainError as error:
            return Exchange(outcome=AdviceOutcome.OVER_BUDGET, detail=str(error))
        return exchange

    def _is_spent(self, now: datetime) -> bool:
        used = self.records.advice_totals(since=now - DAY)
        tokens = used.input_tokens + used.output_tokens
        return used.calls >= self.settings.agent_calls_per_day or tokens >= self.settings.agent_tokens_per_day
