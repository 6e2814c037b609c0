"""How the served version changes: promotion, guard, rollback, adoption, pin and what people ask for."""

import pytest

from autoretrain.decide.transition import decide
from autoretrain.domain.plan import Decision, Deploy, SetAliases
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Requests
from autoretrain.domain.status import CandidateState, GuardState, Notice, Rollout
from tests.unit.decide.builders import (
    NOW,
    but,
    drifted,
    estimate,
    expected,
    guard_evidence,
    guard_state,
    metrics,
    minutes,
    quiet,
    ref,
    registered,
    served,
    status,
    summary,
)

ROLLOUT = Rollout(
    from_version="3",
    to=ref("4"),
    started_at=NOW - minutes(1),
    rollback=False,
    reason="BetterOnRecentRows",
    expected=expected(),
)
ROLLING = but(quiet(), status__rollout=ROLLOUT)
BACK = but(ROLLING, status__rollout=but(ROLLOUT, to=ref("2"), rollback=True), status__quarantined=("digest-3",))
GUARDED = but(quiet(), status__guard=guard_state(), guard=guard_evidence())
BREACHED = but(GUARDED, guard=guard_evidence(spam_share=estimate(0.9)))
HELD = CandidateState(
    summary=summary("4"),
    decision="HOLD",
    reason="NoGain",
    message="",
    decided_at=NOW - minutes(5),
    expires_at=NOW + minutes(60),
)


def summed_up(plan):
    return plan.decision, plan.reason, plan.actions


# A rollout under way.


def test_a_rollout_is_complete_when_serving_says_so():
    plan = decide(but(ROLLING, served=served("4")))
    # Promoted when the rollout began: what it answered before this pass saw it served is about it too.
    champion = but(ref("4"), promoted_at=ROLLING.status.rollout.started_at)
    assert summed_up(plan) == (
        Decision.NO_ACTION,
        Reason.ROLLOUT_COMPLETE,
        (SetAliases(champion=champion, candidate=None, previous=status().champion),),
    )
    assert (plan.intent.champion, plan.intent.previous) == (champion, status().champion)
    assert plan.intent.rollout is None
    assert plan.intent.guard == GuardState(version="4", started_at=NOW, expected=expected())
    assert [alert.event for alert in plan.alerts] == ["Promoted"]
    assert plan.message == "version 4 is served in place of version 3"


def test_a_promotion_starts_counting_anew():
    rolling = but(
        ROLLING,
        served=served("4"),
        status__rejections=2,
        status__breaker_open=True,
        status__candidates_on_rows=3,
        status__tested_cutoff=400,
        status__candidate=HELD,
    )
    after = decide(rolling).intent
    assert (after.rejections, after.breaker_open, after.candidates_on_rows, after.tested_cutoff) == (0, False, 0, 0)
    assert after.candidate is None
    assert after.drift is None


def test_what_people_were_told_of_the_old_champion_is_not_said_of_the_new_one():
    told = tuple(
        Notice(event=event, reason="Said", message="of version 3")
        for event in ("PerformanceLow", "Held", "DriftDetected", "NoNewData")
    )
    after = decide(but(ROLLING, served=served("4"), status__notices=told)).intent
    assert [notice.event for notice in after.notices] == ["Held"]


@pytest.mark.parametrize(
    "answer",
    [None, served("3"), served("4", ready=False), but(served("4"), digest="other")],
    ids=["no answer", "still the old version", "not on every replica", "another digest of that version"],
)
def test_a_rollout_waits_until_the_very_model_is_served_everywhere(answer):
    plan = decide(but(ROLLING, served=answer))
    assert (plan.decision, plan.reason) == (Decision.NO_ACTION, Reason.ROLLOUT_IN_PROGRESS)
    assert plan.actions == ()
    assert plan.intent.champion == status().champion


def test_a_rollout_that_does_not_become_ready_goes_back():
    overdue = but(ROLLING, status__rollout__waited_seconds=290.0, served=served("3"))
    plan = decide(overdue)
    assert summed_up(plan) == (Decision.ROLLBACK, Reason.ROLLOUT_TIMED_OUT, (Deploy(model=status().champion),))
    assert plan.intent.quarantined == ("digest-4",)
    assert plan.intent.champion == status().champion
    assert plan.intent.rollout == Rollout(
        from_version="4", to=status().champion, started_at=NOW, rollback=True, reason="RolloutTimedOut"
    )
    assert {alert.event for alert in plan.alerts} == {"RolledBack", "Degraded"}


def test_hours_in_which_no_pass_looked_do_not_make_a_rollout_overdue():
    away = but(ROLLING, status__rollout__started_at=NOW - minutes(600), served=served(None))
    plan = decide(away)
    assert plan.reason is Reason.ROLLOUT_IN_PROGRESS
    assert plan.intent.rollout.waited_seconds == 30.0


def test_the_first_rollout_has_nothing_to_go_back_to_and_waits_for_serving():
    first = but(
        ROLLING,
        status__champion=None,
        status__previous=None,
        status__rollout__from_version=None,
        status__rollout__waited_seconds=300.0,
        served=None,
    )
    plan = decide(first)
    assert (plan.decision, plan.actions) == (Decision.NO_ACTION, ())
    assert [alert.event for alert in plan.alerts] == ["Degraded"]
    assert decide(but(first, served=served("4"))).reason is Reason.ROLLOUT_COMPLETE


def test_a_rollback_is_complete_without_a_guard_of_its_own():
    breach = GuardState(version="3", started_at=NOW, expected=None, ended="Breached", reason="x", message="y")
    plan = decide(but(BACK, served=served("2"), status__guard=breach))
    assert plan.intent.champion == but(ref("2"), promoted_at=BACK.status.rollout.started_at)
    assert plan.intent.previous is None
    assert plan.intent.guard == breach
    assert [alert.event for alert in plan.alerts] == ["Degraded"]


def test_a_rollback_that_does_not_become_ready_keeps_waiting_and_says_degraded():
    plan = decide(but(BACK, served=served(None), status__rollout__waited_seconds=300.0))
    assert (plan.reason, plan.actions) == (Reason.ROLLOUT_IN_PROGRESS, ())
    assert [alert.event for alert in plan.alerts] == ["Degraded"]


def test_what_is_still_under_guard_does_not_become_the_version_to_go_back_to():
    unproven = but(ROLLING, served=served("4"), status__guard=guard_state("3"))
    assert decide(unproven).intent.previous == ref("2")
    proven = but(unproven, status__guard__ended="Passed")
    assert decide(proven).intent.previous == status().champion


# The guard.


def test_a_breach_puts_the_previous_version_back():
    plan = decide(BREACHED)
    assert summed_up(plan) == (Decision.ROLLBACK, Reason.SPAM_SHARE_TOO_HIGH, (Deploy(model=ref("2")),))
    assert plan.intent.quarantined == ("digest-3",)
    assert plan.intent.guard.ended == "Breached"
    assert {alert.event for alert in plan.alerts} == {"RolledBack", "Degraded"}


def test_a_breach_is_acted_on_while_suspended():
    assert decide(but(BREACHED, model__spec__suspend=True)).decision is Decision.ROLLBACK


@pytest.mark.parametrize(
    "changes",
    [{"status__previous": None}, {"status__quarantined": ("digest-2",)}],
    ids=["no previous version", "the previous version is bad too"],
)
def test_a_breach_with_nothing_to_go_back_to_alerts_once(changes):
    breached = but(BREACHED, **changes)
    plan = decide(breached)
    assert summed_up(plan) == (Decision.ALERT, Reason.NOTHING_TO_ROLL_BACK_TO, ())
    assert plan.intent.champion == status().champion
    assert plan.intent.guard == GuardState(
        version="3", started_at=NOW, expected=None, ended="Breached", reason="NothingToRollBackTo", message=plan.message
    )
    assert [alert.event for alert in plan.alerts] == ["Degraded"]
    again = decide(but(breached, status=plan.intent))
    assert (again.decision, again.alerts) == (Decision.NO_ACTION, ())


def test_the_guard_passes_on_evidence():
    plan = decide(but(GUARDED, status__guard=guard_state(age=30)))
    assert summed_up(plan) == (Decision.NO_ACTION, Reason.GUARD_PASSED, ())
    assert plan.intent.guard == but(
        guard_state(age=30),
        ended="Passed",
        reason="GuardPassed",
        message="version 3 kept every limit over 800 messages",
    )


def test_the_guard_ends_unproven_and_keeps_the_previous_version():
    plan = decide(but(GUARDED, status__guard=guard_state(age=24 * 60), guard=None))
    assert plan.reason is Reason.GUARD_UNPROVEN
    assert (plan.intent.guard.ended, plan.intent.previous) == ("Unproven", ref("2"))


# What people ask for.


def test_a_requested_rollback_is_acted_on_once():
    asked = but(quiet(), model__requests=Requests(rollback="t1", actor="ana"), registry=None)
    plan = decide(asked)
    assert summed_up(plan) == (Decision.ROLLBACK, Reason.ROLLBACK_REQUESTED, (Deploy(model=ref("2")),))
    assert plan.intent.handled.rollback == "t1"
    assert plan.intent.quarantined == ("digest-3",)
    assert [alert.event for alert in plan.alerts] == ["RolledBack"]
    back = but(asked, status=plan.intent, served=served("2"))
    again = decide(but(back, status=decide(back).intent))
    assert (again.decision, again.actions) == (Decision.NO_ACTION, ())


def test_a_requested_rollback_stops_a_promotion_under_way():
    plan = decide(but(ROLLING, model__requests=Requests(rollback="t1")))
    assert summed_up(plan) == (Decision.ROLLBACK, Reason.ROLLBACK_REQUESTED, (Deploy(model=status().champion),))
    assert plan.intent.quarantined == ("digest-4",)


def test_a_requested_rollback_during_a_rollback_changes_nothing():
    plan = decide(but(BACK, model__requests=Requests(rollback="t1")))
    assert summed_up(plan) == (Decision.NO_ACTION, Reason.ROLLBACK_REQUESTED, ())
    assert plan.intent.rollout.to == ref("2")


def test_a_requested_rollback_to_nothing_says_so():
    plan = decide(but(quiet(), status__previous=None, model__requests=Requests(rollback="t1")))
    assert (plan.decision, plan.reason) == (Decision.ALERT, Reason.NOTHING_TO_ROLL_BACK_TO)
    assert plan.intent.guard == quiet().status.guard  # nobody saw the champion do anything wrong


def test_a_requested_rollback_to_nothing_leaves_a_guard_that_is_on():
    guarded = but(quiet(), status__guard=guard_state(), status__previous=None)
    plan = decide(but(guarded, model__requests=Requests(rollback="t1")))
    assert (plan.reason, plan.intent.guard) == (Reason.NOTHING_TO_ROLL_BACK_TO, guarded.status.guard)


FORCED = but(
    quiet(),
    model__requests=Requests(promote_version="4", promote_token="t1", actor="ana", reason="hotfix"),
    registry=(registered("3", "champion"), registered("4")),
)


def test_a_forced_promotion_goes_round_the_gates_and_under_the_guard():
    plan = decide(but(FORCED, status__quarantined=("digest-4", "digest-1")))
    assert summed_up(plan) == (Decision.PROMOTE, Reason.FORCED, (Deploy(model=ref("4")),))
    assert plan.message == "version 4, round the comparison, asked for by ana: hotfix"
    assert plan.intent.handled.promote == "t1"
    assert plan.intent.quarantined == ("digest-1",)
    done = decide(but(FORCED, status=plan.intent, served=served("4")))
    assert done.intent.guard == GuardState(version="4", started_at=NOW, expected=None)


def test_a_forced_promotion_of_the_held_candidate_keeps_its_expectations():
    plan = decide(but(FORCED, status__candidate=HELD))
    assert plan.intent.rollout.expected == expected()
    assert plan.intent.rollout.to == but(ref("4"), metrics=metrics())


REFUSED = {
    "a version that the registry does not know": (
        but(FORCED, registry=(registered("3", "champion"),)),
        Decision.ALERT,
        Reason.VERSION_UNKNOWN,
        ["Held"],
    ),
    "a version other than the pinned one": (
        but(FORCED, model__spec__serving__pinned_version="3"),
        Decision.ALERT,
        Reason.PINNED,
        ["Held"],
    ),
    "the champion itself": (
        but(FORCED, model__requests__promote_version="3"),
        Decision.NO_ACTION,
        Reason.FORCED,
        [],
    ),
}


@pytest.mark.parametrize(("observation", "decision", "reason", "events"), REFUSED.values(), ids=REFUSED.keys())
def test_a_forced_promotion_is_refused_once(observation, decision, reason, events):
    plan = decide(observation)
    assert summed_up(plan) == (decision, reason, ())
    assert plan.intent.handled.promote == "t1"
    assert [alert.event for alert in plan.alerts] == events


def test_a_forced_promotion_waits_for_the_registry():
    plan = decide(but(FORCED, registry=None))
    assert summed_up(plan) == (Decision.ALERT, Reason.EVIDENCE_MISSING, ())
    assert plan.intent.handled.promote == ""


APPROVED = but(quiet(), model__requests=Requests(approve_version="4"), status__candidate=HELD)


def test_an_approved_candidate_is_promoted():
    plan = decide(APPROVED)
    assert summed_up(plan) == (
        Decision.PROMOTE,
        Reason.APPROVED,
        (Deploy(model=but(ref("4"), metrics=metrics())),),
    )
    assert plan.intent.handled.approve == "4"
    assert (plan.intent.rollout.reason, plan.intent.rollout.expected) == ("Approved", expected())


NOT_APPROVED = {
    "nothing waits": ({"status__candidate": None}, Reason.VERSION_UNKNOWN),
    "another version waits": ({"status__candidate__summary": summary("5")}, Reason.VERSION_UNKNOWN),
    "the candidate was rejected": (
        {"status__candidate__decision": "REJECT", "status__candidate__expires_at": None},
        Reason.VERSION_UNKNOWN,
    ),
    "the offer has lapsed": ({"status__candidate__expires_at": NOW}, Reason.APPROVAL_LAPSED),
    "another version is pinned": ({"model__spec__serving__pinned_version": "3"}, Reason.PINNED),
}


@pytest.mark.parametrize(("changes", "reason"), NOT_APPROVED.values(), ids=NOT_APPROVED.keys())
def test_an_approval_is_refused(changes, reason):
    plan = decide(but(APPROVED, **changes))
    assert summed_up(plan) == (Decision.ALERT, reason, ())
    assert plan.intent.handled.approve == "4"


# A champion that is there already, and one that is pinned.

LOST = but(quiet(), status=but(status(), champion=None, previous=None, trained_hash="", run_ordinal=0))


def test_what_is_served_is_adopted_before_anything_is_trained():
    plan = decide(LOST)
    assert summed_up(plan) == (Decision.NO_ACTION, Reason.ADOPTED, (Deploy(model=ref("3")),))
    assert plan.intent.champion == but(ref("3"), promoted_at=NOW)
    assert plan.intent.previous == ref("2")
    assert plan.intent.trained_hash == "hash-1"
    assert plan.alerts == ()


ADOPTIONS = {
    "served, registry unreadable": ({"registry": None}, "3", ""),
    "nothing served, alias in the registry": ({"served": served(None)}, "3", "run-3"),
    "serving silent, alias in the registry": ({"served": None}, "3", "run-3"),
    "what is served beats the alias": ({"served": served("2")}, "2", "run-2"),
    "served without a digest, known to the registry": ({"served": but(served("3"), digest=None)}, "3", "run-3"),
}


@pytest.mark.parametrize(("changes", "version", "run_id"), ADOPTIONS.values(), ids=ADOPTIONS.keys())
def test_adoption(changes, version, run_id):
    after = decide(but(LOST, **changes)).intent
    assert after.champion == but(ref(version), run_id=run_id, promoted_at=NOW)


@pytest.mark.parametrize("answer", [None, served(None)], ids=["serving silent", "nothing served"])
def test_nothing_is_trained_while_the_registry_can_not_be_read(answer):
    plan = decide(but(LOST, served=answer, registry=None))
    assert (plan.decision, plan.reason, plan.actions) == (Decision.NO_ACTION, Reason.STEADY, ())


PINNED = but(quiet(), model__spec__serving__pinned_version="2")


def test_a_pinned_version_is_served_under_guard():
    plan = decide(PINNED)
    assert summed_up(plan) == (Decision.PROMOTE, Reason.PINNED, (Deploy(model=ref("2")),))
    assert plan.intent.rollout.reason == "Pinned"
    done = decide(but(PINNED, status=plan.intent, served=served("2")))
    assert done.intent.guard.version == "2"
    assert decide(but(PINNED, status=done.intent, served=served("2"))).decision is Decision.NO_ACTION


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model__spec__serving__pinned_version": "9"}, Reason.VERSION_UNKNOWN),
        ({"status__quarantined": ("digest-2",)}, Reason.QUARANTINED),
    ],
    ids=["the registry does not know it", "it was rolled back"],
)
def test_a_pinned_version_that_can_not_be_served_is_told_once(changes, reason):
    observation = but(PINNED, **changes)
    plan = decide(observation)
    assert (plan.decision, plan.reason) == (Decision.ALERT, reason)
    assert [alert.event for alert in plan.alerts] == ["Held"]
    assert decide(but(observation, status=plan.intent)).alerts == ()


def test_a_pinned_version_waits_for_the_registry():
    plan = decide(but(PINNED, registry=None))
    assert summed_up(plan) == (Decision.NO_ACTION, Reason.STEADY, ())


def test_a_pinned_version_that_breaks_its_guard_is_not_served_again():
    breached = but(
        BREACHED,
        model__spec__serving__pinned_version="3",
        registry=(registered("2", "previous"), registered("3", "champion")),
    )
    back = decide(breached)
    assert back.decision is Decision.ROLLBACK
    under_way = but(breached, status=back.intent, guard=None)
    assert decide(under_way).actions == ()
    home = but(under_way, served=served("2"))
    settled = but(home, status=decide(home).intent)
    plan = decide(settled)
    assert (plan.decision, plan.reason) == (Decision.ALERT, Reason.QUARANTINED)
    assert not any(isinstance(action, Deploy) for action in plan.actions)


# The world is kept as it was decided.


@pytest.mark.parametrize(
    "answer", [served("2"), served(None), but(served("3"), digest="other")], ids=["another", "nothing", "digest"]
)
def test_a_served_version_changed_by_hand_is_put_right(answer):
    plan = decide(but(quiet(), served=answer))
    assert (plan.decision, plan.actions) == (Decision.NO_ACTION, (Deploy(model=status().champion),))


def test_an_alias_changed_by_hand_is_put_right():
    moved = but(quiet(), registry=(registered("2", "champion"), registered("3", "previous")))
    mirror = SetAliases(champion=status().champion, candidate=None, previous=ref("2"))
    assert decide(moved).actions == (mirror,)


def test_an_alias_that_was_left_behind_is_taken_away():
    left = but(quiet(), status__previous=None)
    assert decide(left).actions == (SetAliases(champion=status().champion, candidate=None, previous=None),)


@pytest.mark.parametrize(
    "registry",
    [None, (), (registered("3", "champion"),)],
    ids=["unreadable", "champion unknown to it", "previous unknown to it"],
)
def test_aliases_are_left_alone_where_the_registry_does_not_know_the_version(registry):
    assert decide(but(quiet(), registry=registry)).actions == ()


def test_a_breach_goes_before_a_run():
    wild = but(drifted(), status__guard=guard_state(), guard=guard_evidence(error_ratio=0.5))
    assert decide(wild).decision is Decision.ROLLBACK
