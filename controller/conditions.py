"""What do conditions say beyond what the core derives? The conflicts and troubles that only a cluster has."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from autoretrain.decide.conditions import find_condition, set_condition
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Condition, Status
from controller.apply import KindNotInstalled, NameTaken, NotKept
from controller.cluster import Object
from controller.gather import Seen
from controller.requests import ADOPTS
from controller.upgrades import UpgradeWaits

LONGEST_MESSAGE: Final = 500
ADOPTING: Final = f"the annotation {ADOPTS}=yes"


class ClusterReason(StrEnum):
    """Reasons of conditions and events that the core does not know."""

    NAME_CONFLICT = "NameConflict"
    KIND_NOT_INSTALLED = "KindNotInstalled"
    NOT_ALLOWED = "NotAllowed"
    APPLY_FAILED = "ApplyFailed"
    UPGRADE_WAITING = "UpgradeWaiting"


def overlay(seen: Seen, status: Status, troubles: Sequence[AutoRetrainError] = ()) -> Status:
    """Return `status` with what stands in the way on this cluster. Texts are stable, so that a steady pass is one."""
    if conflicts := _said(troubles, NameTaken):
        status = _set(seen, status, "Stalled", ClusterReason.NAME_CONFLICT, conflicts)
    elif missing := _said(troubles, KindNotInstalled):
        status = _set(seen, status, "Stalled", ClusterReason.KIND_NOT_INSTALLED, missing)
    elif seen.registry_refusal:
        status = _set(seen, status, "Stalled", ClusterReason.NOT_ALLOWED, seen.registry_refusal)
    elif seen.registry_owner:
        said = f"the registered model belongs to {seen.registry_owner}; {ADOPTING} takes it over"
        status = _set(seen, status, "Stalled", Reason.REGISTRY_OWNED, said)
    if failure := _said(troubles, NotKept):
        status = _set(seen, status, "Degraded", ClusterReason.APPLY_FAILED, failure)
    ready = find_condition(status, "Ready")
    if ready is not None and ready.status and (waits := _said(troubles, UpgradeWaits)):
        said = f"{ready.message}; what the operator changed for every model is not rolled out here {waits}"
        status = _with(status, replace(ready, reason=ClusterReason.UPGRADE_WAITING, message=said[:LONGEST_MESSAGE]))
    status = _explain(status, "Ready", seen.registry_problem)
    # Beside a champion the registry is asked only for a run, and Ready says nothing of it.
    status = _explain(status, "Retraining", seen.registry_problem)
    status = _explain(status, "MetricsAvailable", seen.evidence_problem)
    status = _explain(status, "ServingAvailable", seen.serving_trouble)
    status = _explain(status, "AgentAvailable", seen.agent_trouble)
    run = seen.observation.run
    return _explain(status, "Retraining", run.message if run else "", when=True)


def waits_for_upgrade(document: Object) -> bool:
    """Does the resource say of itself that an upgrade has not reached it?"""
    conditions = (document.get("status") or {}).get("conditions", ())
    return any(each["reason"] == ClusterReason.UPGRADE_WAITING for each in conditions)


def _said(troubles: Sequence[AutoRetrainError], kind: type[AutoRetrainError]) -> str:
    return "; ".join(str(trouble) for trouble in troubles if isinstance(trouble, kind))


def _set(seen: Seen, status: Status, kind: str, reason: str, message: str) -> Status:
    observation = seen.observation
    condition = set_condition(
        observation.status,
        kind,
        answer=(True, reason, message[:LONGEST_MESSAGE]),
        generation=observation.model.generation,
        now=observation.now,
    )
    return _with(status, condition)


def _explain(status: Status, kind: str, cause: str, *, when: bool = False) -> Status:
    """Add the cause to the message of a condition that has the value `when`."""
    condition = find_condition(status, kind)
    if not cause or condition is None or condition.status is not when:
        return status
    return _with(status, replace(condition, message=f"{condition.message}: {cause}"[:LONGEST_MESSAGE]))


def _with(status: Status, condition: Condition) -> Status:
    """Return `status` with the condition in the place of its type's."""
    kinds = [each.type for each in status.conditions]
    others = list(status.conditions)
    if condition.type in kinds:
        others[kinds.index(condition.type)] = condition
    else:
        others.append(condition)
    return replace(status, conditions=tuple(others))
