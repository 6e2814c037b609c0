"""From what evidence did a decision come, and what came of it? One decision's chain, through the records of the ledger.

Records are linked by the names in them: a run's from its start to its verdict, a version's from there to its rollout,
guard and rollback. What no record shows is said to be unknown, never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from autoretrain.decide import chain_words as words
from autoretrain.decide.narrate import time_of
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason

Record = Mapping[str, Any]

_BY_PERSON: Final = frozenset({Reason.FORCED, Reason.APPROVED, Reason.PINNED})
_FAILED: Final = frozenset({Reason.TRAINING_FAILED, Reason.TRAINING_BAD_INPUT, Reason.TRAINING_DEADLINE_EXCEEDED})
_GUARD_ENDS: Final = frozenset({Reason.GUARD_PASSED, Reason.GUARD_UNPROVEN})
_VERDICTS: Final = frozenset({Decision.PROMOTE, Decision.HOLD, Decision.REJECT})


class UnknownDecision(AutoRetrainError):  # noqa: N818 - said to a user as it stands
    """No record has that sequence."""


class Kind(StrEnum):
    """What a record is in the life of a run or a version."""

    START = "start"
    FAILURE = "failure"
    VERDICT = "verdict"
    PROMOTION = "promotion"  # by a person, or by the document
    ROLLOUT = "rollout"
    GUARD = "guard"
    ROLLBACK = "rollback"
    BACK = "back"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a record is about: a run by its name, a version; None where it names none."""

    kind: Kind
    run: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link of a chain. `details` are sentences with numbers; `data` holds the figures as the record has them."""

    name: str
    sequence: int
    time: str
    text: str
    details: tuple[str, ...]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """`steps` are in the order of cause and effect; `unknown` says what the records do not show."""

    sequence: int
    title: str
    steps: tuple[Step, ...]
    unknown: tuple[str, ...]

    def render(self) -> str:
        lines = [self.title]
        for step in self.steps:
            whose = "this decision" if step.sequence == self.sequence else f"decision {step.sequence}"
            lines += ["", f"{step.name} ({whose}, {step.time})", f"  {step.text}"]
            lines += [f"    {detail}" for detail in step.details]
        if self.unknown:
            lines += ["", "Not known"]
            lines += [f"  {each}" for each in self.unknown]
        return "\n".join(lines)


def build_chain(records: Sequence[Record], sequence: int) -> Chain:
    """Return the chain of the decision `sequence`; `records` are oldest first, each with its `sequence`.

    Raises UnknownDecision, with the range that is there.
    """
    asked = next((record for record in records if record["sequence"] == sequence), None)
    if asked is None:
        raise UnknownDecision(_range_said(records, sequence))
    link = link_of(asked)
    title = f"Decision {sequence}, {time_of(asked)}: {asked['decision']} ({asked['reason']})"
    if link.run is None and link.version is None:
        steps = [*_begin(asked), *_next_start(records, asked)]
        return Chain(sequence=sequence, title=title, steps=tuple(steps), unknown=tuple(words.unread(asked)))
    run, version = _joined(records, link)
    own = [(record, link_of(record)) for record in records]
    own = [(record, each) for record, each in own if _belongs(each, run=run, version=version)]
    steps = [step for record, each in own for step in _steps_of(record, each.kind)]
    unknown = [each for record, _ in own for each in words.unread(record)]
    unknown += _gaps(records, {each.kind for _, each in own}, run=run, version=version)
    return Chain(sequence=sequence, title=title, steps=tuple(steps), unknown=tuple(dict.fromkeys(unknown)))


def link_of(record: Record) -> Link:
    """Return what a record is about, as far as it says."""
    decision, reason = record["decision"], record["reason"]
    status: Record = record.get("observation", {}).get("status", {})
    active, rollout, guard = (status.get(name) or {} for name in ("active_run", "rollout", "guard"))
    if decision == Decision.RETRAIN:
        return Link(kind=Kind.START, run=words.started_run(record))
    if decision == Decision.ROLLBACK:
        return Link(kind=Kind.ROLLBACK, version=_intended(record).get("from_version"))
    if decision == Decision.PROMOTE and reason in _BY_PERSON:
        return Link(kind=Kind.PROMOTION, version=(_intended(record).get("to") or {}).get("version"))
    if decision in _VERDICTS and active:
        return Link(kind=Kind.VERDICT, run=active["name"], version=words.summary_of(record).get("version"))
    if reason in _FAILED and active:
        return Link(kind=Kind.FAILURE, run=active["name"])
    if reason == Reason.ROLLOUT_COMPLETE and rollout:
        if rollout["rollback"]:
            return Link(kind=Kind.BACK, version=rollout["from_version"])
        return Link(kind=Kind.ROLLOUT, version=rollout["to"]["version"])
    if reason in _GUARD_ENDS and guard:
        return Link(kind=Kind.GUARD, version=guard["version"])
    return Link(kind=Kind.OTHER)


def _intended(record: Record) -> Record:
    """The rollout that the plan begins."""
    intent: Record = record.get("plan", {}).get("intent") or {}
    return intent.get("rollout") or {}


def _joined(records: Sequence[Record], link: Link) -> tuple[str | None, str | None]:
    """Run and version that belong together; a verdict names both."""
    for record in records:
        each = link_of(record)
        same = (link.run is not None and each.run == link.run) or (
            link.version is not None and each.version == link.version
        )
        if each.kind is Kind.VERDICT and same:
            return each.run, each.version
    return link.run, link.version


def _belongs(link: Link, *, run: str | None, version: str | None) -> bool:
    return (run is not None and link.run == run) or (version is not None and link.version == version)


def _steps_of(record: Record, kind: Kind) -> list[Step]:
    match kind:
        case Kind.START:
            return _begin(record)
        case Kind.FAILURE:
            return [_step("Run", record, details=())]
        case Kind.VERDICT:
            return _judged(record)
        case Kind.PROMOTION:
            return [_step("Promotion", record, details=words.found(record, words.ASKED))]
        case Kind.ROLLOUT:
            return [_step("Rollout", record, details=())]
        case Kind.GUARD:
            return [_step("Guard", record, details=words.found(record, words.LIMITS))]
        case Kind.ROLLBACK:
            return [_step("Rollback", record, details=words.found(record, words.LIMITS))]
        case Kind.BACK:
            return [_step("Back", record, details=())]
        case Kind.OTHER:
            return []


def _begin(record: Record) -> list[Step]:
    """Evidence, findings and decision of a pass."""
    evidence = words.evidence(record)
    steps = []
    if evidence:
        data = {name: record["observation"].get(name) for name in ("drift", "performance", "supply")}
        steps.append(_step("Evidence", record, text=evidence[0], details=evidence[1:], data=data))
    findings = words.findings(record)
    if findings:
        steps.append(_step("Findings", record, text=findings[0], details=findings[1:]))
    return [*steps, _step("Decision", record, details=words.failed_actions(record))]


def _judged(record: Record) -> list[Step]:
    summary = words.summary_of(record)
    steps = []
    if summary:
        steps.append(_step("Run", record, text=words.run_told(summary), details=(), data={"summary": summary}))
        told = words.comparison(summary)
        gates = words.found(record, words.GATES)
        steps.append(_step("Comparison", record, text=told, details=gates))
    return [*steps, _step("Verdict", record, details=words.failed_actions(record))]


def _next_start(records: Sequence[Record], asked: Record) -> list[Step]:
    """What a decision that started nothing led to: the next run, where something asked for one."""
    if not words.asks_for_run(asked):
        return []
    later = (each for each in records if each["sequence"] > asked["sequence"])
    start = next((each for each in later if each["decision"] == Decision.RETRAIN), None)
    return [] if start is None else [_step("Next run", start, details=())]


def _step(
    name: str, record: Record, *, details: Sequence[str], text: str | None = None, data: Record | None = None
) -> Step:
    return Step(
        name=name,
        sequence=record["sequence"],
        time=time_of(record),
        text=f"{record['decision']} ({record['reason']}): {record['message']}" if text is None else text,
        details=tuple(details),
        data=data if data is not None else {"findings": list(record.get("plan", {}).get("findings", ()))},
    )


def _gaps(records: Sequence[Record], kinds: set[Kind], *, run: str | None, version: str | None) -> list[str]:
    """What belongs to the chain and stands in none of the records."""
    first = records[0]
    kept = f"the records here begin with decision {first['sequence']}, {time_of(first)}"
    gaps = []
    if run is not None and Kind.START not in kinds:
        gaps.append(f"why run {run} was started: {kept}")
    if run is None and Kind.VERDICT not in kinds:
        gaps.append(f"which run made version {version}, and how it was judged: {kept}")
    if run is not None and not kinds & {Kind.VERDICT, Kind.FAILURE}:
        gaps.append(f"how run {run} ended: no record tells it yet")
    promoted = any(
        each["decision"] == Decision.PROMOTE and _belongs(link_of(each), run=run, version=version) for each in records
    )
    if promoted and not kinds & {Kind.ROLLOUT, Kind.ROLLBACK}:
        gaps.append(f"whether version {version} came to be served: no record tells it yet")
    if Kind.ROLLOUT in kinds and not kinds & {Kind.GUARD, Kind.ROLLBACK}:
        gaps.append(f"how the guard over version {version} ended: no record tells it yet")
    if Kind.ROLLBACK in kinds and Kind.BACK not in kinds:
        gaps.append("whether the version before is served again: no record tells it yet")
    return gaps


def _range_said(records: Sequence[Record], sequence: int) -> str:
    if not records:
        return f"there is no decision {sequence}: nothing has been decided yet"
    return (
        f"there is no decision {sequence}; there are those from {records[0]['sequence']} to {records[-1]['sequence']}"
    )
