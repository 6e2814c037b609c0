"""Any evidence that a controller could be told, for hypothesis: what of it nobody reads stays with the monitor."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from autoretrain.adapters.evidence_metrics import MAX_WINDOWS, Evidence
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import GuardEvidence, LabelSupply, LabelWindow, Performance

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
moments = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)).map(lambda passed: BEGIN + passed)
ratios = st.floats(0, 1)
counts = st.integers(0, 2**50)
maybe_ratios = st.none() | ratios
estimates = st.builds(Estimate, value=ratios, low=ratios, high=ratios)
maybe_estimates = st.none() | estimates
names = st.text('abcdefghijklmnopqrstuvwxyz_-0123456789"\\\n', min_size=1, max_size=12)

label_windows = st.builds(
    LabelWindow, started_at=moments, labels=counts, accuracy=estimates, spam_recall=maybe_estimates, f1=maybe_estimates
)
metrics = st.builds(
    lambda name, score: MetricDrift(name=name, raw=score, median=0.0, upper=0.15, score=score), names, ratios
)
reports = st.builds(
    DriftReport,
    window_id=names,
    model_version=st.just("7"),
    started_at=moments,
    ended_at=moments,
    size=counts,
    score=ratios,
    metrics=st.lists(metrics, max_size=4, unique_by=lambda metric: metric.name).map(
        lambda found: tuple(sorted(found, key=lambda metric: metric.name))
    ),
    regime=names,
    prior_shift=st.booleans(),
    accumulated=ratios,
)
performances = st.builds(
    Performance,
    model_version=st.just("7"),
    labels=counts,
    overall=st.none() | label_windows,
    windows=st.lists(label_windows, max_size=2).map(tuple),
    precision=maybe_estimates,
    matured_ratio=ratios,
)
supplies = st.builds(
    LabelSupply,
    new_labels=counts,
    new_spam_labels=counts,
    highest_sequence=counts,
    changed_at=st.none() | moments,
    labels_since_change=counts,
    spam_labels_since_change=counts,
)
guards = st.builds(
    GuardEvidence,
    model_version=st.just("7"),
    messages=counts,
    spam_share=maybe_estimates,
    score_shift=maybe_ratios,
    disagreement=maybe_estimates,
    golden_ham_flagged=maybe_ratios,
    golden_ham_expected=maybe_ratios,
    error_ratio=maybe_ratios,
    latency_ratio=maybe_ratios,
    requests=st.none() | counts,
    audit=st.none() | label_windows,
    audit_previous=st.none() | label_windows,
)


def in_order(found: list[DriftReport]) -> tuple[DriftReport, ...]:
    """Windows follow one another, and only the newest tells of its metrics."""
    steps = [
        replace(
            report,
            started_at=BEGIN + timedelta(hours=number),
            ended_at=BEGIN + timedelta(hours=number, minutes=9),
            metrics=report.metrics if number == len(found) - 1 else (),
        )
        for number, report in enumerate(found)
    ]
    return tuple(steps)


evidences = st.builds(
    Evidence,
    model_version=st.just("7"),
    measured_at=moments,
    drift=st.lists(reports, max_size=MAX_WINDOWS, unique_by=lambda report: report.window_id).map(in_order),
    pending_messages=counts,
    performance=st.none() | performances,
    supply=st.none() | supplies,
    guard=st.none() | guards,
)
