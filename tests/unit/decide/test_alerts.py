"""What an alert says: what happened, the numbers, what was done, what is left to a person, and where to read more."""

from datetime import timedelta

import pytest

from autoretrain.adapters import records
from autoretrain.adapters.crd import resource_schema
from autoretrain.decide import alert_words
from autoretrain.decide.alerts import Pointer, alerts_between, as_of
from autoretrain.decide.transition import decide, fold
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Alert, Outcome, StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import Approval, Requests
from autoretrain.domain.status import Status
from autoretrain.domain.training import RunObservation, RunState
from tests.unit.decide.builders import (
    NOW,
    but,
    drifted,
    estimate,
    guard_evidence,
    guard_state,
    metrics,
    minutes,
    quiet,
    run,
    status,
    summary,
)

LINK = Pointer(dashboard_url="https://spam.example/", sequence=41)


def told(observation: Observation, pointer: Pointer | None = None, *, before: Status | None = None) -> dict[str, Alert]:
    """Decide, and return the alerts of it by event."""
    plan = decide(observation)
    alerts = alerts_between(
        observation.status if before is None else before,
        plan.intent or observation.status,
        model_key=observation.model.key,
        on=observation.model.spec.alerts.on,
        findings=plan.findings,
        pointer=pointer,
    )
    return {alert.event: alert for alert in alerts}


def breached() -> Observation:
    return but(quiet(), status__guard=guard_state(), guard=guard_evidence(spam_share=estimate(0.61)))


def ended(state: RunState, **changes: object) -> Observation:
    seen = RunObservation(run_name=run().name, state=state, **changes)
    return but(quiet(), status__active_run=run(), run=seen)


def test_a_rollback_is_told_whole():
    alert = told(breached(), LINK)["RolledBack"]
    assert alert.title == "default.sms-spam: the previous version is put back"
    assert alert.message.startswith("SpamShareUnexpected: version 3: spam share shift 0.610")
    assert alert.figures[0] == "spam share shift 0.48 > 0.05"
    assert alert.done == "version 2 is being put back; version 3 is not promoted again"
    assert alert.todo == "Find out what it learned from before the next run is promoted: autoretrain explain sms-spam"
    assert (alert.at, alert.see) == (NOW, "https://spam.example/decisions?model=default.sms-spam&id=41")


def test_a_reason_of_any_length_is_told_by_its_beginning():
    """The monitor takes no more than 64 KiB at once; an annotation may be four times as long."""
    asked = but(quiet(), model__requests=Requests(rollback="1", actor="ann", reason="bad " * 50_000))
    message = told(asked)["RolledBack"].message
    assert message.startswith("RollbackRequested: ")
    assert "asked for by ann: bad bad" in message
    assert len(message) == 1000


def test_drift_is_told_with_score_threshold_and_what_follows():
    alert = told(drifted())["DriftDetected"]
    assert alert.figures[:2] == ("drift 0.5 > 0.15", "drift 0.5 in 500 messages, threshold 0.15")
    assert alert.done == "a run is submitted; version 3 serves"


def test_a_candidate_that_waits_is_told_with_its_figures_and_what_to_type():
    spec = {"model__spec__promotion__approval": Approval.MANUAL}
    observation = but(ended(RunState.SUCCEEDED, summary=summary()), **spec)
    alert = told(observation, Pointer(options="--namespace spam", sequence=7))["Held"]
    assert "version 4 on 1000 held-out messages: accuracy 0.985, F1 0.95" in alert.figures
    assert alert.todo.endswith("then: autoretrain approve sms-spam --namespace spam")
    assert alert.see == "autoretrain explain sms-spam --namespace spam --decision 7"


def test_a_promotion_is_told_with_the_figures_of_what_serves_now():
    after = but(status(), champion__metrics=metrics(0.99, 0.96))
    assert alert_words.figures("Promoted", after, ()) == (
        "version 3 on 1000 held-out messages: accuracy 0.99, F1 0.96",
    )


def test_the_last_words_of_a_run_are_not_told():
    """They may quote a row of the data, and a message with it."""
    observation = ended(RunState.FAILED, message="line 3: 'call me, love' has no label", retriable=True)
    [alert] = told(observation).values()
    assert alert.message == f"TrainingFailed: one run failed, the last was {run().name}"
    assert "love" not in str(alert)
    assert "love" in (decide(observation).intent or status()).history[-1].message


def test_without_a_dashboard_the_link_is_a_command():
    assert Pointer().see("default.sms-spam") == "autoretrain explain sms-spam"
    assert Pointer(dashboard_url="http://d").see("default.sms-spam") == "http://d/decisions?model=default.sms-spam"


@pytest.mark.parametrize("observation", [breached(), drifted()], ids=["rollback", "drift"])
def test_a_transition_has_one_id_also_when_it_is_told_from_the_status_that_was_left(observation):
    live = told(observation)
    after = records.load_record(Status, records.dump_record(decide(observation).intent))
    later = but(observation, status=after, now=NOW + minutes(1))
    again = alerts_between(
        as_of(after, NOW - minutes(15)), after, model_key="default.sms-spam", on=later.model.spec.alerts.on
    )
    assert {alert.event: alert.id for alert in again} == {event: alert.id for event, alert in live.items()}
    assert all(alert.id for alert in again)


def test_what_is_worse_than_what_stood_already_is_told_too():
    """A champion that breaks a limit with nothing to go back to says so by this condition alone."""
    failed = ended(RunState.FAILED, message="no", retriable=True)
    first, stood = told(failed)["Degraded"], decide(failed).intent
    worse = but(breached(), status=but(stood, guard=guard_state(), previous=None), now=NOW + minutes(1))
    alert = told(worse)["Degraded"]
    assert alert.message.startswith("NothingToRollBackTo: ")
    assert alert.id != first.id
    assert told(but(worse, status=decide(worse).intent, now=NOW + minutes(2))) == {}


def test_what_came_about_long_ago_is_not_told_again():
    after = decide(breached()).intent
    assert as_of(after, NOW + timedelta(seconds=1)) == after


def test_what_was_planned_and_failed_is_not_told():
    observation = drifted()
    plan = decide(observation)
    outcomes = [Outcome(action=each, succeeded=not isinstance(each, StartTraining)) for each in plan.actions]
    after = fold(observation, plan, outcomes)
    alerts = alerts_between(
        observation.status, after, model_key="default.sms-spam", on=observation.model.spec.alerts.on
    )
    assert [alert.event for alert in alerts] == ["Degraded"]


def test_every_event_of_the_document_has_its_words():
    spec = resource_schema()["properties"]["spec"]["properties"]
    events = set(spec["alerts"]["properties"]["events"]["items"]["enum"])
    assert events == set(alert_words.TITLES)
    for event in events:
        for reason in ("", *Reason):
            assert alert_words.todo(event, reason, target="sms-spam")
            assert alert_words.done(event, reason, status())
