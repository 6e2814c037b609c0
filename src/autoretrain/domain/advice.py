"""What an adviser is shown of a model and what it says: aggregates and names of our own, never a message's text.

An adviser is a chat model (`adapters.chat_model`). Its advice is evidence of the weakest kind: the rules decide whether
anything comes of it (`decide.advice`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from autoretrain.domain.metrics import ClassificationMetrics, Estimate
from autoretrain.domain.training import PairedComparison


class AdviceChoice(StrEnum):
    """What an adviser may propose; the same words as decisions."""

    RETRAIN = "RETRAIN"
    NO_ACTION = "NO_ACTION"
    ALERT = "ALERT"


class AdviceOutcome(StrEnum):
    """How asking ended. With anything but ANSWERED the rules decide alone."""

    ANSWERED = "Answered"
    UNREACHABLE = "Unreachable"
    TOO_SLOW = "TooSlow"
    REFUSED = "Refused"
    MALFORMED = "Malformed"
    OVER_BUDGET = "OverBudget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One answer, or why there is none; `sequence` is the store's.

    `at` is when it was given, `situation_at` of when the figures are that it was given on: its age counts from these.
    `choice` is None unless `outcome` is ANSWERED. `findings` (names of checks) and `decisions` (ledger sequences) are
    what it rests on, as far as they exist. `rules` is what the rules decided on the same situation, `allowed` whether
    they would have let `choice` happen. `calls` counts the requests to the chat model; `cost` is in dollars, None where
    the model's prices are not known.
    """

    at: datetime
    situation_id: str
    situation_at: datetime
    outcome: AdviceOutcome
    choice: AdviceChoice | None
    reason: str
    rules: str
    allowed: bool
    chat_model: str
    prompt_version: str
    findings: tuple[str, ...] = ()
    decisions: tuple[int, ...] = ()
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceTotals:
    """Sums over advice. Of the `answered`, `compared` met a decision of the rules that an adviser may give too.

    `agreed` of these were the same, `illegal` of the answered proposed what the rules did not allow.
    """

    asked: int
    answered: int
    compared: int
    agreed: int
    illegal: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float


# What is shown. Every text in these is a word of our own (a check, a verdict, a reason, a decision) or the digits of a
# version, so that nobody who sends a message, reports a label, asks for a run or tags a version can write into them.


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFigures:
    """A finding without its sentence. `value comparison threshold` is what would trigger."""

    check: str
    verdict: str
    reason: str
    value: float | None
    threshold: float | None
    comparison: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFigures:
    """One window of the champion. `metrics_above` of its `metrics` are above the threshold by themselves."""

    ended_at: datetime
    messages: int
    score: float
    accumulated: float
    prior_shift: bool
    metrics: int
    metrics_above: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFigures:
    """Live quality by audit labels; `matured_ratio` is the share of audited predictions that have their label."""

    labels: int
    matured_ratio: float
    accuracy: Estimate | None
    spam_recall: Estimate | None
    f1: Estimate | None
    accuracy_by_window: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """Trusted labels since the last run, and how many a run for drift or quality needs."""

    new: int
    new_spam: int
    needed: int
    needed_spam: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFigures:
    """Where the loop stands. `guard` is '' where nothing was guarded, else Active, Passed, Unproven or Breached."""

    champion: str
    promoted_at: datetime | None
    suspended: bool
    run_active: bool
    rollout_active: bool
    guard: str
    breaker_open: bool
    failures: int
    rejections: int
    runs_today: int
    max_runs_per_day: int
    retrain_allowed_at: datetime | None
    next_schedule_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFigures:
    """The last judged candidate beside the champion, on the frozen holdout and on recent rows."""

    version: str
    decision: str
    reason: str
    decided_at: datetime
    holdout: PairedComparison | None
    recent: PairedComparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFigures:
    """A registered version in a role; `metrics` are those of its training."""

    role: str
    version: str
    metrics: ClassificationMetrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFigures:
    """A recorded decision; `version` is the one it is about, '' where it is about none."""

    sequence: int
    at: datetime
    decision: str
    reason: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that an adviser sees. `allowed` is what it may propose now, `held_by` what keeps a run from starting.

    `decisions` are the last ones before this situation, oldest first, `windows` the champion's last.
    """

    situation_id: str
    at: datetime
    allowed: tuple[AdviceChoice, ...]
    held_by: tuple[str, ...]
    findings: tuple[FindingFigures, ...]
    state: StateFigures
    drift_threshold: float
    windows: tuple[WindowFigures, ...]
    quality: QualityFigures | None
    labels: LabelFigures | None
    candidate: CandidateFigures | None
    versions: tuple[VersionFigures, ...]
    decisions: tuple[DecisionFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceQuestion:
    """What the controller brings to the agent's Pod. `rules` is what they decided alone, which no model is shown."""

    situation: Situation
    rules: AdviceChoice
