"""What a message and its label are, and how far a label is trusted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Label(StrEnum):
    HAM = "ham"
    SPAM = "spam"


class LabelKind(StrEnum):
    """Where a label came from; it decides what the label may be used for.

    AUDIT labels are a random sample of predictions with a known inclusion probability: they measure. REPORT labels
    are what users chose to tell us: they train, and never measure. IMPORT labels come from a file of the operator's.
    """

    AUDIT = "audit"
    REPORT = "report"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledMessage:
    """One message with its label, as training and evaluation see it.

    `predicted_at` is when the message was scored in traffic (UTC); None for base data. `sequence` is the label's
    number in the store, ascending in the order of arrival; None for base data.
    """

    text: str
    label: Label
    predicted_at: datetime | None = None
    source: str = "base"
    kind: LabelKind | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One answered message. `score` is the calibrated probability of spam in [0, 1]; `at` is UTC.

    `role` is "champion", or "candidate" for the second version of an experiment; only the champion's predictions
    make windows. `audit_probability` is the chance with which this message was drawn for the labelling queue, None
    if it was not drawn. `other_score` is the score of a second version that saw the same message in the shadow.
    """

    prediction_id: str
    text: str
    label: Label
    score: float
    model_version: str
    at: datetime
    role: str = "champion"
    audit_probability: float | None = None
    other_version: str | None = None
    other_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedPrediction:
    """A prediction of the audit sample with its true label; `probability` is its inclusion probability, in (0, 1]."""

    text: str
    predicted: Label
    label: Label
    probability: float
    model_version: str
    predicted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """A label that has just arrived. Exactly one of `prediction_id` and `text` names the message.

    `source` is the configured name of who sent it, never a client's text; `trusted` is false for anonymous reports,
    which neither train nor evaluate until their source is approved.
    """

    label: Label
    kind: LabelKind
    source: str
    trusted: bool
    received_at: datetime
    prediction_id: str | None = None
    text: str | None = None
    predicted_at: datetime | None = None
