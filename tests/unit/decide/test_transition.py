"""The pass as a whole: order, repetition, crashes, and what a steady pass leaves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoretrain.decide.transition import CHAPTERS, decide, fold
from autoretrain.decide.triggers import TriggerKind, evaluate_triggers
from autoretrain.domain.observation import LabelSupply
from autoretrain.domain.plan import Decision, Outcome, SetAliases, StartTraining, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Requests, TriggerMode
from tests.unit.decide.builders import (
    NOW,
    but,
    drifted,
    guard_state,
    label_window,
    minutes,
    performance,
    quiet,
    registered,
    served,
    status,
    window,
)


def applied(plan, *, failing=()):
    return tuple(Outcome(action=action, succeeded=action not in failing, message="refused") for action in plan.actions)


def passed(observation):
    """Make a pass in which everything works; return the observation of the next one, a minute later."""
    plan = decide(observation)
    return but(observation, now=observation.now + minutes(1), status=fold(observation, plan, applied(plan)))


# Order.


def test_the_order_of_the_chapters_is_pinned():
    assert [chapter.__name__ for chapter in CHAPTERS] == [
        "adopt_champion",
        "follow_rollout",
        "obey_requests",
        "follow_pin",
        "follow_guard",
        "follow_run",
        "lapse_candidate",
        "start_run",
        "miss_schedule",
    ]


ALL_AT_ONCE = but(
    drifted(),
    model__requests=Requests(retrain="t1"),
    model__training_hash="hash-2",
    model__spec__triggers__schedule__mode=TriggerMode.ACT,
    model__spec__triggers__schedule__cron="0 12 * * *",
    status__last_schedule_at=NOW - minutes(60),
    performance=performance(label_window(0.8)),
)


def test_the_order_of_the_triggers_is_pinned():
    assert [trigger.kind for trigger in evaluate_triggers(quiet())] == [
        TriggerKind.MANUAL,
        TriggerKind.NO_CHAMPION,
        TriggerKind.SPEC_CHANGED,
        TriggerKind.PERFORMANCE,
        TriggerKind.DRIFT,
        TriggerKind.SCHEDULE,
    ]
    order = []
    observation = ALL_AT_ONCE
    quieted = {
        "manual": {"model__requests": Requests()},
        "spec-changed": {"model__training_hash": "hash-1"},
        "performance": {"performance": performance()},
        "drift": {"drift": quiet().drift},
        "schedule": {"status__last_schedule_at": NOW},
    }
    while (run := decide(observation).intent.active_run) is not None:
        order.append(run.trigger)
        observation = but(observation, **quieted[run.trigger])
    assert order == ["manual", "spec-changed", "performance", "drift", "schedule"]


def test_all_findings_are_kept_whichever_acts():
    triggered = {f.check for f in decide(ALL_AT_ONCE).findings if f.verdict is Verdict.TRIGGERED}
    assert triggered == {"manual", "training spec", "accuracy", "drift", "schedule"}


def test_a_trigger_that_is_held_back_lets_the_next_one_act():
    starved = but(ALL_AT_ONCE, model__requests=Requests(), model__training_hash="hash-1", supply__new_labels=0)
    plan = decide(starved)
    assert (plan.decision, plan.reason) == (Decision.RETRAIN, Reason.SCHEDULE_DUE)


# What a pass without a run says.

SCHEDULED = but(
    quiet(),
    model__spec__triggers__schedule__mode=TriggerMode.ACT,
    model__spec__triggers__schedule__cron="0 12 * * *",
    status__last_schedule_at=NOW - minutes(60),
)

SAYINGS = {
    "nothing asks for a run": (quiet(), Decision.NO_ACTION, Reason.STEADY, []),
    "evidence is missing": (
        but(quiet(), drift=None, performance=None, supply=None, served=None, registry=None),
        Decision.NO_ACTION,
        Reason.STEADY,
        [],
    ),
    "suspended": (but(quiet(), model__spec__suspend=True), Decision.NO_ACTION, Reason.SUSPENDED, []),
    "suspended in drift": (
        but(drifted(), model__spec__suspend=True),
        Decision.NO_ACTION,
        Reason.SUSPENDED,
        ["DriftDetected"],
    ),
    "drift in the cooldown": (
        but(drifted(), status__last_run_ended_at=NOW - minutes(5)),
        Decision.NO_ACTION,
        Reason.COOLDOWN_ACTIVE,
        ["DriftDetected"],
    ),
    "drift under guard": (
        but(drifted(), status__guard=guard_state()),
        Decision.NO_ACTION,
        Reason.GUARD_ACTIVE,
        ["DriftDetected"],
    ),
    "drift without new labels": (
        but(drifted(), supply=LabelSupply(new_labels=0, new_spam_labels=0, highest_sequence=550)),
        Decision.ALERT,
        Reason.NO_NEW_DATA,
        ["NoNewData", "DriftDetected"],
    ),
    "low quality without new labels": (
        but(quiet(), performance=performance(label_window(0.8)), supply__new_labels=0),
        Decision.ALERT,
        Reason.NO_NEW_DATA,
        ["NoNewData", "PerformanceLow"],
    ),
    "drift that only advises": (
        but(drifted(), model__spec__triggers__drift__mode=TriggerMode.ADVISE),
        Decision.ALERT,
        Reason.ADVISE_ONLY,
        ["DriftDetected"],
    ),
    "low quality that only advises": (
        but(
            quiet(),
            performance=performance(label_window(0.8)),
            model__spec__triggers__performance__mode=TriggerMode.ADVISE,
        ),
        Decision.ALERT,
        Reason.ADVISE_ONLY,
        ["PerformanceLow"],
    ),
    "quality that may be low and would only advise": (
        but(
            quiet(),
            performance=performance(label_window(0.925)),
            model__spec__triggers__performance__mode=TriggerMode.ADVISE,
        ),
        Decision.ALERT,
        Reason.PERFORMANCE_UNCERTAIN,
        ["PerformanceLow"],
    ),
    "a schedule that only advises": (
        but(SCHEDULED, model__spec__triggers__schedule__mode=TriggerMode.ADVISE),
        Decision.ALERT,
        Reason.ADVISE_ONLY,
        ["Retraining"],
    ),
    "drift whose trigger is disabled": (
        but(drifted(), model__spec__triggers__drift__mode=TriggerMode.DISABLED),
        Decision.NO_ACTION,
        Reason.STEADY,
        ["DriftDetected"],
    ),
    "quality that may be low": (
        but(quiet(), performance=performance(label_window(0.925))),
        Decision.ALERT,
        Reason.PERFORMANCE_UNCERTAIN,
        ["PerformanceLow"],
    ),
    "another share of spam": (
        but(quiet(), drift=(window(1, 0.3, prior_shift=True), window(2, 0.3, prior_shift=True))),
        Decision.ALERT,
        Reason.PRIOR_SHIFT,
        ["DriftDetected"],
    ),
    "a schedule that was missed": (
        but(SCHEDULED, now=NOW + minutes(61)),
        Decision.NO_ACTION,
        Reason.SCHEDULE_MISSED,
        [],
    ),
    "a requested run without budget": (
        but(
            quiet(),
            model__requests=Requests(retrain="t1"),
            status__run_starts=tuple(NOW - minutes(m) for m in (4, 3, 2, 1)),
        ),
        Decision.ALERT,
        Reason.BUDGET_SPENT,
        ["Held"],
    ),
}


@pytest.mark.parametrize(("observation", "decision", "reason", "events"), SAYINGS.values(), ids=SAYINGS.keys())
def test_a_pass_without_a_run(observation, decision, reason, events):
    plan = decide(observation)
    assert (plan.decision, plan.reason, plan.actions) == (decision, reason, ())
    assert [alert.event for alert in plan.alerts] == events


@pytest.mark.parametrize("observation", [case[0] for case in SAYINGS.values()], ids=SAYINGS.keys())
def test_what_stands_is_told_once_and_then_changes_nothing(observation):
    second = passed(observation)
    plan = decide(second)
    assert plan.alerts == ()
    third = passed(second)
    assert third.status == passed(third).status


def test_a_concern_is_told_again_after_it_was_over():
    starved = but(drifted(), supply__new_labels=0)
    over = passed(but(passed(starved), drift=(window(3, 0.01), window(4, 0.01))))
    assert over.status.notices == ()
    again = decide(but(over, drift=(window(5, 0.4), window(6, 0.4))))
    assert "NoNewData" in {alert.event for alert in again.alerts}


def test_a_concern_stays_told_while_nothing_can_be_measured():
    starved = passed(but(drifted(), supply__new_labels=0))
    blind = passed(but(starved, drift=None))
    assert [notice.event for notice in blind.status.notices] == ["NoNewData"]
    assert decide(but(blind, drift=drifted().drift)).alerts == ()


def test_only_the_alerts_that_the_document_wants_are_sent():
    wanted = but(drifted(), model__spec__alerts__on=frozenset({"Retraining"}))
    assert [alert.event for alert in decide(wanted).alerts] == ["Retraining"]


def test_a_schedule_that_is_seen_for_the_first_time_starts_from_now():
    after = decide(but(SCHEDULED, status__last_schedule_at=None)).intent
    assert (after.last_schedule_at, after.next_schedule_at) == (NOW, NOW + timedelta(days=1))
    off = decide(but(SCHEDULED, model__spec__triggers__schedule__mode=TriggerMode.DISABLED)).intent
    assert (off.last_schedule_at, off.next_schedule_at) == (None, None)


# Repetition and crashes.


def test_deciding_twice_gives_the_same_plan():
    assert decide(ALL_AT_ONCE) == decide(ALL_AT_ONCE)


def test_a_steady_pass_leaves_the_status_as_it_was():
    settled = passed(quiet())
    later = but(settled, pending_messages=99)
    plan = decide(later)
    assert fold(later, plan, applied(plan)) == settled.status


def test_a_crash_between_apply_and_the_status_write_repeats_the_same_actions():
    crashed = but(drifted(), now=NOW + minutes(2), highest_ordinal=2)
    first, second = decide(drifted()).actions[0], decide(crashed).actions[0]
    assert isinstance(first, StartTraining)
    assert first.run.name == second.run.name


def test_an_action_that_failed_leaves_everything_to_the_next_pass():
    plan = decide(drifted())
    after = fold(drifted(), plan, applied(plan, failing=plan.actions))
    degraded = after.conditions[0]
    assert (degraded.type, degraded.status, degraded.reason) == ("Degraded", True, "ActionFailed")
    assert degraded.message == "StartTraining: refused"
    assert replace(after, conditions=()) == status()
    again = decide(but(drifted(), status=after))
    assert again.actions == plan.actions
    healed = fold(drifted(), again, applied(again))
    assert {c.type: c.status for c in healed.conditions}["Degraded"] is False


def test_an_action_that_was_not_carried_out_counts_as_failed():
    after = fold(drifted(), decide(drifted()), ())
    assert (after.active_run, after.conditions[0].message) == (None, "StartTraining: it was not carried out")


def test_aliases_that_can_not_be_set_hold_nothing_up():
    moved = but(quiet(), registry=(registered("2", "champion"), registered("3")))
    plan = decide(moved)
    assert [type(action) for action in plan.actions] == [SetAliases]
    assert fold(moved, plan, applied(plan, failing=plan.actions)) == plan.intent


def test_a_plan_without_an_intent_leaves_the_status_alone():
    plan = replace(decide(quiet()), intent=None)
    assert fold(quiet(), plan, ()) == status()


# When to look again.

SOON = {
    "the interval": ({}, minutes(1)),
    "the end of the cooldown": (
        {"status__last_run_ended_at": NOW - minutes(59.5), "drift": drifted().drift},
        minutes(0.5),
    ),
    "the schedule": (
        {
            "model__spec__triggers__schedule__mode": TriggerMode.ACT,
            "model__spec__triggers__schedule__cron": "1 12 * * *",
            "model__spec__monitoring__interval_seconds": 3600,
            "status__last_schedule_at": NOW,
        },
        minutes(1),
    ),
    "the end of the guard": (
        {"status__guard": guard_state(age=29.5), "model__spec__monitoring__interval_seconds": 3600},
        minutes(0.5),
    ),
    "right after something was done": ({"drift": drifted().drift}, timedelta(seconds=5)),
    "an interval shorter than the usual pause": (
        {"drift": drifted().drift, "model__spec__monitoring__interval_seconds": 2},
        timedelta(seconds=2),
    ),
}


@pytest.mark.parametrize(("changes", "delay"), SOON.values(), ids=SOON.keys())
def test_the_next_check_is_at_the_earliest_of(changes, delay):
    assert decide(but(quiet(), **changes)).next_check_at == NOW + delay


def test_serving_nothing_at_all_is_no_reason_to_train():
    plan = decide(but(quiet(), served=served(None)))
    assert plan.decision is Decision.NO_ACTION
