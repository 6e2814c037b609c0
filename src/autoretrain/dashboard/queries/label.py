"""What waits for a label, and how is one kept?"""

from datetime import UTC, datetime

from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction

LABEL_QUEUE = 10


def next_to_label(store: Store) -> list[Prediction]:
    return store.labels_to_ask(limit=LABEL_QUEUE, now=datetime.now(UTC))


def store_label(store: Store, prediction_id: str, label: Label) -> None:
    store.add_labels([audit_label(prediction_id, label)])


def audit_label(prediction_id: str, label: Label) -> NewLabel:
    return NewLabel(
        label=label,
        kind=LabelKind.AUDIT,
        source="dashboard",
        trusted=True,
        received_at=datetime.now(UTC),
        prediction_id=prediction_id,
    )
