"""Which transitions are worth an alert? Read off the status before and after, so that nothing is told twice.

After a pass that failed, or was repeated, the statuses tell by themselves what changed and what did not.
"""

from autoretrain.decide.conditions import find_condition
from autoretrain.domain.plan import Alert, Decision
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import HistoryEntry, Status

_EVENT_OF_DECISION = {
    Decision.RETRAIN: "Retraining",
    Decision.HOLD: "Held",
    Decision.REJECT: "Rejected",
    Decision.ROLLBACK: "RolledBack",
}
_TITLES = {
    "Retraining": "a training run started",
    "Promoted": "a new champion is served",
    "Held": "a candidate or request waits",
    "Rejected": "a candidate was rejected",
    "RolledBack": "the previous version is put back",
    "Degraded": "degraded",
    "DriftDetected": "drift detected",
    "PerformanceLow": "live quality is low",
    "NoNewData": "new labels are needed",
}
_REFUSALS = frozenset({Reason.PINNED, Reason.VERSION_UNKNOWN, Reason.APPROVAL_LAPSED})


def alerts_between(before: Status, after: Status, *, model_key: str, on: frozenset[str]) -> tuple[Alert, ...]:
    """Return an alert for each transition from `before` to `after` whose event is in `on`, at most one an event."""
    found: dict[str, str] = {}
    known = {notice.event for notice in before.notices}
    for notice in after.notices:
        if notice.event not in known:
            found[notice.event] = f"{notice.reason}: {notice.message}"
    for entry in after.history[-1:]:
        if entry not in before.history and (event := _event(entry, after)):
            found[event] = f"{entry.reason}: {entry.message}"
    for kind in ("DriftDetected", "Degraded"):
        was, now = find_condition(before, kind), find_condition(after, kind)
        if now is not None and now.status and not (was is not None and was.status):
            found.setdefault(kind, f"{now.reason}: {now.message}")
    return tuple(
        Alert(event=event, title=f"{model_key}: {_TITLES[event]}", message=message)
        for event, message in found.items()
        if event in on
    )


def _event(entry: HistoryEntry, after: Status) -> str | None:
    if entry.reason == Reason.ROLLOUT_COMPLETE:
        guard, champion = after.guard, after.champion
        promoted = guard is not None and champion is not None and guard.version == champion.version and not guard.ended
        return "Promoted" if promoted else None
    if any(notice.message == entry.message for notice in after.notices):
        return None  # A standing concern is told as its notice.
    if entry.decision == Decision.ALERT and entry.reason == Reason.ADVISE_ONLY:
        return "Retraining"
    if entry.decision == Decision.ALERT and entry.reason in _REFUSALS:
        return "Held"
    return _EVENT_OF_DECISION.get(Decision(entry.decision))
