"""Which transitions are worth an alert? Read off the status before and after, so that nothing is told twice.

After a pass that failed, or was repeated, the statuses tell by themselves what changed and what did not. A process that
starts can't know whether the one before it was killed between writing a status and telling of it. It compares with the
status as it was a while ago, and what was told already is known by its id.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from autoretrain.decide import alert_words
from autoretrain.decide.conditions import find_condition
from autoretrain.domain.plan import Alert, Decision, Finding
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import HistoryEntry, Status

TOLD_AGAIN = timedelta(minutes=15)
"""How far back a process looks when it starts. Longer than a replacement takes to become leader."""

LONGEST_MESSAGE = 1000
"""A reason that a person gave has no limit, but what can be handed over at once has."""

_EVENT_OF_DECISION = {
    Decision.RETRAIN: "Retraining",
    Decision.HOLD: "Held",
    Decision.REJECT: "Rejected",
    Decision.ROLLBACK: "RolledBack",
}
_REFUSALS = frozenset({Reason.PINNED, Reason.VERSION_UNKNOWN, Reason.APPROVAL_LAPSED})
_TRAINING_ENDS = frozenset({Reason.TRAINING_FAILED, Reason.TRAINING_BAD_INPUT, Reason.TRAINING_DEADLINE_EXCEEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Where a person reads more. `sequence` is the decision's, `options` what a command needs to find the model."""

    dashboard_url: str = ""
    options: str = ""
    sequence: int | None = None

    def see(self, model_key: str) -> str:
        """Return the decision's permanent link, or without a dashboard the command that explains it."""
        if self.dashboard_url:
            decision = {} if self.sequence is None else {"id": self.sequence}
            return f"{self.dashboard_url.rstrip('/')}/decisions?{urlencode({'model': model_key, **decision})}"
        decision_option = "" if self.sequence is None else f" --decision {self.sequence}"
        return f"autoretrain explain {self.target(model_key)}{decision_option}"

    def target(self, model_key: str) -> str:
        """Return the model as a command names it."""
        return f"{model_key.partition('.')[2]} {self.options}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """`at` is None where the status does not say when it began."""

    reason: str
    message: str
    at: datetime | None


def alerts_between(
    before: Status,
    after: Status,
    *,
    model_key: str,
    on: frozenset[str],
    findings: Sequence[Finding] = (),
    pointer: Pointer | None = None,
) -> tuple[Alert, ...]:
    """Return an alert for each transition from `before` to `after` whose event is in `on`, at most one an event.

    `findings` are those of the pass that led to `after`.
    """
    pointer = pointer or Pointer()
    return tuple(
        Alert(
            event=event,
            title=f"{model_key}: {alert_words.TITLES[event]}",
            message=f"{happened.reason}: {happened.message}"[:LONGEST_MESSAGE],
            id=_identity(model_key, event, happened),
            at=happened.at,
            figures=alert_words.figures(event, after, findings),
            done=alert_words.done(event, happened.reason, after),
            todo=alert_words.todo(event, happened.reason, target=pointer.target(model_key)),
            see=pointer.see(model_key),
        )
        for event, happened in _transitions(before, after).items()
        if event in on
    )


def as_of(status: Status, moment: datetime) -> Status:
    """Return `status` without what came about after `moment`, as far as it says when."""
    later = {entry.message for entry in status.history if entry.at > moment}
    return replace(
        status,
        history=tuple(entry for entry in status.history if entry.at <= moment),
        notices=tuple(notice for notice in status.notices if notice.message not in later),
        conditions=tuple(each for each in status.conditions if each.last_transition_at <= moment),
    )


def _transitions(before: Status, after: Status) -> dict[str, _Happened]:
    found: dict[str, _Happened] = {}
    known = {notice.event for notice in before.notices}
    begun = {entry.message: entry.at for entry in after.history}
    for notice in after.notices:
        if notice.event not in known:
            at = begun.get(notice.message)
            found[notice.event] = _Happened(reason=notice.reason, message=notice.message, at=at)
    for entry in after.history:
        if entry not in before.history and (event := _event(entry, after)):
            found[event] = _Happened(reason=entry.reason, message=entry.message, at=entry.at)
    for kind in ("DriftDetected", "Degraded"):
        was, now = find_condition(before, kind), find_condition(after, kind)
        stood = was is not None and bool(was.status)
        # What is degraded may get worse: a champion that breaks a limit, after a run that failed.
        worse = kind == "Degraded" and was is not None and now is not None and was.reason != now.reason
        if now is not None and now.status and (worse or not stood):
            # The last words of a run are its own, and may quote the data; the log and the status have them.
            message = alert_words.failed_runs(after) if now.reason in _TRAINING_ENDS else now.message
            happened = _Happened(reason=now.reason, message=message, at=now.last_transition_at)
            found.setdefault(kind, happened)
    return found


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


def _identity(model_key: str, event: str, happened: _Happened) -> str:
    if happened.at is None:
        return ""
    # To the second, so that a status which was written and read back names the same transition. A condition that gets
    # another reason keeps its time.
    told = f"{model_key}/{event}/{happened.reason}/{happened.at:%Y-%m-%dT%H:%M:%S}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
