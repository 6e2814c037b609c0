"""What did a person ask for by hand? Rollback, forced promotion, approval; each token is acted on once.

A request for a run is a trigger like the others and is obeyed there (`triggers.manual`).
"""

from dataclasses import replace

from autoretrain.decide.adoption import find_version
from autoretrain.decide.rollout import promote, roll_back
from autoretrain.decide.step import Step
from autoretrain.decide.triggers import asked_by
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import CandidateState, ModelRef, Status


def obey_requests(observation: Observation) -> Step | None:
    """Obey the first request that was not handled yet. Bringing back what worked goes before anything new."""
    requests, handled = observation.model.requests, observation.status.handled
    if requests.rollback and requests.rollback != handled.rollback:
        return _roll_back(observation)
    if requests.promote_version and promotion_token(observation) != handled.promote:
        return _promote(observation)
    if requests.approve_version and requests.approve_version != handled.approve:
        return _approve(observation)
    return None


def promotion_token(observation: Observation) -> str:
    requests = observation.model.requests
    return requests.promote_token or requests.promote_version


def is_waiting(candidate: CandidateState | None) -> bool:
    """May this candidate still be approved?"""
    return candidate is not None and candidate.decision == Decision.HOLD and candidate.expires_at is not None


def candidate_reference(candidate: CandidateState) -> ModelRef:
    summary = candidate.summary
    return ModelRef(
        version=summary.version, digest=summary.digest, run_id=summary.run_id, metrics=summary.holdout_metrics
    )


def _roll_back(observation: Observation) -> Step:
    status = observation.status
    if status.rollout is not None and status.rollout.rollback:
        message = f"version {status.rollout.to.version} is on its way back already"
        step = _answer(status, Reason.ROLLBACK_REQUESTED, message, decision=Decision.NO_ACTION)
    else:
        step = roll_back(observation, reason=Reason.ROLLBACK_REQUESTED, message=asked_by(observation))
    token = observation.model.requests.rollback
    return replace(step, status=replace(step.status, handled=replace(step.status.handled, rollback=token)))


def _promote(observation: Observation) -> Step | None:
    """Go round the gates, not round the guard. A version that was rolled back is taken out of quarantine by this."""
    status, version = observation.status, observation.model.requests.promote_version
    handled = replace(status, handled=replace(status.handled, promote=promotion_token(observation)))
    pinned = observation.model.spec.serving.pinned_version
    if pinned and pinned != version:
        return _answer(handled, Reason.PINNED, f"version {pinned} is pinned; version {version} was not promoted")
    if status.rollout is None and status.champion is not None and status.champion.version == version:
        message = f"version {version} is the champion already"
        return _answer(handled, Reason.FORCED, message, decision=Decision.NO_ACTION)
    if observation.registry is None:
        return None
    found = find_version(observation.registry, version)
    if found is None:
        return _answer(handled, Reason.VERSION_UNKNOWN, f"the registry has no version {version}")
    candidate = status.candidate
    expected = None
    if candidate is not None and candidate.summary.digest == found.digest:
        found, expected = candidate_reference(candidate), candidate.summary.expected
    released = tuple(digest for digest in status.quarantined if digest != found.digest)
    after, deploy = promote(
        replace(handled, quarantined=released),
        found,
        reason=Reason.FORCED,
        now=observation.now,
        expected=expected,
    )
    return Step(
        decision=Decision.PROMOTE,
        reason=Reason.FORCED,
        message=f"version {version}, round the comparison, {asked_by(observation)}",
        status=after,
        actions=(deploy,),
    )


def _approve(observation: Observation) -> Step:
    status, version = observation.status, observation.model.requests.approve_version
    handled = replace(status, handled=replace(status.handled, approve=version))
    candidate, pinned = status.candidate, observation.model.spec.serving.pinned_version
    if pinned and pinned != version:
        return _answer(handled, Reason.PINNED, f"version {pinned} is pinned; version {version} was not promoted")
    if candidate is None or not is_waiting(candidate) or candidate.summary.version != version:
        return _answer(handled, Reason.VERSION_UNKNOWN, f"version {version} does not wait for an approval")
    if candidate.expires_at is not None and candidate.expires_at <= observation.now:
        return _answer(handled, Reason.APPROVAL_LAPSED, f"the offer of version {version} has lapsed; retrain")
    after, deploy = promote(
        handled,
        candidate_reference(candidate),
        reason=Reason.APPROVED,
        now=observation.now,
        expected=candidate.summary.expected,
    )
    return Step(
        decision=Decision.PROMOTE,
        reason=Reason.APPROVED,
        message=f"version {version} was approved, {asked_by(observation)}",
        status=after,
        actions=(deploy,),
    )


def _answer(status: Status, reason: Reason, message: str, *, decision: Decision = Decision.ALERT) -> Step:
    return Step(decision=decision, reason=reason, message=message, status=status)
