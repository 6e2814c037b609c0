"""A decision as data: what was found, what was decided, what is to be done."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import ActiveRun, ModelRef, Status


class Verdict(StrEnum):
    """The answer of one check. INCONCLUSIVE never causes an action."""

    PASSED = "passed"
    TRIGGERED = "triggered"
    INCONCLUSIVE = "inconclusive"


class Decision(StrEnum):
    """The answer of one pass."""

    RETRAIN = "RETRAIN"
    NO_ACTION = "NO_ACTION"
    ALERT = "ALERT"
    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    REJECT = "REJECT"
    ROLLBACK = "ROLLBACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `comparison` is the operator that would trigger: `value comparison threshold`."""

    check: str
    verdict: Verdict
    reason: Reason
    message: str
    value: float | None = None
    threshold: float | None = None
    comparison: str = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTraining:
    """Submit `run`; a run of that name that exists already is success."""

    run: ActiveRun


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTraining:
    """End the run's processes: its deadline has passed or its resource is gone."""

    run_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Serve exactly this version. Repeating it changes nothing."""

    model: ModelRef


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAliases:
    """Let the registry mirror what is served. None removes the alias."""

    champion: ModelRef | None
    candidate: str | None
    previous: ModelRef | None


Action: TypeAlias = StartTraining | CancelTraining | Deploy | SetAliases


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One transition worth telling a person. `event` is a value of `spec.alerts.events`; no field holds message text.

    `id` is the same each time that one transition is told, after a crash too; empty where nothing tells it from its
    repetition. `message` is what happened, `figures` the numbers, `done` what the system did about it, `todo` what is
    left to a person, `see` a link or a command that tells more. Alerts travel between releases and lie in ledgers: a
    field that is added needs a default.
    """

    event: str
    title: str
    message: str
    id: str = ""
    at: datetime | None = None
    figures: tuple[str, ...] = ()
    done: str = ""
    todo: str = ""
    see: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`decision` and `reason` name the one finding that acts; `findings` holds all, the inconclusive ones too.

    `intent` is the status that holds once every action has succeeded; `fold` keeps it only then.
    """

    at: datetime
    decision: Decision
    reason: Reason
    message: str
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]
    alerts: tuple[Alert, ...]
    next_check_at: datetime
    intent: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one action ended. An action that failed is planned again by a later pass; `message` says what was seen."""

    action: Action
    succeeded: bool
    message: str = ""
