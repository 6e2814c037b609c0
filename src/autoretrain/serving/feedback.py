"""/feedback and /labels: what people say of messages. It is on the disk before the 2xx, or the answer is an error."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Protocol, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.exceptions import HTTPException

from autoretrain.domain.errors import UnknownPrediction
from autoretrain.domain.messages import LabelKind, NewLabel, Prediction
from autoretrain.serving.identity import Identity, Sender
from autoretrain.serving.limits import MAX_LABELS
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.problems import problem_responses
from autoretrain.serving.recorder import Recorder
from autoretrain.serving.schemas import (
    AuditLabels,
    Feedback,
    FeedbackBatch,
    FeedbackResponse,
    LabelsToGive,
    MessageToLabel,
)
from autoretrain.serving.store_calls import StoreCalls

T = TypeVar("T")
FLUSH_SECONDS = 2.0


class LabelStore(Protocol):
    """What feedback needs of the store."""

    def add_labels(self, labels: Sequence[NewLabel]) -> list[int]: ...

    def prediction(self, prediction_id: str) -> Prediction | None: ...

    def labels_to_ask(self, *, limit: int, now: datetime) -> list[Prediction]: ...


class LabelDesk:
    """Takes labels to the store and hands out what is to be labelled."""

    def __init__(
        self,
        store: LabelStore,
        calls: StoreCalls,
        recorder: Recorder,
        metrics: ServingMetrics,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._calls, self._recorder, self._metrics = store, calls, recorder, metrics
        self._now = now

    async def report(self, feedback: Sequence[Feedback], sender: Sender) -> FeedbackResponse:
        """Keep what users say; all of it or nothing."""
        labels = [
            NewLabel(
                label=one.label,
                kind=LabelKind.REPORT,
                source=sender.source,
                trusted=sender.trusted,
                received_at=self._now(),
                prediction_id=one.prediction_id,
                text=one.message,
            )
            for one in feedback
        ]
        return await self._keep(labels, sender)

    async def audit(self, given: AuditLabels, sender: Sender) -> FeedbackResponse:
        """Keep labels of the audit sample; one of a prediction that was not drawn is refused, and all with it."""
        ids = [label.prediction_id for label in given.labels]
        predictions = await self._calls.run(lambda: [self._find(name) for name in ids])
        for number, prediction in enumerate(predictions):
            if prediction.audit_probability is None:
                detail = f"labels[{number}].prediction_id: was not drawn for the audit; send it as feedback"
                raise HTTPException(409, detail)
        labels = [
            NewLabel(
                label=label.label,
                kind=LabelKind.AUDIT,
                source=sender.source,
                trusted=sender.trusted,
                received_at=self._now(),
                prediction_id=label.prediction_id,
            )
            for label in given.labels
        ]
        return await self._keep(labels, sender)

    async def next(self, limit: int) -> LabelsToGive:
        """The next messages to label; they are not handed out again for a while."""
        drawn = await self._calls.run(lambda: self._store.labels_to_ask(limit=limit, now=self._now()))
        messages = [
            MessageToLabel(
                prediction_id=one.prediction_id,
                message=one.text,
                predicted_at=one.at,
                model_version=f"v{one.model_version}",
            )
            for one in drawn
        ]
        return LabelsToGive(messages=messages)

    async def _keep(self, labels: Sequence[NewLabel], sender: Sender) -> FeedbackResponse:
        await self._calls.run(lambda: self._with_queue(lambda: self._store.add_labels(labels)))
        self._metrics.label_kept(sender.source, len(labels))
        return FeedbackResponse(accepted=len(labels), source=sender.source, trusted=sender.trusted)

    def _find(self, prediction_id: str) -> Prediction:
        def find() -> Prediction:
            prediction = self._store.prediction(prediction_id)
            if prediction is None:
                raise UnknownPrediction(prediction_id)
            return prediction

        return self._with_queue(find)

    def _with_queue(self, call: Callable[[], T]) -> T:
        """A client may answer faster than the writer writes: an unknown prediction may still be in the queue."""
        try:
            return call()
        except UnknownPrediction:
            if self._recorder.empty or not self._recorder.flush(FLUSH_SECONDS):
                raise
            return call()


def build_feedback_routes(desk: LabelDesk, identity: Identity) -> APIRouter:
    router = APIRouter()
    Reporter = Annotated[Sender, Depends(identity.reporter)]  # noqa: N806 - a type
    Labeller = Annotated[Sender, Depends(identity.labeller)]  # noqa: N806 - a type
    unkept = problem_responses(401, 404, 413, 422, 429, 503)

    @router.post("/feedback", tags=["feedback"], status_code=201, responses=unkept)
    async def feedback(body: Feedback, sender: Reporter) -> FeedbackResponse:
        """Say what a message really is. Kept on the disk before this answers; used only from trusted sources."""
        return await desk.report([body], sender)

    @router.post("/feedback/batch", tags=["feedback"], status_code=201, responses=unkept)
    async def feedback_batch(body: FeedbackBatch, sender: Reporter) -> FeedbackResponse:
        """The same for many messages: all are kept or none."""
        return await desk.report(body.feedback, sender)

    @router.get("/labels/next", tags=["labels"], responses=problem_responses(401, 403, 422, 429, 503))
    async def labels_next(_sender: Labeller, limit: Annotated[int, Query(ge=1, le=MAX_LABELS)] = 20) -> LabelsToGive:
        """Messages drawn at random for labelling, without what the model said of them."""
        return await desk.next(limit)

    @router.post("/labels", tags=["labels"], status_code=201, responses=unkept | problem_responses(403, 409))
    async def labels(body: AuditLabels, sender: Labeller) -> FeedbackResponse:
        """Labels of drawn messages: live accuracy is measured by these alone."""
        return await desk.audit(body, sender)

    return router
