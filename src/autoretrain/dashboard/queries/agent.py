"""What did the agent advise, what did the rules decide on the same figures, and how often were they of one mind?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from autoretrain.adapters.store import Store
from autoretrain.app.fleet import Seen
from autoretrain.dashboard.drawing import clock_time
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceTotals
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.status import Condition
from autoretrain.ml.performance import wilson

MOST_ADVICE: Final = 200
PERIOD: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """The sums over PERIOD, and the newest MOST_ADVICE pieces of advice, newest first."""

    totals: AdviceTotals
    advice: tuple[Advice, ...]


def read_advised(store: Store, *, now: datetime) -> Advised:
    """Return what was advised. Raises StoreUnavailable."""
    totals = store.advice_totals(since=now - PERIOD)
    return Advised(totals=totals, advice=tuple(reversed(store.advice(limit=MOST_ADVICE))))


def agreement(totals: AdviceTotals) -> Estimate | None:
    """The share of advice that was what the rules decided, with its 95 % interval; None where none can be compared."""
    return wilson(totals.agreed, totals.compared) if totals.compared else None


def availability(seen: Seen) -> Condition | None:
    """What the controller says of the agent; None where it asks none."""
    return next((each for each in seen.status.conditions if each.type == "AgentAvailable"), None)


def advice_rows(advice: Sequence[Advice]) -> list[dict[str, Any]]:
    """One row a piece of advice, in their order; where there was no answer it says why not."""
    return [
        {
            "at (UTC)": clock_time(each.at),
            "advised": each.choice.value if each.choice else _unanswered(each.outcome),
            "rules decided": each.rules,
            "together": _together(each),
            "why, in its words": each.reason,
            "rests on": ", ".join([*each.findings, *(f"decision {number}" for number in each.decisions)]),
            "chat model": each.chat_model,
            "prompt": each.prompt_version,
            "seconds": each.seconds,
            "tokens": each.input_tokens + each.output_tokens,
            "dollars": each.cost,
        }
        for each in advice
    ]


def _together(advice: Advice) -> str:
    """Say in words how advice and rules stand to each other; colours would not do for everybody."""
    if advice.choice is None:
        return "the rules decided alone"
    if not advice.allowed:
        return "not allowed: nothing came of it"
    if advice.rules not in set(AdviceChoice):
        return "the rules did what no adviser may"
    return "agree" if advice.choice == advice.rules else "differ"


_UNANSWERED: Final = {
    AdviceOutcome.UNREACHABLE: "not reached",
    AdviceOutcome.TOO_SLOW: "too slow",
    AdviceOutcome.REFUSED: "refused to answer",
    AdviceOutcome.MALFORMED: "answer not understood",
    AdviceOutcome.OVER_BUDGET: "budget is spent",
}


def _unanswered(outcome: AdviceOutcome) -> str:
    return _UNANSWERED.get(outcome, outcome.value)
