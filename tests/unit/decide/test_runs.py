"""The life of a training run."""

from datetime import timedelta

import pytest

from autoretrain.decide.runs import run_name
from autoretrain.decide.transition import decide
from autoretrain.domain.plan import CancelTraining, Decision, Deploy, SetAliases, StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Approval, Requests, TriggerMode
from autoretrain.domain.status import ActiveRun, CandidateState, Rollout
from autoretrain.domain.training import RunObservation, RunState
from tests.unit.decide.builders import (
    NOW,
    but,
    comparison,
    drifted,
    expected,
    metrics,
    minutes,
    model,
    quiet,
    ref,
    run,
    served,
    status,
    summary,
)

FLYING = but(quiet(), status__active_run=run(), status__run_ordinal=2)


def seen(state: RunState = RunState.RUNNING, **changes) -> RunObservation:
    return but(RunObservation(run_name=run().name, state=state), **changes)


def ended(candidate=None, **changes):
    """The run in flight has ended with `candidate`."""
    return but(FLYING, run=seen(RunState.SUCCEEDED, summary=candidate or summary()), **changes)


# Starting.


def test_a_run_is_started_and_remembered():
    plan = decide(drifted())
    started = ActiveRun(
        name=run_name(model(), 2),
        ordinal=2,
        trigger="drift",
        started_at=NOW,
        label_cutoff=550,
        training_hash="hash-1",
    )
    assert (plan.decision, plan.reason) == (Decision.RETRAIN, Reason.DRIFT_THRESHOLD_EXCEEDED)
    assert plan.actions == (StartTraining(run=started),)
    assert plan.intent.active_run == started
    assert (plan.intent.run_ordinal, plan.intent.run_starts) == (2, (NOW,))
    assert {alert.event for alert in plan.alerts} == {"Retraining", "DriftDetected"}


def test_the_name_of_a_run_is_fixed_by_resource_and_ordinal():
    name = run_name(model(), 2)
    assert name == run_name(model(), 2)
    assert len({name, run_name(model(), 3), run_name(but(model(), uid="uid-2"), 2)}) == 3
    assert name.startswith("sms-spam-train-")
    assert len(run_name(but(model(), name="n" * 40), 2)) <= 63


def test_a_lost_status_takes_the_ordinals_up_where_they_were():
    assert decide(but(drifted(), highest_ordinal=7)).intent.active_run.ordinal == 7
    # A run that was submitted just before the crash is the next one: its name is used, not a second one.
    assert decide(but(drifted(), highest_ordinal=2)).intent.active_run.ordinal == 2
    assert decide(but(drifted(), highest_ordinal=1)).intent.active_run.ordinal == 2


def test_one_run_answers_everything_that_asks_for_one():
    everything = but(
        drifted(),
        model__training_hash="hash-2",
        model__requests=Requests(retrain="t1"),
        model__spec__triggers__schedule__mode=TriggerMode.ACT,
        model__spec__triggers__schedule__cron="0 12 * * *",
        status__last_schedule_at=NOW - minutes(60),
    )
    after = decide(everything).intent
    assert (after.active_run.trigger, after.handled.retrain, after.last_schedule_at) == ("manual", "t1", NOW)


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({"model__requests": Requests(retrain="t1")}, True),
        ({"model__training_hash": "hash-2"}, True),
        ({}, False),
    ],
    ids=["a request", "a changed spec", "drift alone"],
)
def test_a_person_closes_the_breaker(changes, closed):
    plan = decide(but(drifted(), status__breaker_open=True, status__rejections=3, **changes))
    assert plan.intent.breaker_open is not closed
    assert (plan.decision is Decision.RETRAIN) is closed


# In flight.


def test_a_run_in_flight_is_waited_for():
    plan = decide(but(FLYING, run=seen()))
    assert (plan.decision, plan.reason, plan.actions) == (Decision.NO_ACTION, Reason.RUN_ACTIVE, ())


def test_a_run_over_its_deadline_is_ended_and_counts_as_failed():
    plan = decide(but(FLYING, now=NOW + minutes(15), run=seen()))
    assert (plan.decision, plan.reason) == (Decision.ALERT, Reason.TRAINING_DEADLINE_EXCEEDED)
    assert plan.actions == (CancelTraining(run_name=run().name),)
    assert (plan.intent.active_run, plan.intent.failures) == (None, 1)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("", "it ran for more than 900 s"),
        ("image trainer:2 can't be pulled", "it ran for more than 900 s; image trainer:2 can't be pulled"),
    ],
)
def test_a_run_over_its_deadline_says_what_it_was_last_seen_to_suffer_from(trouble, said):
    plan = decide(but(FLYING, now=NOW + minutes(15), run=seen(message=trouble)))
    assert plan.message == f"run {run().name} failed: {said}"


@pytest.mark.parametrize(
    "waited",
    [{"queued": True}, {"began_at": NOW + minutes(5)}],
    ids=["it waits in a queue", "it waited in a queue and began later"],
)
def test_the_wait_in_a_queue_does_not_count_towards_the_deadline(waited):
    plan = decide(but(FLYING, now=NOW + minutes(15), run=seen(**waited)))
    assert (plan.reason, plan.actions) == (Reason.RUN_ACTIVE, ())


@pytest.mark.parametrize("other", [None, seen(run_name="another")], ids=["not to be seen", "another run"])
def test_a_run_that_is_not_to_be_seen_is_submitted_again_under_its_name(other):
    plan = decide(but(FLYING, run=other))
    assert plan.actions == (StartTraining(run=run()),)
    assert plan.intent.active_run == run()
    assert plan.intent.history == ()


def test_a_run_that_was_lost_over_night_begins_anew_as_its_next_attempt():
    plan = decide(but(FLYING, now=NOW + timedelta(hours=10)))
    again = run(attempt=2, started_at=NOW + timedelta(hours=10))
    assert plan.actions == (StartTraining(run=again),)
    assert (plan.intent.active_run, plan.intent.failures) == (again, 0)


def test_a_run_that_is_lost_again_and_again_has_failed():
    plan = decide(but(FLYING, now=NOW + timedelta(hours=10), status__active_run__attempt=2))
    assert (plan.reason, plan.intent.failures) == (Reason.TRAINING_DEADLINE_EXCEEDED, 1)


FAILURES = {
    "its attempts are used up": (seen(RunState.FAILED, message="out of memory"), Reason.TRAINING_FAILED),
    "its input can't be read": (
        seen(RunState.FAILED, message="line 3: no label", retriable=False),
        Reason.TRAINING_BAD_INPUT,
    ),
    "it ended without a summary": (seen(RunState.SUCCEEDED), Reason.TRAINING_FAILED),
    "it ended with the summary of another run": (
        seen(RunState.SUCCEEDED, summary=summary(run_name="another")),
        Reason.TRAINING_FAILED,
    ),
}


@pytest.mark.parametrize(("observed", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_run_is_counted_and_told(observed, reason):
    plan = decide(but(FLYING, run=observed, status__failures=1))
    assert (plan.decision, plan.reason, plan.actions) == (Decision.ALERT, reason, ())
    after = plan.intent
    assert (after.active_run, after.last_run, after.last_run_reason) == (None, run(), reason)
    assert (after.failures, after.last_run_ended_at, after.trained_cutoff) == (2, NOW, 300)
    assert after.next_retrain_allowed_at == NOW + minutes(120)
    assert [alert.event for alert in plan.alerts] == ["Degraded"]


def test_input_that_was_refused_is_stalled_until_it_changes():
    refused = decide(but(FLYING, run=seen(RunState.FAILED, message="bad", retriable=False)))
    assert "Stalled" in {condition.type for condition in refused.intent.conditions}
    later = but(quiet(), now=NOW + minutes(1), status=refused.intent)
    assert "Stalled" in {condition.type for condition in decide(later).intent.conditions}
    changed = decide(but(later, model__training_hash="hash-2"))
    assert changed.decision is Decision.RETRAIN
    assert "Stalled" not in {condition.type for condition in changed.intent.conditions}


# Judged.


def test_a_better_candidate_is_promoted():
    plan = decide(ended())
    candidate = but(ref("4"), metrics=metrics())
    assert (plan.decision, plan.reason) == (Decision.PROMOTE, Reason.BETTER_ON_RECENT_ROWS)
    assert plan.actions == (Deploy(model=candidate),)
    after = plan.intent
    assert after.rollout == Rollout(
        from_version="3",
        to=candidate,
        started_at=NOW,
        rollback=False,
        reason="BetterOnRecentRows",
        expected=expected(),
    )
    assert after.champion == status().champion
    assert (after.active_run, after.failures, after.trained_cutoff, after.trained_hash) == (None, 0, 500, "hash-1")
    assert (after.candidates_on_rows, after.tested_cutoff) == (1, 500)


def test_a_candidate_that_is_not_better_is_held_and_offered_for_approval():
    plan = decide(ended(summary(recent=comparison(p_value=0.3)), status__failures=2))
    assert (plan.decision, plan.reason) == (Decision.HOLD, Reason.NOT_SIGNIFICANT)
    assert plan.actions == (SetAliases(champion=status().champion, candidate="4", previous=ref("2")),)
    after = plan.intent
    assert after.candidate == CandidateState(
        summary=summary(recent=comparison(p_value=0.3)),
        decision="HOLD",
        reason="NotSignificant",
        message="McNemar p 0.3000, at most 0.0500 is allowed",
        decided_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    assert (after.failures, after.rejections, after.rollout) == (0, 0, None)
    assert [alert.event for alert in plan.alerts] == ["Held"]


def test_alpha_is_halved_for_the_second_candidate_on_the_same_rows():
    second = ended(summary(recent=comparison(p_value=0.03)), status__candidates_on_rows=1, status__tested_cutoff=480)
    plan = decide(second)
    assert (plan.decision, plan.reason) == (Decision.HOLD, Reason.NOT_SIGNIFICANT)
    assert (plan.intent.candidates_on_rows, plan.intent.tested_cutoff) == (2, 480)


def test_a_worse_candidate_is_rejected():
    plan = decide(ended(summary(holdout=comparison(accuracy_gain=-0.1, p_worse=0.001)), status__rejections=1))
    assert (plan.decision, plan.reason) == (Decision.REJECT, Reason.HOLDOUT_REGRESSION)
    assert (plan.intent.rejections, plan.intent.breaker_open) == (2, False)
    assert plan.intent.candidate.expires_at is None
    assert [alert.event for alert in plan.alerts] == ["Rejected"]


def test_the_breaker_opens_after_the_last_rejection_it_allows():
    plan = decide(ended(summary(holdout=comparison(accuracy_gain=-0.1, p_worse=0.001)), status__rejections=2))
    assert (plan.intent.rejections, plan.intent.breaker_open) == (3, True)
    assert {alert.event for alert in plan.alerts} == {"Rejected", "Degraded"}


@pytest.mark.parametrize("held", ["recent__p_value", "digest"], ids=["not significant", "the champion itself"])
def test_holding_is_not_rejecting(held):
    candidate = summary(**{held: "digest-3" if held == "digest" else 0.9})
    assert decide(ended(candidate, status__rejections=2)).intent.rejections == 2


def test_the_champion_itself_is_not_offered_for_approval():
    assert decide(ended(summary(digest="digest-3"))).intent.candidate.expires_at is None


PROPOSALS = {
    "approval is manual": ({"model__spec__promotion__approval": Approval.MANUAL}, Reason.AWAITING_APPROVAL),
    "suspended": ({"model__spec__suspend": True}, Reason.SUSPENDED),
    "a version is pinned": ({"model__spec__serving__pinned_version": "3"}, Reason.PINNED),
}


@pytest.mark.parametrize(("changes", "reason"), PROPOSALS.values(), ids=PROPOSALS.keys())
def test_a_promotion_that_is_left_to_a_person_becomes_a_proposal(changes, reason):
    plan = decide(ended(**changes))
    assert (plan.decision, plan.reason) == (Decision.HOLD, reason)
    assert not any(isinstance(action, Deploy) for action in plan.actions)
    assert plan.intent.candidate.expires_at == NOW + timedelta(days=1)


def test_a_rejection_stays_a_rejection_whatever_is_pinned():
    bad = ended(
        summary(holdout=comparison(accuracy_gain=-0.1, p_worse=0.001)), model__spec__serving__pinned_version="3"
    )
    assert decide(bad).decision is Decision.REJECT


def test_the_first_model_is_promoted_on_its_floors():
    first = but(
        ended(summary("1", champion_version=None, champion_digest=None, holdout=None, recent=None, expected=None)),
        status__champion=None,
        status__previous=None,
        served=served(None),
        registry=(),
    )
    plan = decide(first)
    assert (plan.decision, plan.reason) == (Decision.PROMOTE, Reason.FIRST_MODEL)
    assert plan.intent.rollout.from_version is None


def test_a_run_is_not_judged_while_the_champion_is_changing():
    rollout = Rollout(from_version="3", to=ref("9"), started_at=NOW, rollback=False, reason="Forced")
    plan = decide(ended(status__rollout=rollout))
    assert (plan.decision, plan.actions) == (Decision.NO_ACTION, ())
    changed = ended(status__champion=ref("9"), served=served("9"))
    assert decide(changed).reason is Reason.STALE_COMPARISON


def test_an_offer_lapses_when_its_rows_have_aged_out():
    offered = but(
        quiet(),
        status__candidate=CandidateState(
            summary=summary(), decision="HOLD", reason="NoGain", message="", decided_at=NOW, expires_at=NOW
        ),
    )
    plan = decide(offered)
    assert (plan.decision, plan.reason, plan.intent.candidate) == (Decision.NO_ACTION, Reason.APPROVAL_LAPSED, None)
    assert plan.actions == (SetAliases(champion=status().champion, candidate=None, previous=ref("2")),)
    waiting = but(offered, status__candidate__expires_at=NOW + minutes(1))
    assert decide(waiting).intent.candidate is not None


def test_an_offer_lasts_as_long_as_its_newest_row_counts():
    week = ended(summary(recent__p_value=0.9), model__spec__monitoring__max_age_seconds=7 * 86400)
    assert decide(week).intent.candidate.expires_at == NOW - minutes(10) + timedelta(days=7)
