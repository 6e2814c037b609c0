"""What a training run is told, what it reports, and the paired comparison inside the report."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from autoretrain.domain.metrics import ClassificationMetrics

SUMMARY_SCHEMA_VERSION = 1
SUMMARY_MAX_BYTES = 4096
SCORE_BINS = 10


class ExitCode(IntEnum):
    """How a trainer process ends. BAD_INPUT must not be retried: the same input fails again."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 64
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Candidate and champion scored on the same rows. Positive gains favour the candidate.

    `fixed` rows are wrong in the champion and right in the candidate, `broken` the reverse. Three one-sided exact
    McNemar tests: `p_value` of "the candidate is better", `p_worse` of "it is worse", and `p_more_ham_flagged` of the
    latter on ham alone. `f1_gain_low` is the lower 95 % bound of the F1 gain,
    bootstrapped within the classes. `clusters` counts near-duplicate clusters; `rows` has at most three of each.
    `largest_cluster_share` is the largest cluster's share of the fixed rows.
    """

    rows: int
    spam_rows: int
    clusters: int
    candidate: ClassificationMetrics
    champion: ClassificationMetrics
    fixed: int
    broken: int
    p_value: float
    p_worse: float
    p_more_ham_flagged: float
    accuracy_gain: float
    f1_gain: float
    f1_gain_low: float
    ham_false_positive_increase: float
    largest_cluster_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLive:
    """What the candidate said about the recent unlabelled window: what the guard may expect of live traffic.

    `score_histogram` has SCORE_BINS equal bins over [0, 1] and sums to 1. `disagreement` is the share of messages
    that candidate and champion label differently.
    """

    messages: int
    spam_share: float
    score_histogram: tuple[float, ...]
    disagreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """The one JSON object that a run prints; the decision core needs nothing else of a run.

    `digest` names the plain artefact that serving loads. `label_cutoff` is the highest label sequence the run could
    see. `holdout` and `recent` are None without a champion; `recent` also when no trusted labels exist.
    `recent_newest_at` is the prediction time of the newest recent row, `restores_alpha_from` the label sequence from
    which on there are as many recent rows as restore the alpha of the test; None where there are not that many.
    """

    run_name: str
    run_id: str
    version: str
    digest: str
    algorithm: str
    profile: str
    data_hash: str
    training_rows: int
    label_cutoff: int
    seconds: float
    holdout_metrics: ClassificationMetrics
    champion_version: str | None
    champion_digest: str | None
    holdout: PairedComparison | None
    recent: PairedComparison | None
    recent_newest_at: datetime | None
    expected: ExpectedLive | None
    restores_alpha_from: int | None = None


class RunState(StrEnum):
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObservation:
    """The submitted run as seen now. `message` says why it failed; `retriable` is false for bad data or spec.

    While it is `queued` its deadline does not count; after that it counts from `began_at`, None meaning its submission.
    """

    run_name: str
    state: RunState
    summary: TrainingSummary | None = None
    message: str = ""
    retriable: bool = True
    queued: bool = False
    began_at: datetime | None = None
