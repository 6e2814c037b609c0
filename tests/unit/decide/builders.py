"""One quiet, fully observed world, and `but` to change a single field of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.metrics import ClassificationMetrics, Estimate
from autoretrain.domain.observation import (
    GuardEvidence,
    LabelSupply,
    LabelWindow,
    Observation,
    Performance,
    RegistryVersion,
    Served,
)
from autoretrain.domain.spec import (
    SpamModel,
    SpamModelSpec,
    TriggerMode,
)
from autoretrain.domain.status import ActiveRun, GuardState, ModelRef, Status
from autoretrain.domain.training import ExpectedLive, PairedComparison, TrainingSummary
from tests.default_spec import default_spec

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""


def but(record: T, **changes: Any) -> T:
    """Return `record` with fields changed; `a__b` is field b of field a."""
    for path, value in changes.items():
        name, _, rest = path.partition("__")
        record = replace(record, **{name: but(getattr(record, name), **{rest: value}) if rest else value})  # type: ignore[type-var]
    return record


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def spec() -> SpamModelSpec:
    """The defaults, but that no schedule comes due."""
    return but(default_spec(), triggers__schedule__mode=TriggerMode.DISABLED)


def model() -> SpamModel:
    return SpamModel(
        name="sms-spam", namespace="default", uid="uid-1", generation=1, training_hash="hash-1", spec=spec()
    )


def ref(version: str) -> ModelRef:
    return ModelRef(version=version, digest=f"digest-{version}", run_id=f"run-{version}")


def served(version: str | None, *, ready: bool = True) -> Served:
    return Served(version=version, digest=f"digest-{version}" if version else None, ready=ready and version is not None)


def registered(version: str, alias: str = "") -> RegistryVersion:
    return RegistryVersion(version=version, digest=f"digest-{version}", alias=alias, run_id=f"run-{version}")


def window(number: int, score: float, **changes: Any) -> DriftReport:
    """The `number`-th window of the champion; the last of a few has just ended."""
    report = DriftReport(
        window_id=f"w{number}",
        model_version="3",
        started_at=NOW - minutes(30),
        ended_at=NOW - minutes(1),
        size=500,
        score=score,
        metrics=(MetricDrift(name="vocabulary_drift", raw=0.8, median=0.75, upper=0.85, score=score),),
    )
    return but(report, **changes)


def estimate(value: float, margin: float = 0.02) -> Estimate:
    return Estimate(value=value, low=value - margin, high=value + margin)


def label_window(accuracy: float = 0.98, *, labels: int = 200, margin: float = 0.01) -> LabelWindow:
    return LabelWindow(
        started_at=NOW - minutes(30),
        labels=labels,
        accuracy=estimate(accuracy, margin),
        spam_recall=estimate(0.93),
        f1=estimate(0.94),
    )


def performance(overall: LabelWindow | None = None, *, windows: tuple[LabelWindow, ...] = ()) -> Performance:
    overall = overall or label_window()
    return Performance(
        model_version="3",
        labels=overall.labels,
        overall=overall,
        windows=windows,
        precision=estimate(0.95),
        matured_ratio=0.9,
    )


def metrics(accuracy: float = 0.985, f1: float = 0.95) -> ClassificationMetrics:
    return ClassificationMetrics(
        rows=1000, spam_rows=130, accuracy=accuracy, precision=0.97, recall=0.93, f1=f1, false_positive_rate=0.004
    )


def comparison(**changes: Any) -> PairedComparison:
    """A candidate that fixed a wave."""
    paired = PairedComparison(
        rows=200,
        spam_rows=40,
        clusters=180,
        candidate=metrics(0.97),
        champion=metrics(0.91),
        fixed=13,
        broken=1,
        p_value=0.0009,
        p_worse=0.9999,
        p_more_ham_flagged=0.75,
        accuracy_gain=0.06,
        f1_gain=0.1,
        f1_gain_low=0.03,
        ham_false_positive_increase=0.0,
        largest_cluster_share=0.2,
    )
    return but(paired, **changes)


def expected() -> ExpectedLive:
    return ExpectedLive(
        messages=500, spam_share=0.13, score_histogram=(0.8, 0, 0, 0, 0.05, 0.02, 0, 0, 0, 0.13), disagreement=0.05
    )


def summary(version: str = "4", **changes: Any) -> TrainingSummary:
    """Version 4 against champion 3, better on the recent rows and no worse on the holdout."""
    made = TrainingSummary(
        run_name=run().name,
        run_id=f"run-{version}",
        version=version,
        digest=f"digest-{version}",
        algorithm="LinearSVM",
        profile="Word",
        data_hash="data",
        training_rows=4000,
        label_cutoff=500,
        seconds=12.0,
        holdout_metrics=metrics(),
        champion_version="3",
        champion_digest="digest-3",
        holdout=comparison(rows=1000, accuracy_gain=0.001, ham_false_positive_increase=0.0),
        recent=comparison(),
        recent_newest_at=NOW - minutes(10),
        expected=expected(),
    )
    return but(made, **changes)


def run(ordinal: int = 2, **changes: Any) -> ActiveRun:
    active = ActiveRun(
        name=f"sms-spam-train-{ordinal}",
        ordinal=ordinal,
        trigger="drift",
        started_at=NOW - minutes(1),
        label_cutoff=500,
        training_hash="hash-1",
    )
    return but(active, **changes)


def guard_state(version: str = "3", *, age: float = 10) -> GuardState:
    return GuardState(version=version, started_at=NOW - minutes(age), expected=expected())


def guard_evidence(messages: int = 800, **changes: Any) -> GuardEvidence:
    """A champion that does what it promised."""
    evidence = GuardEvidence(
        model_version="3",
        messages=messages,
        spam_share=estimate(0.14),
        score_shift=0.01,
        disagreement=estimate(0.05, 0.01),
        golden_ham_flagged=0.01,
        golden_ham_expected=0.01,
        error_ratio=0.0,
        latency_ratio=1.1,
        audit=label_window(),
    )
    return but(evidence, **changes)


def status() -> Status:
    """Champion 3 since an hour, version 2 before it, one run so far."""
    return Status(
        observed_generation=1,
        champion=replace(ref("3"), promoted_at=NOW - minutes(60)),
        previous=ref("2"),
        run_ordinal=1,
        trained_hash="hash-1",
        trained_cutoff=300,
    )


def quiet() -> Observation:
    """Everything could be read and nothing asks for anything."""
    return Observation(
        now=NOW,
        model=model(),
        status=status(),
        served=served("3"),
        drift=(window(1, 0.02), window(2, 0.03)),
        pending_messages=37,
        performance=performance(),
        supply=LabelSupply(new_labels=250, new_spam_labels=40, highest_sequence=550),
        run=None,
        guard=None,
        registry=(registered("2", "previous"), registered("3", "champion")),
    )


def drifted() -> Observation:
    return but(quiet(), drift=(window(1, 0.4), window(2, 0.5)))
