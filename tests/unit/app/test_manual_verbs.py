"""What a person may ask for by hand is what the decision core would follow now, and is known again once it did."""

import pytest

from autoretrain.app.manual_verbs import Foreseen, Verb, changes_of, foresee, is_handled
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision
from autoretrain.domain.status import CandidateState, HandledRequests, Rollout, Status
from tests.unit.decide import builders
from tests.unit.decide.builders import NOW, but, minutes, ref, registered, run, status

MODEL, STATUS = builders.model(), status()
WAITING = CandidateState(
    summary=builders.summary("4"),
    decision=Decision.HOLD,
    reason="AwaitingApproval",
    message="the gates are passed",
    decided_at=NOW,
    expires_at=NOW + minutes(60),
)


def seen(verb: Verb, *, model=MODEL, status=STATUS, version="") -> Foreseen:
    return foresee(verb, model, status, now=NOW, version=version, registered=(registered("2"), registered("3")))


@pytest.mark.parametrize(
    ("changes", "handled"),
    [
        ({"retrain": "t"}, HandledRequests(retrain="t")),
        ({"rollback": "t"}, HandledRequests(rollback="t")),
        ({"approve_version": "3"}, HandledRequests(approve="3")),
        ({"promote_version": "3", "promote_token": "t"}, HandledRequests(promote="t")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_verb_is_handled_by_its_own_token(changes, handled):
    assert is_handled(handled, changes | {"actor": "ann", "reason": "why"})
    assert not is_handled(HandledRequests(), changes)


def test_a_promotion_without_a_reason_is_refused():
    with pytest.raises(AutoRetrainError, match="say why"):
        changes_of(Verb.PROMOTE, actor="ann", reason="", status=Status(), version="3")


def test_an_approval_is_of_the_candidate_that_waits_unless_told_otherwise():
    waiting = but(status(), candidate=WAITING)
    asked = changes_of(Verb.APPROVE, actor="ann", reason="", status=waiting)
    assert asked == {"actor": "ann", "reason": "", "approve_version": "4"}


def test_a_rollback_says_from_where_to_where():
    assert seen(Verb.ROLLBACK) == Foreseen(allowed=True, message="going back from version 3 to version 2")


@pytest.mark.parametrize(
    "changes",
    [{"previous": None}, {"quarantined": (ref("2").digest,)}, {"champion": None}],
    ids=["no previous version", "the previous one is quarantined", "nothing is served"],
)
def test_a_rollback_to_nothing_is_not_offered(changes):
    foreseen = seen(Verb.ROLLBACK, status=but(status(), **changes))
    assert not foreseen.allowed
    assert "no good previous version" in foreseen.message


def test_a_version_that_comes_back_already_is_not_asked_for_again():
    coming = Rollout(from_version="3", to=ref("2"), started_at=NOW, rollback=True, reason="RollbackRequested")
    foreseen = seen(Verb.ROLLBACK, status=but(status(), rollout=coming))
    assert foreseen == Foreseen(allowed=False, message="version 2 is on its way back already")


def test_a_candidate_that_waits_can_be_approved_until_its_offer_lapses():
    assert seen(Verb.APPROVE, status=but(status(), candidate=WAITING)).allowed
    lapsed = seen(Verb.APPROVE, status=but(status(), candidate=but(WAITING, expires_at=NOW)))
    assert lapsed == Foreseen(allowed=False, message="the offer of version 4 has lapsed; retrain")
    rejected = but(WAITING, decision=Decision.REJECT, expires_at=None)
    assert not seen(Verb.APPROVE, status=but(status(), candidate=rejected)).allowed
    assert not seen(Verb.APPROVE).allowed


def test_a_registered_version_can_be_promoted_and_the_champion_and_a_pinned_models_others_can_not():
    assert seen(Verb.PROMOTE, version="2").allowed
    assert seen(Verb.PROMOTE, version="3") == Foreseen(allowed=False, message="version 3 is the champion already")
    assert "no version 9" in seen(Verb.PROMOTE, version="9").message
    pinned = but(MODEL, spec__serving__pinned_version="3")
    assert "version 3 is pinned" in seen(Verb.PROMOTE, model=pinned, version="2").message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"active_run": run()}, "is in flight"),
        ({"run_starts": (NOW,) * MODEL.spec.triggers.max_runs_per_day}, "runs started within a day"),
    ],
    ids=["one runs", "the budget is spent"],
)
def test_a_run_can_not_be_asked_for_where_the_rules_would_hold_it_back(changes, says):
    foreseen = seen(Verb.RETRAIN, status=but(status(), **changes))
    assert not foreseen.allowed
    assert says in foreseen.message


def test_a_run_needs_no_evidence_and_a_suspended_model_starts_none():
    assert seen(Verb.RETRAIN) == Foreseen(allowed=True, message="")
    suspended = but(MODEL, spec__suspend=True)
    assert not seen(Verb.RETRAIN, model=suspended).allowed
    assert (seen(Verb.SUSPEND, model=suspended).allowed, seen(Verb.RESUME, model=suspended).allowed) == (False, True)
    assert (seen(Verb.SUSPEND).allowed, seen(Verb.RESUME).allowed) == (True, False)
