"""What a pass leaves behind for the next one; the same shape as the resource's status. Nothing else is remembered."""

from dataclasses import dataclass, field
from datetime import datetime

from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.training import ExpectedLive, TrainingSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`last_transition_at` moves only when `status` flips."""

    type: str
    status: bool | None
    reason: str
    message: str
    observed_generation: int
    last_transition_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A version in a role."""

    version: str
    digest: str
    run_id: str = ""
    metrics: ClassificationMetrics | None = None
    promoted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateState:
    """A judged candidate that was not promoted, or waits for an approval until `expires_at`."""

    summary: TrainingSummary
    decision: str
    reason: str
    message: str
    decided_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """The run in flight. `label_cutoff` and `changed_at` (as in LabelSupply) freeze its rows over all attempts."""

    name: str
    ordinal: int
    trigger: str
    started_at: datetime
    label_cutoff: int
    training_hash: str
    changed_at: datetime | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A change of the served version under way; `rollback` tells a version coming back from one being promoted.

    `waited_seconds` counts only the time during which passes watched it, last at `seen_at`: the hours of a controller
    that was away, or a clock that jumped, must not make a rollout look overdue.
    """

    from_version: str | None
    to: ModelRef
    started_at: datetime
    rollback: bool
    reason: str
    expected: ExpectedLive | None = None
    waited_seconds: float = 0.0
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """The watch over a fresh champion. `ended` is '' while it lasts, else Passed, Unproven or Breached.

    `reason` says which limit a breach was of.
    """

    version: str
    started_at: datetime
    expected: ExpectedLive | None
    ended: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftStatus:
    score: float
    threshold: float
    window_id: str
    window_size: int
    breaches: int
    per_metric: tuple[tuple[str, float], ...]
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceStatus:
    """Recall and F1 of spam are None where no label is spam."""

    accuracy: float
    spam_recall: float | None
    f1: float | None
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    at: datetime
    decision: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something people were told that still holds; told again only after it had ceased. `event` as in alerts.on."""

    event: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledRequests:
    retrain: str = ""
    rollback: str = ""
    approve: str = ""
    promote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Empty means: never seen. `run_starts` are the starts within the last day, for the budget.

    `failures` counts consecutive failed runs (back-off), `rejections` consecutive rejected candidates (the breaker;
    HOLD does not count), `candidates_on_rows` how often the present evaluation rows were tested since the last
    promotion (alpha spending), `tested_cutoff` the label sequence when that count last started.
    `trained_cutoff` is the label cut-off of the last run that ended with a summary, `last_run` the last run that ended
    in any way and `last_run_reason` how. `quarantined` are the digests that were rolled back. `history` is newest last.
    """

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    champion: ModelRef | None = None
    previous: ModelRef | None = None
    candidate: CandidateState | None = None
    quarantined: tuple[str, ...] = ()
    drift: DriftStatus | None = None
    performance: PerformanceStatus | None = None
    active_run: ActiveRun | None = None
    run_ordinal: int = 0
    run_starts: tuple[datetime, ...] = ()
    last_run: ActiveRun | None = None
    last_run_reason: str = ""
    last_run_ended_at: datetime | None = None
    trained_cutoff: int = 0
    trained_hash: str = ""
    failures: int = 0
    rejections: int = 0
    breaker_open: bool = False
    candidates_on_rows: int = 0
    tested_cutoff: int = 0
    rollout: Rollout | None = None
    guard: GuardState | None = None
    handled: HandledRequests = field(default_factory=HandledRequests)
    last_schedule_at: datetime | None = None
    next_schedule_at: datetime | None = None
    next_retrain_allowed_at: datetime | None = None
    notices: tuple[Notice, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
