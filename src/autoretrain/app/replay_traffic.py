"""How do messages and their labels get into a store when nobody sends them? As serving would have put them there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.ml.audit import draw_for_audit
from autoretrain.ml.linear import LinearModel

REPORTERS: Final = 10
"""Reports come from so many sources in turn: one alone would be capped by spec.feedback.maxSourceShare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message as it arrives at `at`; `prediction_id` also decides, with the seed, whether it is audited."""

    prediction_id: str
    text: str
    at: datetime


def answer(
    store: Store,
    messages: Sequence[Incoming],
    *,
    served: tuple[str, LinearModel],
    audit_rate: float,
    seed: int,
    audited: Sequence[float | None] | None = None,
) -> list[Prediction]:
    """Score `messages` by the served version, draw the audit sample as serving does, and keep the predictions.

    `audited` are inclusion probabilities of a sample that was drawn already, None for what is not in it; then none is
    drawn here.
    """
    version, model = served
    predictions = []
    for number, (message, score) in enumerate(zip(messages, model.scores([m.text for m in messages]), strict=True)):
        label, confidence = model.label_of(score)
        if audited is not None:
            probability = audited[number]
        else:
            probability = draw_for_audit(
                message.prediction_id, label, confidence=confidence, rate=audit_rate, seed=seed
            )
        predictions.append(
            Prediction(
                prediction_id=message.prediction_id,
                text=message.text,
                label=label,
                score=score,
                model_version=version,
                at=message.at,
                audit_probability=probability,
            )
        )
    store.add_predictions(predictions)
    return predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The label of an answered message: audited, where it is in the sample, and a report, where a user sends one."""

    prediction_id: str
    label: Label
    audited: bool
    reported: bool
    number: int


def deliver(store: Store, truths: Sequence[Truth], *, received_at: datetime) -> int:
    """Let labels arrive; return how many those are. `number` picks the reporter."""
    labels = []
    for truth in truths:
        kinds = [(LabelKind.AUDIT, "audit")] if truth.audited else []
        kinds += [(LabelKind.REPORT, f"reporter-{truth.number % REPORTERS}")] if truth.reported else []
        labels += [
            NewLabel(
                label=truth.label,
                kind=kind,
                source=source,
                trusted=True,
                received_at=received_at,
                prediction_id=truth.prediction_id,
            )
            for kind, source in kinds
        ]
    store.add_labels(labels)
    return len(labels)
