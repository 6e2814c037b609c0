"""Each trigger by itself; `test_transition` pins their order."""

import pytest

from autoretrain.decide.triggers import TriggerKind, evaluate_triggers
from autoretrain.domain.plan import Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Requests, TriggerMode
from autoretrain.domain.status import CandidateState, Rollout
from tests.unit.decide.builders import NOW, but, drifted, minutes, performance, quiet, ref, served, summary
from tests.unit.decide.builders import label_window as labels

PASSED, TRIGGERED, INCONCLUSIVE = Verdict.PASSED, Verdict.TRIGGERED, Verdict.INCONCLUSIVE

EMPTY = but(quiet(), status__champion=None, served=served(None), registry=())
WAITING = CandidateState(summary=summary(), decision="HOLD", reason="x", message="", decided_at=NOW, expires_at=NOW)
ROLLOUT = Rollout(from_version=None, to=ref("4"), started_at=NOW, rollback=False, reason="FirstModel")
SCHEDULED = but(
    quiet(), model__spec__triggers__schedule__mode=TriggerMode.ACT, model__spec__triggers__schedule__cron="0 12 * * *"
)

CASES = {
    "nobody asks for a run": (quiet(), TriggerKind.MANUAL, PASSED, Reason.NO_REQUEST),
    "somebody asks for a run": (
        but(quiet(), model__requests=Requests(retrain="t1")),
        TriggerKind.MANUAL,
        TRIGGERED,
        Reason.MANUAL_REQUEST,
    ),
    "a request that was handled asks no more": (
        but(quiet(), model__requests=Requests(retrain="t1"), status__handled__retrain="t1"),
        TriggerKind.MANUAL,
        PASSED,
        Reason.NO_REQUEST,
    ),
    "a champion is there": (quiet(), TriggerKind.NO_CHAMPION, PASSED, Reason.CHAMPION_SERVED),
    "no champion anywhere": (EMPTY, TriggerKind.NO_CHAMPION, TRIGGERED, Reason.NO_CHAMPION),
    "no champion known, registry unreadable": (
        but(EMPTY, registry=None),
        TriggerKind.NO_CHAMPION,
        INCONCLUSIVE,
        Reason.EVIDENCE_MISSING,
    ),
    "the first champion is on its way": (
        but(EMPTY, status__rollout=ROLLOUT),
        TriggerKind.NO_CHAMPION,
        PASSED,
        Reason.ROLLOUT_IN_PROGRESS,
    ),
    "the first candidate waits for approval": (
        but(EMPTY, status__candidate=WAITING),
        TriggerKind.NO_CHAMPION,
        PASSED,
        Reason.AWAITING_APPROVAL,
    ),
    "a pinned version needs no training": (
        but(EMPTY, model__spec__serving__pinned_version="9"),
        TriggerKind.NO_CHAMPION,
        PASSED,
        Reason.PINNED,
    ),
    "the training spec is that of the last run": (quiet(), TriggerKind.SPEC_CHANGED, PASSED, Reason.SPEC_UNCHANGED),
    "the training spec changed": (
        but(quiet(), model__training_hash="hash-2"),
        TriggerKind.SPEC_CHANGED,
        TRIGGERED,
        Reason.SPEC_CHANGED,
    ),
    "first sight of a training spec sets the base": (
        but(quiet(), status__trained_hash=""),
        TriggerKind.SPEC_CHANGED,
        PASSED,
        Reason.SPEC_UNCHANGED,
    ),
    "live quality is low": (
        but(quiet(), performance=performance(labels(0.85))),
        TriggerKind.PERFORMANCE,
        TRIGGERED,
        Reason.ACCURACY_BELOW_FLOOR,
    ),
    "live quality is low and the trigger is disabled": (
        but(
            quiet(),
            performance=performance(labels(0.85)),
            model__spec__triggers__performance__mode=TriggerMode.DISABLED,
        ),
        TriggerKind.PERFORMANCE,
        PASSED,
        Reason.TRIGGER_DISABLED,
    ),
    "drift": (drifted(), TriggerKind.DRIFT, TRIGGERED, Reason.DRIFT_THRESHOLD_EXCEEDED),
    "drift and the trigger is disabled": (
        but(drifted(), model__spec__triggers__drift__mode=TriggerMode.DISABLED),
        TriggerKind.DRIFT,
        PASSED,
        Reason.TRIGGER_DISABLED,
    ),
    "nothing is scheduled": (quiet(), TriggerKind.SCHEDULE, PASSED, Reason.TRIGGER_DISABLED),
    "the schedule is seen for the first time": (SCHEDULED, TriggerKind.SCHEDULE, PASSED, Reason.SCHEDULE_NOT_DUE),
    "the schedule is due": (
        but(SCHEDULED, status__last_schedule_at=NOW - minutes(60)),
        TriggerKind.SCHEDULE,
        TRIGGERED,
        Reason.SCHEDULE_DUE,
    ),
    "the schedule was missed": (
        but(SCHEDULED, now=NOW + minutes(61), status__last_schedule_at=NOW - minutes(60)),
        TriggerKind.SCHEDULE,
        PASSED,
        Reason.SCHEDULE_MISSED,
    ),
}


@pytest.mark.parametrize(("observation", "kind", "verdict", "reason"), CASES.values(), ids=CASES.keys())
def test_trigger(observation, kind, verdict, reason):
    trigger = next(trigger for trigger in evaluate_triggers(observation) if trigger.kind is kind)
    assert (trigger.findings[0].verdict, trigger.findings[0].reason) == (verdict, reason)
    assert (trigger.fired is not None) is (verdict is TRIGGERED)


def test_who_asked_and_why_is_told():
    asked = but(quiet(), model__requests=Requests(retrain="t1", actor="ana", reason="new campaign"))
    assert evaluate_triggers(asked)[0].findings[0].message == "asked for by ana: new campaign"
