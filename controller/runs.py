"""How does a run stand, as its Job and Pods tell? Each way to fail is named: out of memory, evicted, late, no image."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from autoretrain.adapters import records
from autoretrain.domain.training import ExitCode, RunObservation, RunState, TrainingSummary
from controller.cluster import Object

LONGEST_MESSAGE: Final = 250
_IMAGE_TROUBLE: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_START_TROUBLE: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


def observe_run(name: str, *, job: Object, pods: Sequence[Object]) -> RunObservation:
    """Return how the run `name` stands. A run that succeeded without a readable summary has `summary` None."""
    failure = _condition(job, "Failed")
    if failure is not None:
        retriable, message = _ending(failure, pods)
        return RunObservation(run_name=name, state=RunState.FAILED, message=message, retriable=retriable)
    if _condition(job, "Complete") is not None:
        return RunObservation(run_name=name, state=RunState.SUCCEEDED, summary=read_summary(pods))
    # A Job that a queue lets go on has a new time of start.
    started = job.get("status", {}).get("startTime")
    return RunObservation(
        run_name=name,
        state=RunState.RUNNING,
        message=run_trouble(job, pods),
        queued=bool(job.get("spec", {}).get("suspend")),
        began_at=datetime.fromisoformat(started) if started else None,
    )


def read_summary(pods: Iterable[Object]) -> TrainingSummary | None:
    """Return the summary in the termination message of a Pod that ended well; None where none can be read."""
    for pod in pods:
        for ended in _terminated(pod):
            if ended.get("exitCode") != ExitCode.OK:
                continue
            try:
                return records.load_record(TrainingSummary, json.loads(ended.get("message", "")))
            except (ValueError, ValidationError):
                continue
    return None


def run_trouble(job: Object, pods: Sequence[Object]) -> str:
    """Say what keeps a run that is not over from going on; '' where nothing does."""
    if job.get("spec", {}).get("suspend"):
        return "the Job is queued"
    alive = [trouble for pod in pods if (trouble := pod_trouble(pod))]
    if alive:
        return alive[-1][:LONGEST_MESSAGE]
    ended = [said for pod in _newest_last(pods) if (said := _pod_ending(pod)[1])]
    return f"the last attempt failed: {ended[-1]}"[:LONGEST_MESSAGE] if ended else ""


def pod_trouble(pod: Object) -> str:
    """Say why a Pod does not start; '' where it has started, or simply is about to."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _IMAGE_TROUBLE:
            return f"image {container.get('image', '')} can't be pulled"  # The reason goes to and fro.
        if reason in _START_TROUBLE:
            return f"the container can't be started ({reason}): {waiting.get('message', '')}"
        name, last = container.get("name", ""), container.get("lastState", {}).get("terminated")
        said = _what_it_died_of(last) if last else ""
        if reason == "CrashLoopBackOff":
            return f"container {name} fails again and again{f': {said}' if said else ''}"
        if said and not container.get("ready"):
            return f"container {name} was started again: {said}"
    for condition in status.get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return f"no node takes the Pod: {condition.get('message', '')}"
    return ""


def _ending(failure: Mapping[str, Any], pods: Sequence[Object]) -> tuple[bool, str]:
    """Return whether another run of the same input may end better, and what happened."""
    ended = [_pod_ending(pod) for pod in _newest_last(pods)]
    codes = [code for code, _ in ended if code is not None]
    said = next((text for _, text in reversed(ended) if text), "")
    reason = failure.get("reason", "")
    refused = bool(codes) and codes[-1] == ExitCode.BAD_INPUT
    if reason == "PodFailurePolicy" and not codes:
        refused = f"exit code {int(ExitCode.BAD_INPUT)}" in failure.get("message", "")
    if reason == "DeadlineExceeded":
        trouble = next((text for pod in pods if (text := pod_trouble(pod))), "") or said
        return True, f"its deadline passed{f'; {trouble}' if trouble else ''}"[:LONGEST_MESSAGE]
    return not refused, (said or failure.get("message") or reason or "it failed")[:LONGEST_MESSAGE]


def _pod_ending(pod: Object) -> tuple[int | None, str]:
    """Return the exit code of a Pod that ended and what it died of; None and '' of one that did not."""
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return None, f"the Pod was evicted: {status.get('message', '')}"
    for condition in status.get("conditions", ()):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return None, f"the Pod was taken from its node ({condition.get('reason', '')})"
    for ended in _terminated(pod):
        code = int(ended.get("exitCode", 0))
        if code != ExitCode.OK or ended.get("reason") == "OOMKilled":
            return code, _what_it_died_of(ended)
    return None, ""


def _what_it_died_of(ended: Mapping[str, Any]) -> str:
    """Return what a container said last, or how it ended; '' where it ended well and said nothing."""
    code = int(ended.get("exitCode", 0))
    if ended.get("reason") == "OOMKilled" or code == 137:
        killed = "out of memory" if ended.get("reason") == "OOMKilled" else "killed, probably out of memory"
        return f"{killed} (exit code {code})"
    return _last_line(ended.get("message", "")) or (f"it ended with exit code {code}" if code != ExitCode.OK else "")


def _last_line(text: str) -> str:
    """Return what a trainer said last. Ours logs one JSON object a line."""
    line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    try:
        data = json.loads(line)
    except ValueError:
        return line
    said = [data.get(name) for name in ("error", "message", "event")] if isinstance(data, dict) else []
    return str(next(filter(None, said), line))


def _terminated(pod: Object) -> list[Mapping[str, Any]]:
    states = [container.get("state", {}) for container in pod.get("status", {}).get("containerStatuses", ())]
    return [state["terminated"] for state in states if state.get("terminated")]


def _newest_last(pods: Sequence[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))


def _condition(job: Object, kind: str) -> Mapping[str, Any] | None:
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("type") == kind and condition.get("status") == "True":
            found: Mapping[str, Any] = condition
            return found
    return None
