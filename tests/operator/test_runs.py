"""How a Job and its Pods are read: each way to end is named."""

import json
from datetime import UTC, datetime

import pytest

from autoretrain.adapters import records
from autoretrain.domain.training import RunObservation, RunState
from controller.runs import observe_run, pod_trouble
from tests.unit.decide.builders import summary


def job(kind=None, reason="", message="", **spec):
    conditions = [{"type": kind, "status": "True", "reason": reason, "message": message}] if kind else []
    return {"metadata": {"name": "run", "uid": "u"}, "spec": spec, "status": {"conditions": conditions}}


def pod(ended=None, waiting=None, created="2026-03-02T12:00:00Z", **status):
    state = {"terminated": ended} if ended else {"waiting": waiting} if waiting else {"running": {}}
    container = {"name": "trainer", "image": "trainer:1", "state": state}
    return {"metadata": {"creationTimestamp": created}, "status": {"containerStatuses": [container], **status}}


def ended(code, reason="Error", message=""):
    return pod({"exitCode": code, "reason": reason, "message": message})


def observe(a_job, *pods):
    return observe_run("run", job=a_job, pods=pods)


def failed(message, *, retriable=True):
    return RunObservation(run_name="run", state=RunState.FAILED, message=message, retriable=retriable)


EVICTED = pod(reason="Evicted", message="The node was low on resource: memory.")
DRAINED = pod(conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}])
NO_IMAGE = pod(waiting={"reason": "ImagePullBackOff"})
BACKOFF = job("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def test_a_run_without_a_verdict_is_running():
    assert observe(job(), pod()) == RunObservation(run_name="run", state=RunState.RUNNING)


def test_a_complete_run_has_the_summary_of_its_pod():
    made = summary(run_name="run")
    text = json.dumps(records.dump_record(made))
    seen = observe(job("Complete"), ended(1, message="first attempt"), ended(0, "Completed", text))
    assert seen == RunObservation(run_name="run", state=RunState.SUCCEEDED, summary=made)


@pytest.mark.parametrize("text", ["", "no JSON", "{}", "[1]", '{"run_name": 3}'])
def test_a_summary_that_can_not_be_read_is_none(text):
    assert observe(job("Complete"), ended(0, "Completed", text)).summary is None


@pytest.mark.parametrize(
    ("a_job", "a_pod", "expected"),
    [
        (BACKOFF, ended(137, "OOMKilled"), failed("out of memory (exit code 137)")),
        (BACKOFF, ended(137), failed("killed, probably out of memory (exit code 137)")),
        (BACKOFF, ended(1, message='log\n{"level": "error", "error": "no network"}\n'), failed("no network")),
        (BACKOFF, ended(3), failed("it ended with exit code 3")),
        (BACKOFF, EVICTED, failed("the Pod was evicted: The node was low on resource: memory.")),
        (BACKOFF, DRAINED, failed("the Pod was taken from its node (EvictionByEvictionAPI)")),
        (
            job("Failed", "PodFailurePolicy"),
            ended(64, message="messages.tsv, line 3: no label"),
            failed("messages.tsv, line 3: no label", retriable=False),
        ),
        (
            job("Failed", "DeadlineExceeded"),
            NO_IMAGE,
            failed("its deadline passed; image trainer:1 can't be pulled"),
        ),
    ],
)
def test_each_way_to_fail_is_named(a_job, a_pod, expected):
    assert observe(a_job, a_pod) == expected


def test_bad_input_is_known_although_its_pod_is_gone():
    said = "Container trainer for pod spam/run-x failed with exit code 64 matching FailJob rule at index 0"
    assert observe(job("Failed", "PodFailurePolicy", said)).retriable is False


def test_the_last_attempt_says_why_a_run_failed():
    first = pod({"exitCode": 1, "message": "first"}, created="2026-03-02T12:00:00Z")
    last = pod({"exitCode": 1, "message": "last"}, created="2026-03-02T12:05:00Z")
    assert observe(BACKOFF, last, first).message == "last"


def test_what_keeps_a_run_from_starting_is_told():
    waiting = pod(conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}])
    assert observe(job(), NO_IMAGE).message == "image trainer:1 can't be pulled"
    assert observe(job(), waiting).message == "no node takes the Pod: 0/1 nodes"
    waiting = observe(job(suspend=True))
    assert (waiting.queued, waiting.began_at, waiting.message) == (True, None, "the Job is queued")


def test_a_run_begins_when_its_job_starts():
    started = job()
    started["status"]["startTime"] = "2026-03-02T12:00:05Z"
    seen = observe(started)
    assert (seen.queued, seen.began_at) == (False, datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC))
    assert pod_trouble(pod()) == ""


def serving_pod(last, *, ready=False, **state):
    container = {"name": "serving", "image": "serving:1", "ready": ready, "state": state or {"running": {}}}
    return {"metadata": {}, "status": {"containerStatuses": [{**container, "lastState": {"terminated": last}}]}}


REFUSED = "version 2 can't be served: version 2 has digest sha256:1, wanted is sha256:2"


def test_a_server_that_was_started_again_says_why_until_it_is_ready():
    gave_up = {"exitCode": 0, "reason": "Completed", "message": REFUSED}
    assert pod_trouble(serving_pod(gave_up)) == f"container serving was started again: {REFUSED}"
    assert pod_trouble(serving_pod(gave_up, ready=True)) == ""
    assert pod_trouble(serving_pod({"exitCode": 0, "reason": "Completed"})) == ""
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    assert pod_trouble(serving_pod(killed)) == "container serving was started again: out of memory (exit code 137)"


def test_a_server_that_fails_again_and_again_says_what_its_log_ended_with():
    logged = '{"event": "can not start", "level": "error"}\n{"event": "no store", "level": "error"}\n'
    waiting = {"reason": "CrashLoopBackOff"}
    said = pod_trouble(serving_pod({"exitCode": 1, "reason": "Error", "message": logged}, waiting=waiting))
    assert said == "container serving fails again and again: no store"
