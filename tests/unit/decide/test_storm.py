"""What holds a wanted run back, and for whom."""

import pytest

from autoretrain.decide.storm import holds, retrain_allowed_at
from autoretrain.decide.triggers import TriggerKind
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Rollout
from tests.unit.decide.builders import NOW, but, drifted, guard_state, minutes, ref, run

DRIFT, SCHEDULE, MANUAL, SPEC = (
    TriggerKind.DRIFT,
    TriggerKind.SCHEDULE,
    TriggerKind.MANUAL,
    TriggerKind.SPEC_CHANGED,
)
EVERYBODY, MACHINES = (DRIFT, SCHEDULE, MANUAL, SPEC), (DRIFT, SCHEDULE)

ROLLOUT = Rollout(from_version="3", to=ref("4"), started_at=NOW, rollback=False, reason="x")
ENDED = but(drifted(), status__last_run=run(1, training_hash="hash-0"), status__last_run_ended_at=NOW - minutes(30))
REFUSED = but(
    ENDED,
    status__last_run=run(1, label_cutoff=550, training_hash="hash-0"),
    status__last_run_reason="TrainingBadInput",
    status__last_run_ended_at=NOW - minutes(300),
    status__failures=1,
)

CASES = {
    "nothing is in the way": (drifted(), None, ()),
    "suspended": (but(drifted(), model__spec__suspend=True), Reason.SUSPENDED, EVERYBODY),
    "the registered model is somebody else's": (
        but(drifted(), registry_owner="other/default/sms-spam"),
        Reason.REGISTRY_OWNED,
        EVERYBODY,
    ),
    "whose the registered model is could not be read": (
        but(drifted(), registry_owner=None),
        Reason.EVIDENCE_MISSING,
        EVERYBODY,
    ),
    "whether a champion is registered could not be read": (
        but(drifted(), registry=None, status__champion=None),
        Reason.EVIDENCE_MISSING,
        (DRIFT, SCHEDULE, SPEC),
    ),
    "the registry is not asked for what is served": (but(drifted(), registry=None), None, ()),
    "a run is in flight": (but(drifted(), status__active_run=run()), Reason.RUN_ACTIVE, EVERYBODY),
    "a rollout is under way": (but(drifted(), status__rollout=ROLLOUT), Reason.ROLLOUT_IN_PROGRESS, EVERYBODY),
    "an overdue rollout does not lock the way out": (
        but(drifted(), status__rollout=but(ROLLOUT, waited_seconds=300.0)),
        None,
        (),
    ),
    "the guard is active": (but(drifted(), status__guard=guard_state()), Reason.GUARD_ACTIVE, MACHINES),
    "the guard has ended": (but(drifted(), status__guard=but(guard_state(), ended="Passed")), None, ()),
    "the cooldown lasts": (ENDED, Reason.COOLDOWN_ACTIVE, MACHINES),
    "the cooldown is over": (but(ENDED, status__last_run_ended_at=NOW - minutes(60)), None, ()),
    "the back-off lasts": (but(ENDED, status__failures=1), Reason.BACKOFF_ACTIVE, MACHINES),
    "the back-off doubles": (
        but(ENDED, status__failures=2, status__last_run_ended_at=NOW - minutes(119)),
        Reason.BACKOFF_ACTIVE,
        MACHINES,
    ),
    "the doubled back-off is over": (
        but(ENDED, status__failures=2, status__last_run_ended_at=NOW - minutes(120)),
        None,
        (),
    ),
    "the back-off never exceeds a day": (
        but(ENDED, status__failures=99, status__last_run_ended_at=NOW - minutes(24 * 60)),
        None,
        (),
    ),
    "a clock set back far does not stretch the cooldown": (
        but(ENDED, status__last_run_ended_at=NOW + minutes(10_000)),
        None,
        (),
    ),
    "the breaker is open": (but(drifted(), status__breaker_open=True), Reason.BREAKER_OPEN, MACHINES),
    "the budget is spent": (
        but(drifted(), status__run_starts=tuple(NOW - minutes(m) for m in (1400, 900, 600, 300))),
        Reason.BUDGET_SPENT,
        EVERYBODY,
    ),
    "a start more than a day ago is not counted": (
        but(drifted(), status__run_starts=tuple(NOW - minutes(m) for m in (1441, 900, 600, 300))),
        None,
        (),
    ),
    "the last run refused its input": (REFUSED, Reason.TRAINING_BAD_INPUT, MACHINES),
    "new labels may mend what a run refused": (but(REFUSED, supply__highest_sequence=551), None, ()),
    "labels can't be counted": (but(drifted(), supply=None), Reason.EVIDENCE_MISSING, EVERYBODY),
    "too few new labels": (but(drifted(), supply__new_labels=99), Reason.NO_NEW_DATA, (DRIFT,)),
    "too few new labels of spam": (but(drifted(), supply__new_spam_labels=14), Reason.NO_NEW_DATA, (DRIFT,)),
    "too few labels since traffic changed": (
        but(drifted(), supply__changed_at=NOW, supply__labels_since_change=249, supply__spam_labels_since_change=35),
        Reason.NO_NEW_DATA,
        (DRIFT,),
    ),
    "too few labels of spam since traffic changed": (
        but(drifted(), supply__changed_at=NOW, supply__labels_since_change=250, supply__spam_labels_since_change=34),
        Reason.NO_NEW_DATA,
        (DRIFT,),
    ),
    "enough since traffic changed, most of which the last run had": (
        but(
            drifted(),
            supply__new_labels=99,
            supply__changed_at=NOW,
            supply__labels_since_change=400,
            supply__spam_labels_since_change=60,
        ),
        Reason.NO_NEW_DATA,
        (DRIFT,),
    ),
    "enough to learn from and to be judged on since traffic changed": (
        but(drifted(), supply__changed_at=NOW, supply__labels_since_change=250, supply__spam_labels_since_change=35),
        None,
        (),
    ),
    "just enough new labels": (
        but(drifted(), supply__new_labels=100, supply__new_spam_labels=15),
        None,
        (),
    ),
}


@pytest.mark.parametrize(("observation", "reason", "held"), CASES.values(), ids=CASES.keys())
def test_hold(observation, reason, held):
    found = {kind: tuple(hold.reason for hold in holds(observation, kind)) for kind in EVERYBODY}
    assert found == {kind: (reason,) if kind in held else () for kind in EVERYBODY}


def test_every_hold_is_kept_the_most_fundamental_first():
    storm = but(ENDED, model__spec__suspend=True, supply__new_labels=0, status__breaker_open=True)
    assert [hold.reason for hold in holds(storm, DRIFT)] == [
        Reason.SUSPENDED,
        Reason.BREAKER_OPEN,
        Reason.COOLDOWN_ACTIVE,
        Reason.NO_NEW_DATA,
    ]


def test_a_spec_that_was_tried_already_waits_like_everything_else():
    tried = but(ENDED, status__last_run__training_hash="hash-1")
    assert [hold.reason for hold in holds(tried, SPEC)] == [Reason.COOLDOWN_ACTIVE]


def test_what_to_label_is_said_in_numbers():
    hold = holds(but(drifted(), supply__new_labels=90, supply__new_spam_labels=3), DRIFT)[0]
    assert hold.message == (
        "90 of 100 new labels and 3 of 15 of spam since the last run; "
        "label 12 recent messages, at least 12 of them spam"
    )


def test_without_a_cooldown_a_failure_still_waits_a_minute():
    triggers = but(drifted().model.spec.triggers, cooldown_seconds=0)
    assert retrain_allowed_at(but(ENDED.status, failures=1), triggers) == NOW - minutes(29)
    assert retrain_allowed_at(ENDED.status, triggers) == NOW - minutes(30)
