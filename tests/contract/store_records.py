"""Records to put into a store. Whole minutes from NOON tell them apart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def prediction(number: int, **changes: object) -> Prediction:
    made = Prediction(
        prediction_id=f"p{number}",
        text=f"message {number}",
        label=Label.HAM,
        score=0.125,
        model_version="1",
        at=after(number),
    )
    return replace(made, **changes)


def drawn(number: int, **changes: object) -> Prediction:
    return prediction(number, audit_probability=0.25, **changes)


def new_label(prediction_id: str | None = None, **changes: object) -> NewLabel:
    made = NewLabel(
        label=Label.SPAM,
        kind=LabelKind.REPORT,
        source="app",
        trusted=True,
        received_at=after(60),
        prediction_id=prediction_id,
    )
    return replace(made, **changes)


def report(number: int, **changes: object) -> DriftReport:
    made = DriftReport(
        window_id=f"1:{number}",
        model_version="1",
        started_at=after(number),
        ended_at=after(number + 1),
        size=250,
        score=0.23,
        metrics=(MetricDrift(name="tfidf_drift", raw=0.4, median=0.2, upper=0.3, score=0.23),),
        new_spam_patterns=("parcel", "customs fee"),
    )
    return replace(made, **changes)
