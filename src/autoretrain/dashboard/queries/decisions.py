"""What was decided, and why? The ledger as a list, one record in full, and that record decided again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.app.fleet import Reach
from autoretrain.dashboard.drawing import clock_time
from autoretrain.decide.chain import Chain, build_chain
from autoretrain.decide.narrate import figures_of
from autoretrain.decide.transition import decide
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Plan, Verdict
from autoretrain.domain.status import HistoryEntry

Record = Mapping[str, Any]

MOST_DECISIONS: Final = 1000
NEIGHBOURS: Final = 300
"""A chain is looked for in so many records before a decision and after it."""

VERDICTS: Final = {Verdict.TRIGGERED: "triggered", Verdict.PASSED: "ok", Verdict.INCONCLUSIVE: "not known"}
_TIMES: Final = ("last_transition_at", "seen_at", "waited_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a decision was. `key` is the model's."""

    key: str
    sequence: int
    entry: HistoryEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A record decided again by the rules of now. `differences` is empty where the plan is the same in every field."""

    decision: str
    differences: tuple[dict[str, str], ...]


def read_heads(reach: Reach) -> Sequence[Head]:
    """The newest decisions, oldest first."""
    heads = reach.place.heads(limit=MOST_DECISIONS)
    return tuple(Head(key=reach.key, sequence=sequence, entry=entry) for sequence, entry in heads)


def select(heads: Sequence[Head], *, kinds: Sequence[str], days: Sequence[date]) -> list[Head]:
    """Those of `kinds` (all where empty) on `days`, a first and a last one in UTC (all where either is not given)."""
    first, last = (days[0], days[1]) if len(days) == 2 else (date.min, date.max)
    return [
        head
        for head in heads
        if (not kinds or head.entry.decision in kinds) and first <= head.entry.at.astimezone(UTC).date() <= last
    ]


def head_rows(heads: Sequence[Head]) -> list[dict[str, Any]]:
    """Newest first."""
    newest_first = sorted(heads, key=lambda head: (head.entry.at, head.sequence), reverse=True)
    return [
        {
            "number": head.sequence,
            "time (UTC)": clock_time(head.entry.at),
            "decision": head.entry.decision,
            "reason": head.entry.reason,
            "why": head.entry.message,
            "model": head.key,
        }
        for head in newest_first
    ]


def decision_link(key: str, sequence: int) -> str:
    """The lasting address of a decision, below that of the dashboard."""
    return f"decisions?{urlencode({'model': key, 'id': sequence})}"


def read_record(reach: Reach, sequence: int) -> Record:
    """Raises AutoRetrainError where there is no such decision (any more)."""
    found = reach.place.decisions(limit=1, after=sequence - 1)
    if not found or found[0]["sequence"] != sequence:
        raise AutoRetrainError(f"there is no decision {sequence} of {reach.key}, or it is no longer kept")
    return found[0]


def read_chain(reach: Reach, sequence: int) -> Chain:
    """From evidence to action, and what came of it, as far as the records around it tell."""
    after = max(0, sequence - NEIGHBOURS)
    return build_chain(reach.place.decisions(limit=2 * NEIGHBOURS, after=after), sequence)


def finding_rows(record: Record) -> list[dict[str, Any]]:
    """Every finding: what triggered first, then what could not be told."""
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    findings = record.get("plan", {}).get("findings", ())
    found = sorted(findings, key=lambda each: order.get(each["verdict"], len(order)))
    return [
        {
            "check": figures_of(each),
            "is": VERDICTS.get(each["verdict"], each["verdict"]),
            "reason": each["reason"],
            "said": each["message"],
        }
        for each in found
    ]


def outcome_rows(record: Record) -> list[dict[str, Any]]:
    """What was done, and how it ended."""
    actions = record.get("plan", {}).get("actions", ())
    return [
        {
            "action": _action_told(action),
            "ended": "done" if outcome["succeeded"] else "failed",
            "said": outcome["message"],
        }
        for action, outcome in zip(actions, record.get("outcomes", ()), strict=False)
    ]


def _action_told(action: Record) -> str:
    """Actions are recorded without their names; what they hold tells them."""
    if "run" in action:
        return f"start training run {action['run']['name']}"
    if "run_name" in action:
        return f"end training run {action['run_name']}"
    if "model" in action:
        return f"serve version {action['model']['version']}"
    champion = action.get("champion") or {}
    return f"set the registry's aliases, champion {champion.get('version', 'none')}"


def change_rows(record: Record) -> list[dict[str, str]]:
    """What the plan changed in the status; times that every pass moves are left out."""
    before = record.get("observation", {}).get("status")
    after = record.get("plan", {}).get("intent")
    if before is None or after is None:
        return []
    return [row for row in _differences(before, after) if not row["field"].endswith(_TIMES)]


def replay(record: Record) -> Replay:
    """Decide the recorded observation again. Raises AutoRetrainError where the record does not hold a whole one."""
    if "observation" not in record or "plan" not in record:
        raise AutoRetrainError("the record keeps only what was decided, so it can't be decided again")
    try:
        observation = load_record(Observation, record["observation"])
        recorded = load_record(Plan, record["plan"])
    except ValidationError:
        raise AutoRetrainError("the record is of a release whose records this one can't read") from None
    again = decide(observation)
    return Replay(
        decision=f"{again.decision} ({again.reason})",
        differences=tuple(_differences(dump_record(recorded), dump_record(again))),
    )


def _differences(before: Any, after: Any) -> list[dict[str, str]]:
    was, now = dict(_leaves(before)), dict(_leaves(after))
    return [
        {"field": field, "before": was.get(field, ""), "after": now.get(field, "")}
        for field in dict.fromkeys((*was, *now))
        if was.get(field) != now.get(field)
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value below `value` as text, by its path; what is None or empty is as if it were not there."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(below, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            named = below.get("type", number) if isinstance(below, Mapping) else number
            yield from _leaves(below, f"{path}[{named}]")
    elif value is not None and value != "":
        yield path, str(value)


def at_of(record: Record) -> datetime:
    return datetime.fromisoformat(record["at"])
