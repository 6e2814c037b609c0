"""The SpamModel document as the core sees it: units in names, ratios as floats, defaults already applied.

The text of the contract is `manifests/crd.yaml`; `autoretrain.adapters.spammodel` turns a document into these records.
Defaults stand in the schema only, so that no record of its fields has one but for those that came later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class TriggerMode(StrEnum):
    ACT = "Act"
    ADVISE = "Advise"
    DISABLED = "Disabled"


class Approval(StrEnum):
    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class ExperimentMode(StrEnum):
    DISABLED = "Disabled"
    SHADOW = "Shadow"
    AB = "AB"


class DataFormat(StrEnum):
    TSV = "TSV"
    CSV = "CSV"
    JSONL = "JSONL"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object of an S3-compatible store. An empty `endpoint` is AWS, an empty `region` is the store's to choose."""

    bucket: str
    key: str
    endpoint: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """Where base data comes from. Exactly one of `url`, `path`, `s3` is set."""

    url: str | None
    path: str | None
    s3: StoredObject | None = None  # decisions that were recorded before there was one are replayed too
    sha256: str | None
    format: DataFormat
    text_field: str
    label_field: str
    label_map: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmSpec:
    name: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """`profile` is Word or WordAndCharacter."""

    profile: str
    seed: int
    algorithms: tuple[AlgorithmSpec, ...]
    active_deadline_seconds: int
    backoff_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSpec:
    mode: ExperimentMode
    version: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSpec:
    pinned_version: str
    experiment: ExperimentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringSpec:
    interval_seconds: int
    window_size: int
    min_samples: int
    max_age_seconds: int
    audit_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftTrigger:
    mode: TriggerMode
    threshold: float
    clear_threshold: float
    consecutive_breaches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceTrigger:
    mode: TriggerMode
    min_accuracy: float
    min_spam_recall: float
    min_f1: float | None
    min_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """`cron` has five fields or is a macro such as @weekly; empty means no schedule."""

    mode: TriggerMode
    cron: str
    time_zone: str
    starting_deadline_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggersSpec:
    drift: DriftTrigger
    performance: PerformanceTrigger
    schedule: ScheduleTrigger
    cooldown_seconds: int
    max_runs_per_day: int
    min_new_labels: int
    min_new_spam_labels: int
    breaker_max_consecutive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionSpec:
    """Gates of a candidate. The `min_evaluation_*` bounds apply to the recent rows."""

    approval: Approval
    min_accuracy: float
    min_f1: float
    min_accuracy_gain: float
    min_f1_gain: float
    max_accuracy_loss: float
    max_ham_false_positive_increase: float
    min_evaluation_rows: int
    min_evaluation_spam: int
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    duration_seconds: int
    min_messages: int
    max_duration_seconds: int
    max_spam_share: float
    max_spam_share_delta: float
    max_score_shift: float
    max_disagreement_delta: float
    max_error_ratio: float
    max_latency_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSpec:
    max_source_share: float
    retention_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSpec:
    on: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """`model` is provider and name of a chat model, as openai:NAME. What it advises starts a run in mode Act alone."""

    mode: TriggerMode
    model: str


NO_AGENT = AgentSpec(mode=TriggerMode.DISABLED, model="")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamModelSpec:
    suspend: bool
    data: DataSpec
    training: TrainingSpec
    serving: ServingSpec
    registered_model_name: str
    monitoring: MonitoringSpec
    triggers: TriggersSpec
    promotion: PromotionSpec
    guard: GuardSpec
    feedback: FeedbackSpec
    alerts: AlertsSpec
    agent: AgentSpec = NO_AGENT  # decisions that were recorded before there was one are replayed too


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Manual verbs, as changing tokens. Each is acted on once: when it differs from what status says was handled."""

    retrain: str = ""
    rollback: str = ""
    approve_version: str = ""
    promote_version: str = ""
    promote_token: str = ""
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamModel:
    """One resource. `generation` changes with the spec; `training_hash` with what a training run depends on."""

    name: str
    namespace: str
    uid: str
    generation: int
    training_hash: str
    spec: SpamModelSpec
    requests: Requests = Requests()

    @property
    def key(self) -> str:
        """The name under which the store, the metrics and the ledger keep this model: `<namespace>.<name>`."""
        return f"{self.namespace}.{self.name}"
