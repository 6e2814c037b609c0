"""What the conditions say, and when their transition time moves."""

import pytest

from autoretrain.decide.conditions import derive_conditions
from autoretrain.decide.transition import decide
from autoretrain.domain.errors import Problem
from autoretrain.domain.plan import Decision
from autoretrain.domain.status import Condition, GuardState, Rollout
from autoretrain.domain.training import RunObservation, RunState
from tests.unit.decide.builders import NOW, but, drifted, minutes, quiet, ref, run, served, window

BROKEN = (
    Problem("spec.triggers.cooldownSeconds", "must be a whole number"),
    Problem("spec.promotion.minF1", "must be in quotes"),
)
ROLLOUT = Rollout(from_version="3", to=ref("4"), started_at=NOW, rollback=False, reason="x")


def conditions(observation) -> dict[str, Condition]:
    return {condition.type: condition for condition in derive_conditions(observation)}


CASES = {
    ("Ready", "the champion is served"): (quiet(), True, "ChampionServed"),
    ("Ready", "drift does not clear it"): (drifted(), True, "ChampionServed"),
    ("Ready", "training does not clear it"): (but(quiet(), status__active_run=run()), True, "ChampionServed"),
    ("Ready", "missing evidence does not clear it"): (
        but(quiet(), drift=None, performance=None, supply=None, registry=None),
        True,
        "ChampionServed",
    ),
    ("Ready", "serving is silent"): (but(quiet(), served=None), None, "EvidenceMissing"),
    ("Ready", "one replica is behind"): (but(quiet(), served=served("3", ready=False)), False, "ServingUnavailable"),
    ("Ready", "another version is served"): (but(quiet(), served=served("2")), False, "ServingUnavailable"),
    ("Ready", "no champion"): (but(quiet(), status__champion=None), False, "NoChampion"),
    ("Ready", "a rollout is under way"): (but(quiet(), status__rollout=ROLLOUT), False, "RolloutInProgress"),
    ("Reconciling", "a rollout is under way"): (but(quiet(), status__rollout=ROLLOUT), True, "RolloutInProgress"),
    ("Reconciling", "training is not reconciling"): (but(quiet(), status__active_run=run()), "absent", ""),
    ("Stalled", "all is well"): (quiet(), "absent", ""),
    ("Stalled", "the document is broken"): (but(quiet(), document_problems=BROKEN), True, "InvalidSpec"),
    ("Ready", "a broken document does not clear it"): (
        but(quiet(), document_problems=BROKEN),
        True,
        "ChampionServed",
    ),
    ("Stalled", "the pinned version is unknown"): (
        but(quiet(), model__spec__serving__pinned_version="9"),
        True,
        "VersionUnknown",
    ),
    ("Stalled", "the input was refused"): (
        but(quiet(), status__last_run=run(), status__last_run_reason="TrainingBadInput"),
        True,
        "TrainingBadInput",
    ),
    ("MetricsAvailable", "everything was read"): (quiet(), True, "Measured"),
    ("MetricsAvailable", "no window yet"): (but(quiet(), drift=()), False, "WindowTooSmall"),
    ("MetricsAvailable", "windows unreadable"): (but(quiet(), drift=None), False, "EvidenceMissing"),
    ("MetricsAvailable", "labels unreadable"): (but(quiet(), supply=None), False, "EvidenceMissing"),
    ("MetricsAvailable", "windows stale"): (
        but(quiet(), drift=(window(1, 0.1, ended_at=NOW - minutes(2000)),)),
        False,
        "EvidenceMissing",
    ),
    ("MetricsAvailable", "nothing to measure"): (but(quiet(), status__champion=None), None, "NoChampion"),
    ("Retraining", "nothing asks"): (quiet(), False, "Steady"),
    ("Retraining", "in flight"): (but(quiet(), status__active_run=run()), True, "RunActive"),
    ("Retraining", "wanted and held back"): (but(drifted(), supply__new_labels=0), False, "NoNewData"),
    ("ServingAvailable", "it answers"): (quiet(), True, "ChampionServed"),
    ("ServingAvailable", "it does not answer"): (but(quiet(), served=None), None, "EvidenceMissing"),
    ("ServingAvailable", "it has no model"): (but(quiet(), served=served(None)), False, "ServingUnavailable"),
    ("Degraded", "all is well"): (quiet(), False, "Steady"),
    ("Degraded", "a guard was breached"): (
        but(
            quiet(),
            status__guard=GuardState(
                version="4",
                started_at=NOW,
                expected=None,
                ended="Breached",
                reason="SpamShareTooHigh",
                message="spam share",
            ),
            status__breaker_open=True,
        ),
        True,
        "SpamShareTooHigh",
    ),
    ("Degraded", "a rollout is overdue"): (
        but(quiet(), status__rollout=but(ROLLOUT, waited_seconds=300.0)),
        True,
        "RolloutTimedOut",
    ),
    ("Degraded", "the breaker is open"): (but(quiet(), status__breaker_open=True), True, "BreakerOpen"),
    ("Degraded", "runs fail"): (
        but(quiet(), status__failures=2, status__last_run_reason="TrainingFailed"),
        True,
        "TrainingFailed",
    ),
}


@pytest.mark.parametrize(
    ("kind", "observation", "status", "reason"),
    [(kind, *case) for (kind, _), case in CASES.items()],
    ids=[f"{kind}: {sentence}" for kind, sentence in CASES],
)
def test_condition(kind, observation, status, reason):
    condition = conditions(observation).get(kind)
    if status == "absent":
        assert condition is None
    else:
        assert (condition.status, condition.reason) == (status, reason)


def test_a_first_champion_has_no_audit_labels_yet_rather_than_unreadable_ones():
    rollout = but(ROLLOUT, from_version=None)
    first = but(quiet(), status__champion=None, status__rollout=rollout, served=served("4"), drift=(), performance=None)
    after = decide(first).intent
    [condition] = [c for c in after.conditions if c.type == "MetricsAvailable"]
    assert (after.champion.version, condition.status, condition.reason) == ("4", False, "WindowTooSmall")


def test_a_broken_document_is_named_by_field_with_what_holds_instead_and_the_loop_goes_on():
    broken = but(drifted(), document_problems=BROKEN)
    assert conditions(broken)["Stalled"].message == (
        "spec.triggers.cooldownSeconds: must be a whole number (and 1 more); the last good document holds"
    )
    assert decide(broken).decision is Decision.RETRAIN
    mended = but(quiet(), status=decide(broken).intent)
    assert "Stalled" not in conditions(mended)


def test_the_transition_time_moves_only_when_the_status_flips():
    first = conditions(but(quiet(), served=served("3", ready=False)))["Ready"]
    still = but(quiet(), now=NOW + minutes(1), status__conditions=(first,), served=served("2"), model__generation=2)
    assert conditions(still)["Ready"] == but(first, observed_generation=2)
    flipped = conditions(but(still, served=served("3")))["Ready"]
    assert (flipped.status, flipped.last_transition_at) == (True, NOW + minutes(1))


def after(observation, *, scores):
    """Make a pass over windows with these scores; return the next observation."""
    seen = but(observation, drift=tuple(window(number, score) for number, score in enumerate(scores)))
    return but(seen, status=decide(seen).intent, now=seen.now + minutes(1))


def drift_status(observation) -> bool | None:
    return {c.type: c.status for c in observation.status.conditions}["DriftDetected"]


def test_drift_is_entered_and_left_at_different_levels():
    world = after(quiet(), scores=(0.12, 0.12))
    assert drift_status(world) is False
    world = after(world, scores=(0.2, 0.2))
    assert drift_status(world) is True
    world = after(world, scores=(0.2, 0.12))
    assert drift_status(world) is True
    world = after(world, scores=(0.12, 0.09))
    assert drift_status(world) is False
    world = after(world, scores=(0.09, 0.12))
    assert drift_status(world) is False


@pytest.mark.parametrize("unreadable", [None, ()], ids=["unreadable", "no window"])
def test_drift_stays_as_it_was_while_it_can_not_be_measured(unreadable):
    world = after(quiet(), scores=(0.2, 0.2))
    blind = but(world, drift=unreadable)
    assert drift_status(but(blind, status=decide(blind).intent)) is True


def test_drift_of_a_champion_that_was_never_measured_is_unknown():
    fresh = but(quiet(), drift=())
    assert drift_status(but(fresh, status=decide(fresh).intent)) is None


def test_a_new_champion_starts_with_drift_unknown():
    world = after(but(quiet(), supply=None), scores=(0.2, 0.2))
    promoted = but(world, status__rollout=ROLLOUT, served=served("4"))
    assert drift_status(but(promoted, status=decide(promoted).intent)) is None


def test_a_failed_run_says_what_it_died_of():
    active = but(quiet(), status__active_run=run())
    failed = RunObservation(run_name=run().name, state=RunState.FAILED, message="out of memory (exit code 137)")
    after = decide(but(active, run=failed)).intent
    [condition] = [c for c in after.conditions if c.type == "Degraded"]
    assert (condition.status, condition.reason) == (True, "TrainingFailed")
    assert condition.message == f"one run failed: run {run().name} failed: out of memory (exit code 137)"
