"""`--context` and `--namespace` let a command speak of a SpamModel on a cluster, in the words it has on one machine."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import stamina

from autoretrain.app.cluster_place import ClusterPlace
from autoretrain.cli import verbs
from autoretrain.cli.main import main
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.spec import Requests
from autoretrain.domain.status import CandidateState, HistoryEntry, ModelRef, PerformanceStatus, Status
from autoretrain.domain.training import TrainingSummary
from controller.requests import parse_requests

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
METRICS = ClassificationMetrics(
    rows=1000, spam_rows=130, accuracy=0.99, precision=0.98, recall=0.97, f1=0.975, false_positive_rate=0.002
)
CHAMPION = ModelRef(version="2", digest="sha256:2", metrics=METRICS)
SUMMARY = TrainingSummary(
    run_name="r-3",
    run_id="r",
    version="3",
    digest="sha256:3",
    algorithm="LinearSVM",
    profile="Word",
    data_hash="h",
    training_rows=4000,
    label_cutoff=0,
    seconds=9.0,
    holdout_metrics=METRICS,
    champion_version="2",
    champion_digest="sha256:2",
    holdout=None,
    recent=None,
    recent_newest_at=None,
    expected=None,
)
CANDIDATE = CandidateState(summary=SUMMARY, decision="HOLD", reason="AwaitingApproval", message="waits", decided_at=NOW)
HERE = ["--context", "kind-autoretrain", "--namespace", "spam"]


def entry(decision: str, *, seconds: int = 0) -> HistoryEntry:
    return HistoryEntry(at=NOW + timedelta(seconds=seconds), decision=decision, reason="Reason", message="why")


def wire(*entries: HistoryEntry) -> list[dict]:
    return [
        {"time": one.at.isoformat(), "decision": one.decision, "reason": one.reason, "message": one.message}
        for one in entries
    ]


@pytest.fixture
def place(cluster) -> ClusterPlace:
    return replace(ClusterPlace.found(cluster.kubectl, "sms-spam"), pause_seconds=0.0)


def test_status_is_told_as_on_one_machine(cluster, capsys):
    cluster.set_status(Status(champion=CHAMPION, history=(entry("PROMOTE"),)))
    assert main(["status", "sms-spam", *HERE]) == 0
    out = capsys.readouterr().out
    assert "model      spam.sms-spam\nchampion   v2 sha256:2\n" in out
    assert "2026-05-04 12:00:00 PROMOTE   Reason: why\n" in out


def test_a_model_that_no_operator_has_seen_has_a_status_that_says_so(cluster, capsys):
    assert main(["status", "sms-spam", "--json", *HERE]) == 0
    assert json.loads(capsys.readouterr().out)["history"] == []


def test_kubectl_is_told_the_context_and_the_namespace_that_were_given_and_no_others(cluster, capsys):
    main(["status", "sms-spam", *HERE])
    main(["status", "sms-spam", "-n", "spam"])
    both, one = cluster.calls[0], cluster.calls[-1]
    assert both[1:3] == ["--context=kind-autoretrain", "--namespace=spam"]
    assert [word for word in one if word.startswith(("--context", "--namespace"))] == ["--namespace=spam"]
    assert all("--request-timeout=20s" in call for call in cluster.calls)


def test_explain_tells_the_newest_decisions_of_that_model_oldest_first(cluster, capsys):
    finding = {"check": "drift", "verdict": "triggered", "message": "far", "value": 0.4, "threshold": 0.15}
    record = {"at": "2026-05-04T14:00:10.25+02:00", "decision": "RETRAIN", "reason": "Drift", "message": "drifted"}
    record["plan"] = {"findings": [finding | {"comparison": ">"}]}
    cluster.add_decision(10, record=json.dumps(record))
    cluster.add_decision(9, message="the second last")
    cluster.add_decision(8, message="too old")
    cluster.add_decision(11, model="mail", message="another model's")
    assert main(["explain", "sms-spam", "--last", "2", *HERE]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "9. 2026-05-04 12:00:09 UTC: HOLD (Steady). the second last.",
        "10. 2026-05-04 12:00:10 UTC: RETRAIN (Drift). drifted.",
        "    drift 0.40 > 0.15: far",
    ]


@pytest.mark.parametrize("record", ["{", "[]"])
def test_a_record_that_cant_be_read_is_told_by_what_the_object_says(cluster, capsys, record):
    cluster.add_decision(7, record=record, message="still told")
    assert main(["explain", "sms-spam", *HERE]) == 0
    assert capsys.readouterr().out == "7. 2026-05-04 12:00:07 UTC: HOLD (Steady). still told.\n"


def test_compare_has_a_row_for_each_version_with_a_role(cluster, capsys):
    live = PerformanceStatus(accuracy=0.96, spam_recall=None, f1=None, labels=120)
    previous = ModelRef(version="1", digest="sha256:1")
    cluster.set_status(Status(champion=CHAMPION, previous=previous, candidate=CANDIDATE, performance=live))
    assert main(["compare", "sms-spam", "--json", *HERE]) == 0
    measured = {"held_out": 1000, "accuracy": 0.99, "f1": 0.975}
    unmeasured = {"held_out": None, "accuracy": None, "f1": None}
    nothing_live = {"audit_labels": None, "live_accuracy": None, "live_f1": None}
    live_row = {"audit_labels": 120, "live_accuracy": 0.96, "live_f1": None}
    assert json.loads(capsys.readouterr().out) == [
        {"version": "v2", "role": "champion"} | measured | live_row,
        {"version": "v1", "role": "previous"} | unmeasured | nothing_live,
        {"version": "v3", "role": "candidate, HOLD"} | measured | nothing_live,
    ]


@pytest.mark.parametrize("command", ["retrain", "rollback"])
def test_a_request_is_what_the_operator_reads_of_the_annotations(cluster, command):
    assert main([command, "sms-spam", "--no-wait", "--reason", "new labels", *HERE]) == 0
    asked = parse_requests(cluster.model)
    token = getattr(asked, command)
    assert len(token) == 12
    assert asked == Requests(actor=asked.actor, reason="new labels", **{command: token})
    assert asked.actor


def test_a_promotion_carries_its_version_and_a_token_and_leaves_other_annotations_alone(cluster):
    objects = cluster.read()["objects"]
    [model] = objects.values()
    model["metadata"]["annotations"] = {"team": "desk", "autoretrain.dev/reason": "of an older request"}
    cluster.change(objects=objects)
    assert main(["promote", "sms-spam", "--version", "v3", "--force", "--reason", "we know", "--no-wait", *HERE]) == 0
    said = cluster.annotations
    assert said["team"] == "desk"
    assert (said["autoretrain.dev/promote-requested"], said["autoretrain.dev/reason"]) == ("3", "we know")
    assert said["autoretrain.dev/promote-token"]


def test_a_request_without_a_reason_does_not_inherit_one(cluster):
    assert main(["retrain", "sms-spam", "--no-wait", "--reason", "once", *HERE]) == 0
    assert main(["retrain", "sms-spam", "--no-wait", *HERE]) == 0
    assert "autoretrain.dev/reason" not in cluster.annotations


def test_approve_means_the_candidate_that_waits(cluster):
    cluster.set_status(Status(champion=CHAMPION, candidate=CANDIDATE))
    assert main(["approve", "sms-spam", "--no-wait", *HERE]) == 0
    assert cluster.annotations["autoretrain.dev/approve"] == "3"


def test_suspend_and_resume_are_a_field_of_the_spec(cluster, capsys):
    assert main(["suspend", "sms-spam", *HERE]) == 0
    assert cluster.model["spec"]["suspend"] is True
    assert main(["resume", "sms-spam", *HERE]) == 0
    assert cluster.model["spec"]["suspend"] is False
    assert "suspend of spam.sms-spam is requested.\n" in capsys.readouterr().out


def test_a_run_asked_of_a_suspended_model_is_not_waited_for(cluster, capsys):
    main(["suspend", "sms-spam", *HERE])
    assert main(["retrain", "sms-spam", *HERE]) == 0
    assert "it starts after `autoretrain resume`" in capsys.readouterr().out
    assert cluster.annotations["autoretrain.dev/retrain-requested"]


def test_a_command_prints_what_is_decided_after_it_and_ends_once_its_request_is_handled(cluster, capsys):
    cluster.set_status(Status(champion=CHAMPION, history=(entry("HOLD"),)))
    cluster.change(operator={"history": wire(entry("HOLD"), entry("RETRAIN", seconds=1), entry("PROMOTE", seconds=9))})
    assert main(["retrain", "sms-spam", *HERE]) == 0
    assert capsys.readouterr().out == "12:00:01 RETRAIN (Reason): why\n12:00:09 PROMOTE (Reason): why\n"


def test_a_command_that_could_not_be_followed_has_failed(cluster, capsys):
    cluster.change(operator={"history": wire(entry("ALERT"))})
    assert main(["rollback", "sms-spam", *HERE]) == 1
    assert capsys.readouterr().out == "12:00:00 ALERT (Reason): why\n"


@pytest.mark.parametrize("under_way", ["activeRun", "rollout"])
def test_a_command_is_not_done_while_something_is_under_way(cluster, place, monkeypatch, under_way):
    started = {"startTime": NOW.isoformat()}
    what = {
        "activeRun": started
        | {"name": "r", "ordinal": 1, "trigger": "Manual", "labelCutoff": 0, "trainingHash": "h", "attempt": 1},
        "rollout": started | {"to": {"version": "2", "digest": "sha256:2"}, "rollback": True, "reason": "asked"},
    }
    cluster.change(operator={under_way: what[under_way]})
    monkeypatch.setattr(verbs, "FOLLOW_SECONDS", 0.3)
    changes = {"retrain": "token"}
    place.request(**changes)
    with pytest.raises(AutoRetrainError, match="later it is not done"):
        verbs.follow(place, command="retrain", changes=changes, before=Status())


def test_a_request_that_no_operator_has_seen_is_not_done(cluster, place, monkeypatch):
    monkeypatch.setattr(verbs, "FOLLOW_SECONDS", 0.3)
    place.request(retrain="token")
    with pytest.raises(AutoRetrainError, match="later it is not done"):
        verbs.follow(place, command="retrain", changes={"retrain": "token"}, before=Status())


def test_an_api_server_that_is_away_for_a_moment_is_waited_for_while_a_request_is_followed(cluster, place, capsys):
    cluster.change(operator={"history": wire(entry("RETRAIN"))})
    changes = {"retrain": "token"}
    place.request(**changes)
    cluster.change(complaints=["Unable to connect to the server: EOF", "Error from server (Timeout): later"])
    with stamina.set_testing(True, attempts=3):
        assert verbs.follow(place, command="retrain", changes=changes, before=Status()) == 0
    assert cluster.read()["complaints"] == []
    assert "RETRAIN" in capsys.readouterr().out


def test_a_refusal_is_not_asked_again(cluster, place):
    cluster.change(complaints=["Error from server (Forbidden): spammodels is forbidden"] * 2)
    with pytest.raises(AutoRetrainError, match="is forbidden"), place.following("retrain") as look:
        look()
    assert len(cluster.read()["complaints"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "mail", *HERE], "there is no SpamModel mail in namespace spam of context kind-autoretrain"),
        (["retrain", *HERE], "name the SpamModel"),
        (["explain", "sms-spam", "--file", "model.yaml", *HERE], "model.yaml is a document of this machine"),
    ],
    ids=["not there", "no name", "a document"],
)
def test_what_cant_be_meant_is_said_in_a_sentence(cluster, capsys, arguments, message):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "complaint",
    [
        "error: You must be logged in to the server (Unauthorized)",
        "Error from server (NotFound): the server could not find the requested resource",
        "Unable to connect to the server: EOF",
    ],
    ids=["no login", "no operator installed", "no server"],
)
def test_what_kubectl_complains_of_is_told_as_it_stands_without_its_warnings(cluster, capsys, complaint):
    cluster.change(complaints=[complaint])
    assert main(["status", "sms-spam", *HERE]) == 1
    assert capsys.readouterr().err == f"namespace spam of context kind-autoretrain: {complaint}\n"


def test_without_kubectl_it_is_said_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["status", "sms-spam", "--namespace", "spam"]) == 1
    assert "by kubectl, and there is none on the PATH" in capsys.readouterr().err
