"""What do requests and answers look like? The models behind validation and the OpenAPI text."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from autoretrain.domain.messages import Label
from autoretrain.serving.limits import (
    MAX_BATCH,
    MAX_DRIFT_MESSAGES,
    MAX_FEEDBACK,
    MAX_LABELS,
    MAX_MESSAGE_CHARACTERS,
)

EXAMPLE_SPAM = "Congratulations! You've won a $1000 prize. Call 0800 555 0199 now to claim."
EXAMPLE_ID = "5f0c8a4e9b7d4c1f8e2a6b3d0c9f7e15"


def _whole(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("half a surrogate pair is no text") from None
    return text


Message = Annotated[
    str,
    Field(min_length=1, max_length=MAX_MESSAGE_CHARACTERS, description="Text of one SMS.", examples=[EXAMPLE_SPAM]),
    AfterValidator(_whole),
]
Sender = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="Who sent the SMS, in any stable form. Only chooses the version in an A/B test; never stored.",
    ),
]
PredictionId = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$", examples=[EXAMPLE_ID])]


class Body(BaseModel):
    """A request body: a field that we don't know is an error, since it is most often a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class PredictRequest(Body):
    message: Message
    sender: Sender | None = None


class BatchRequest(Body):
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_BATCH, examples=[[EXAMPLE_SPAM]])]
    record: Annotated[
        bool,
        Field(description="False: answered by the champion alone, and neither stored nor counted: it is no traffic."),
    ] = True


class TopFeature(BaseModel):
    term: str
    weight: Annotated[float, Field(description="Share of the log-odds of spam.")]


class PredictResponse(BaseModel):
    prediction: Label
    confidence: Annotated[float, Field(ge=0, le=1, description="Calibrated probability of `prediction`.")]
    model_version: Annotated[str, Field(examples=["v3"])]
    timestamp: datetime
    top_features: Annotated[
        list[TopFeature] | None, Field(description="Why, strongest first; only where the prediction is spam.")
    ] = None
    prediction_id: PredictionId


class BatchResponse(BaseModel):
    predictions: list[PredictResponse]


def _without_null(schema: dict[str, Any]) -> None:
    """The OpenAPI text of a field that is there or is not; `null` names no message."""
    schema.update(schema.pop("anyOf")[0])
    schema.pop("default")


class Feedback(Body):
    """What a user says of one message; exactly one of `prediction_id` and `message` names it."""

    prediction_id: Annotated[PredictionId | None, Field(json_schema_extra=_without_null)] = None
    message: Annotated[Message | None, Field(json_schema_extra=_without_null)] = None
    label: Label

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"oneOf": [{"required": ["prediction_id"]}, {"required": ["message"]}]}
    )

    @model_validator(mode="after")
    def names_one_message(self) -> "Feedback":
        if (self.prediction_id is None) == (self.message is None):
            raise ValueError("exactly one of prediction_id and message is needed")
        return self


class FeedbackBatch(Body):
    feedback: Annotated[list[Feedback], Field(min_length=1, max_length=MAX_FEEDBACK)]


class FeedbackResponse(BaseModel):
    accepted: Annotated[int, Field(description="Labels that are on the disk now.")]
    source: Annotated[str, Field(description="Name behind the API key, or `anonymous`.")]
    trusted: Annotated[bool, Field(description="False: kept, and used for nothing until its source is approved.")]


class MessageToLabel(BaseModel):
    """A drawn message. What the model said of it is left out on purpose: it would sway the reader."""

    prediction_id: PredictionId
    message: str
    predicted_at: datetime
    model_version: str


class LabelsToGive(BaseModel):
    messages: list[MessageToLabel]


class AuditLabel(Body):
    prediction_id: PredictionId
    label: Label


class AuditLabels(Body):
    labels: Annotated[list[AuditLabel], Field(min_length=1, max_length=MAX_LABELS)]


class DriftRequest(Body):
    messages: Annotated[
        list[Message], Field(min_length=1, max_length=MAX_DRIFT_MESSAGES, description="The current window, any order.")
    ]


class MetricDriftBody(BaseModel):
    raw: Annotated[float, Field(description="In the metric's own unit.")]
    median: Annotated[float, Field(description="Of undrifted windows of this size.")]
    upper: Annotated[float, Field(description="Upper quantile of undrifted windows of this size.")]
    score: Annotated[float, Field(description="Calibrated: 0.15 is as rare as one undrifted window in 200.")]


class DriftResponse(BaseModel):
    vocabulary_drift: Annotated[float | None, Field(description="Calibrated score; null below min_samples.")]
    tfidf_drift: Annotated[float | None, Field(description="Calibrated score; null below min_samples.")]
    drift_score: Annotated[float | None, Field(description="What the threshold is compared with.")]
    drift_detected: Annotated[bool, Field(description="True only where the verdict is triggered.")]
    threshold: float
    verdict: Annotated[str, Field(examples=["triggered"], description="passed, triggered or inconclusive.")]
    reason: Annotated[str, Field(examples=["DriftThresholdExceeded"])]
    min_samples: int
    sample_size: int
    new_spam_patterns: Annotated[list[str], Field(description="Terms that drive the drift, never messages.")]
    recommendation: Annotated[str, Field(examples=["RETRAIN"], description="RETRAIN, NO_ACTION or ALERT.")]
    message: Annotated[str, Field(description="The recommendation in a sentence.")]
    regime: Annotated[str | None, Field(description="The reference set that fits best.")]
    model_version: str
    metrics: dict[str, MetricDriftBody]


class EstimateBody(BaseModel):
    value: float
    low: Annotated[float, Field(description="Lower end of the 95 % interval.")]
    high: Annotated[float, Field(description="Upper end of the 95 % interval.")]


class LivePerformance(BaseModel):
    accuracy: EstimateBody | None
    precision: EstimateBody | None
    recall: Annotated[EstimateBody | None, Field(description="Of spam; null where no label is spam.")]
    f1: Annotated[EstimateBody | None, Field(description="Of spam; null where no label is spam.")]
    labels: Annotated[int, Field(description="Audit labels behind these figures.")]
    pending: Annotated[int, Field(description="Drawn messages without a label yet.")]
    matured_ratio: float
    verdict: Annotated[str, Field(description="`measured`, or `inconclusive` without audit labels.")]
    reason: str | None = None


class VersionPerformance(BaseModel):
    model_version: str
    role: str
    live: LivePerformance
    training: Annotated[dict[str, Any], Field(description="What was measured when the version was trained.")]


class PerformanceResponse(VersionPerformance):
    measured_at: datetime
    window_seconds: Annotated[int, Field(description="Age of a prediction up to which it counts in `live`.")]
    experiment: VersionPerformance | None = None


class ExperimentBody(BaseModel):
    mode: str
    model_version: str
    version: str
    digest: str
    percent: int
    run_id: str | None
    loaded: bool


class CurrentModel(BaseModel):
    model: str
    model_version: str
    version: str
    digest: str
    run_id: str
    revision: int
    threshold: Annotated[float, Field(description="A spam probability of at least this is called spam.")]
    loaded_at: datetime
    metrics: Annotated[dict[str, Any], Field(description="Of the holdout, when the version was trained.")]
    card: Annotated[dict[str, Any], Field(description="All that training said of the version, its data source too.")]
    experiment: ExperimentBody | None = None


class Health(BaseModel):
    status: Annotated[str, Field(examples=["ok"])]
    model_version: str | None = None
    detail: str | None = None


class FieldError(BaseModel):
    path: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI request body of a route that reads its body by hand."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"required": True, "content": {"application/json": {"schema": schema}}}
