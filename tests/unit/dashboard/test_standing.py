"""A model's state is one true sentence, and what needs a person comes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from autoretrain.dashboard.queries.standing import Urgency, read_standing
from autoretrain.domain.status import (
    ActiveRun,
    CandidateState,
    Condition,
    GuardState,
    ModelRef,
    Notice,
    Rollout,
    Status,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAMPION = ModelRef(version="4", digest="sha256:4")
SERVED = Status(champion=CHAMPION)
RUN = ActiveRun(
    name="run-5", ordinal=5, trigger="drift", started_at=NOON, label_cutoff=0, training_hash="", changed_at=None
)
ROLLOUT = Rollout(
    from_version="4", to=replace(CHAMPION, version="5"), started_at=NOON, rollback=False, reason="Approved"
)
GUARD = GuardState(version="4", started_at=NOON, expected=None)


def condition(kind, value, *, reason="EvidenceMissing", message="not readable: serving"):
    return Condition(
        type=kind,
        status=value,
        reason=reason,
        message=message,
        observed_generation=1,
        last_transition_at=NOON,
    )


def candidate(expires_at):
    return CandidateState(
        summary=SimpleNamespace(version="5"),
        decision="HOLD",
        reason="AwaitingApproval",
        message="",
        decided_at=NOON,
        expires_at=expires_at,
    )


def standing(status, *, suspend=False):
    spec = SimpleNamespace(suspend=suspend)
    return read_standing(SimpleNamespace(model=SimpleNamespace(spec=spec), status=status), now=NOON)


@pytest.mark.parametrize(
    ("status", "urgency", "said"),
    [
        (SERVED, Urgency.HEALTHY, "Healthy: version 4 is served, nothing needs a person."),
        (Status(), Urgency.WORKING, "No version is served yet; the first run has not begun."),
        (
            Status(active_run=RUN),
            Urgency.WORKING,
            "No version is served yet; a run is training, asked for by: drift.",
        ),
        (
            replace(SERVED, active_run=RUN),
            Urgency.WORKING,
            "Version 4 is served; a run is training, asked for by: drift.",
        ),
        (replace(SERVED, rollout=ROLLOUT), Urgency.WORKING, "Version 5 is being rolled out."),
        (
            replace(SERVED, rollout=replace(ROLLOUT, rollback=True)),
            Urgency.WORKING,
            "Version 5 is being brought back.",
        ),
        (
            replace(SERVED, guard=GUARD),
            Urgency.WORKING,
            "Version 4 is served and watched closely, since it is new.",
        ),
        (
            replace(SERVED, guard=replace(GUARD, ended="Passed")),
            Urgency.HEALTHY,
            "Healthy: version 4 is served, nothing needs a person.",
        ),
        (
            replace(SERVED, candidate=candidate(NOON + timedelta(hours=1))),
            Urgency.NEEDS_PERSON,
            "A candidate, version 5, waits for your approval until 2026-03-01 13:00 UTC.",
        ),
        (
            replace(SERVED, candidate=candidate(NOON)),
            Urgency.HEALTHY,
            "Healthy: version 4 is served, nothing needs a person.",
        ),
    ],
    ids=[
        "at rest",
        "nothing yet",
        "first run",
        "a run",
        "a rollout",
        "a rollback",
        "under guard",
        "guard is over",
        "an approval is waited for",
        "an approval has lapsed",
    ],
)
def test_the_state_is_said_in_one_sentence(status, urgency, said):
    found = standing(status)
    assert (found.urgency, found.sentence) == (urgency, said)


def test_what_is_suspended_is_said_so():
    assert standing(SERVED, suspend=True).sentence == "Version 4 is served; it is suspended, so no run starts."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (condition("Stalled", True, reason="InvalidSpec", message="spec.x: is wrong"), "Stalled (InvalidSpec)"),
        (condition("ServingAvailable", None, message="serving does not answer"), "Nobody may be answered"),
        (condition("ServingAvailable", False, message="serving is not ready"), "Nobody may be answered"),
        (condition("Degraded", True, reason="BreakerOpen", message="3 candidates"), "Degraded (BreakerOpen)"),
        (condition("MetricsAvailable", False), "Nothing is decided on what can't be read."),
    ],
)
def test_a_condition_that_only_a_person_ends_needs_one(found, said):
    [need] = standing(replace(SERVED, conditions=(found,))).needs
    assert need.what.startswith(said)
    assert need.do


@pytest.mark.parametrize(
    "fine",
    [
        condition("Stalled", False),
        condition("ServingAvailable", True),
        condition("Degraded", False),
        condition("MetricsAvailable", False, reason="WindowTooSmall"),
        condition("Ready", False),
        condition("DriftDetected", True),
    ],
)
def test_what_the_system_sees_to_itself_needs_nobody(fine):
    assert standing(replace(SERVED, conditions=(fine,))).needs == ()


def test_serving_that_changes_its_version_needs_nobody():
    rolling = replace(SERVED, rollout=ROLLOUT, conditions=(condition("ServingAvailable", False),))
    assert standing(rolling).needs == ()


def test_the_most_urgent_need_is_the_sentence_and_the_others_are_counted():
    status = replace(
        SERVED,
        conditions=(
            condition("Degraded", True, reason="BreakerOpen", message="b"),
            condition("Stalled", True, message="a"),
        ),
        notices=(Notice(event="NoNewData", reason="NoNewData", message="drift: 3 of 250 new labels"),),
        candidate=candidate(NOON + timedelta(hours=1)),
    )
    found = standing(status)
    assert found.sentence == "Stalled (EvidenceMissing): a. And 3 more."
    assert [need.what.split(" ")[0] for need in found.needs] == ["Stalled", "Degraded", "A", "Drift:"]


def test_after_a_rollback_the_guard_is_what_a_person_looks_at():
    guard = replace(GUARD, ended="Breached", reason="SpamShareTooHigh", message="91 % spam")
    degraded = condition("Degraded", True, reason="SpamShareTooHigh", message="91 % spam")
    [need] = standing(replace(SERVED, guard=guard, conditions=(degraded,))).needs
    assert "what the guard saw" in need.do
