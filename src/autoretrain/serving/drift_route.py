"""POST /drift/calculate: has this window drifted from what the champion knows? Measured by a process of its own."""

from datetime import UTC, datetime
from uuid import uuid4

from fastapi import APIRouter, Response

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.plan import Decision, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.serving.dataplane import DataPlane
from autoretrain.serving.drift_worker import DriftWorker
from autoretrain.serving.problems import problem_responses
from autoretrain.serving.schemas import DriftRequest, DriftResponse, MetricDriftBody


def judge(report: DriftReport, *, threshold: float, min_samples: int) -> tuple[Verdict, Reason, Decision, str]:
    """Verdict, reason, recommendation and the recommendation in a sentence, for this window alone."""
    if report.size < min_samples:
        message = f"{report.size} messages are too few to judge; {min_samples} are needed"
        return Verdict.INCONCLUSIVE, Reason.WINDOW_TOO_SMALL, Decision.NO_ACTION, message
    comparison = f"drift {report.score:.2f} {'>' if report.score > threshold else '<='} {threshold:.2f}"
    if report.score > threshold:
        message = f"{comparison}: messages have changed; retrain as soon as new labels are there"
        return Verdict.TRIGGERED, Reason.DRIFT_THRESHOLD_EXCEEDED, Decision.RETRAIN, message
    if report.prior_shift:
        message = f"{comparison}: only the share of spam moved; look at the decision threshold instead of retraining"
        return Verdict.PASSED, Reason.PRIOR_SHIFT, Decision.ALERT, message
    return Verdict.PASSED, Reason.DRIFT_BELOW_THRESHOLD, Decision.NO_ACTION, f"{comparison}: nothing to do"


def render_report(report: DriftReport, *, threshold: float, min_samples: int) -> DriftResponse:
    """The answer's body. A window below `min_samples` has no scores: they would be read as if they meant something."""
    verdict, reason, recommendation, message = judge(report, threshold=threshold, min_samples=min_samples)
    conclusive = verdict is not Verdict.INCONCLUSIVE
    scores = {metric.name: metric.score for metric in report.metrics} if conclusive else {}
    return DriftResponse(
        vocabulary_drift=scores.get("vocabulary_drift"),
        tfidf_drift=scores.get("tfidf_drift"),
        drift_score=report.score if conclusive else None,
        drift_detected=verdict is Verdict.TRIGGERED,
        threshold=threshold,
        verdict=verdict.value,
        reason=reason.value,
        min_samples=min_samples,
        sample_size=report.size,
        new_spam_patterns=list(report.new_spam_patterns),
        recommendation=recommendation.value,
        message=message,
        regime=report.regime,
        model_version=f"v{report.model_version}",
        metrics={
            metric.name: MetricDriftBody(raw=metric.raw, median=metric.median, upper=metric.upper, score=metric.score)
            for metric in report.metrics
        },
    )


def build_drift_routes(plane: DataPlane, worker: DriftWorker, *, threshold: float, min_samples: int) -> APIRouter:
    router = APIRouter(tags=["drift"])

    @router.post("/drift/calculate", responses=problem_responses(413, 422, 429, 501, 503, 504))
    async def calculate(body: DriftRequest, response: Response) -> DriftResponse:
        """Compare a window of messages with what the champion was made for; nothing of it is kept."""
        champion = plane.lineup.champion
        report = await worker.evaluate(
            champion, body.messages, window_id=f"request-{uuid4().hex}", at=datetime.now(UTC)
        )
        response.headers.update(champion.headers)
        return render_report(report, threshold=threshold, min_samples=min_samples)

    return router
