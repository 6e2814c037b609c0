"""How does a model stand, in one sentence? And what does it need a person for? Read from its status alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from autoretrain.app.fleet import STATUS_UNREADABLE, Seen
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Condition, Status


class Urgency(IntEnum):
    """The most urgent first."""

    NEEDS_PERSON = 0
    WORKING = 1
    HEALTHY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a person is needed for, and what they can do. `what` holds words of others."""

    what: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`sentence` holds words of others where `needs` is not empty."""

    urgency: Urgency
    sentence: str
    needs: tuple[Need, ...]


STALLED: Final[Mapping[str, str]] = {
    Reason.INVALID_SPEC: "Mend that field of the document; the last good one holds until then.",
    Reason.TRAINING_BAD_INPUT: "Mend the data or the document; the same input is not tried again.",
    Reason.REGISTRY_OWNED: "Name another registered model, or take this one over.",
    STATUS_UNREADABLE: "Run the dashboard and the operator in the same release.",
}
DEGRADED: Final[Mapping[str, str]] = {
    Reason.BREAKER_OPEN: "Look at the data and at the rejected candidates, then ask for a run under Versions.",
    Reason.ROLLOUT_TIMED_OUT: "Look at the log of serving: the new version does not get ready there.",
    Reason.TRAINING_FAILED: "Look at the log of the run; it is tried again after a pause.",
    Reason.TRAINING_DEADLINE_EXCEEDED: "Give the run more time, or the machine less else to do.",
}
BREACHED: Final = "Look under Decisions what the guard saw. That version is not promoted again by itself."
EVENTS: Final[Mapping[str, str]] = {
    "NoNewData": "Label messages under Label: without new labels nothing can be learned.",
    "PerformanceLow": "Label more messages under Label, so that it is sure, or ask for a run under Versions.",
    "DriftDetected": "Nothing is done about it by itself: look under Drift, and ask for a run under Versions.",
    "Held": "Look under Decisions what holds it.",
}


def read_standing(seen: Seen, *, now: datetime) -> Standing:
    """Return how the model stands at `now`."""
    needs = _needs(seen.status, now=now)
    if needs:
        more = f" And {len(needs) - 1} more." if len(needs) > 1 else ""
        return Standing(urgency=Urgency.NEEDS_PERSON, sentence=f"{needs[0].what}{more}", needs=needs)
    working = _working(seen)
    if working:
        return Standing(urgency=Urgency.WORKING, sentence=working, needs=())
    champion = seen.status.champion
    sentence = f"Healthy: version {champion.version} is served, nothing needs a person." if champion else ""
    return Standing(urgency=Urgency.HEALTHY, sentence=sentence, needs=())


def _working(seen: Seen) -> str:
    """What goes on, or is held back on purpose."""
    status = seen.status
    served = f"Version {status.champion.version} is served" if status.champion else "No version is served yet"
    if status.rollout is not None:
        how = "brought back" if status.rollout.rollback else "rolled out"
        return f"Version {status.rollout.to.version} is being {how}."
    if status.active_run is not None:
        return f"{served}; a run is training, asked for by: {status.active_run.trigger}."
    if status.guard is not None and not status.guard.ended:
        return f"{served} and watched closely, since it is new."
    if seen.model.spec.suspend:
        return f"{served}; it is suspended, so no run starts."
    return "" if status.champion else f"{served}; the first run has not begun."


def _needs(status: Status, *, now: datetime) -> tuple[Need, ...]:
    """The most urgent first: what nothing can get out of, what serves, what trains, what waits for a word."""
    conditions = {condition.type: condition for condition in status.conditions}
    found = (
        _stalled(conditions.get("Stalled")),
        _serving(conditions.get("ServingAvailable"), status),
        _degraded(conditions.get("Degraded"), status),
        _approval(status, now=now),
        *(Need(what=sentence(each.message), do=EVENTS.get(each.event, EVENTS["Held"])) for each in status.notices),
        _evidence(conditions.get("MetricsAvailable")),
    )
    return tuple(need for need in found if need is not None)


def _stalled(condition: Condition | None) -> Need | None:
    if condition is None or not condition.status:
        return None
    do = STALLED.get(condition.reason, "It goes on once that is mended.")
    return Need(what=f"Stalled ({condition.reason}): {stopped(condition.message)}", do=do)


def _serving(condition: Condition | None, status: Status) -> Need | None:
    if condition is None or condition.status or status.champion is None or status.rollout is not None:
        return None
    return Need(what=f"Nobody may be answered: {stopped(condition.message)}", do="Look at the log of serving.")


def _degraded(condition: Condition | None, status: Status) -> Need | None:
    if condition is None or not condition.status:
        return None
    breached = status.guard is not None and status.guard.reason == condition.reason
    do = BREACHED if breached else DEGRADED.get(condition.reason, "Look under Decisions how it came to that.")
    return Need(what=f"Degraded ({condition.reason}): {stopped(condition.message)}", do=do)


def _approval(status: Status, *, now: datetime) -> Need | None:
    candidate = status.candidate
    if candidate is None or candidate.decision != Decision.HOLD or candidate.expires_at is None:
        return None
    if candidate.expires_at <= now:
        return None
    until = f"{candidate.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Need(
        what=f"A candidate, version {candidate.summary.version}, waits for your approval until {until}.",
        do="Look at Candidate and champion, then approve it under Versions.",
    )


def _evidence(condition: Condition | None) -> Need | None:
    if condition is None or condition.status is not False or condition.reason != Reason.EVIDENCE_MISSING:
        return None
    what = f"Nothing is decided on what can't be read. {sentence(condition.message)}"
    return Need(what=what, do="Look whether the monitor, the store and serving run.")


def sentence(text: str) -> str:
    """Return `text` as a sentence: a capital first, a full stop last."""
    return stopped(text[:1].upper() + text[1:])


def stopped(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
