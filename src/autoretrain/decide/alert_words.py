"""What does an alert say beside what happened: which numbers, what the system did, and what is left to a person?

All of it comes from the status, from findings and from the tables below: no text of a message can get into it.
"""

from collections.abc import Sequence
from typing import Final

from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Status

TITLES: Final = {
    "Retraining": "a training run started",
    "Promoted": "a new champion is served",
    "Held": "a candidate or request waits",
    "Rejected": "a candidate was rejected",
    "RolledBack": "the previous version is put back",
    "Degraded": "degraded",
    "DriftDetected": "drift detected",
    "PerformanceLow": "live quality is low",
    "NoNewData": "new labels are needed",
}

_ANY = ""
_RETRAIN = "Start a run if you agree: autoretrain retrain {target}"
_BY_ITSELF = "Nothing where a run follows by itself; else this says what holds it: autoretrain status {target}"
_WAIT_FOR_LABELS = "Nothing at once. More labels make it clearer: autoretrain label {target}"
_READ_LOG = "Read the log of the run, then correct the data or the document: autoretrain status {target}"
_FIND_CAUSE = "Find out what it learned from before the next run is promoted: autoretrain explain {target}"

_TODO: Final = {
    ("Retraining", _ANY): "Nothing.",
    ("Retraining", Reason.ADVISE_ONLY): _RETRAIN,
    ("Promoted", _ANY): "Nothing. To go back by hand: autoretrain rollback {target}",
    ("Held", _ANY): "Nothing at once; this says what it waits for: autoretrain status {target}",
    ("Held", Reason.AWAITING_APPROVAL): "Look at it: autoretrain status {target}; then: autoretrain approve {target}",
    ("Held", Reason.SUSPENDED): "Approve it, autoretrain approve {target}, or let go on: autoretrain resume {target}",
    ("Held", Reason.PINNED): "Correct or remove spec.serving.pinnedVersion, or leave it as it is.",
    ("Held", Reason.VERSION_UNKNOWN): "Ask for a version that is registered.",
    ("Held", Reason.APPROVAL_LAPSED): "Train anew: autoretrain retrain {target}",
    ("Held", Reason.NO_GAIN): _WAIT_FOR_LABELS,
    ("Held", Reason.NOT_SIGNIFICANT): _WAIT_FOR_LABELS,
    ("Held", Reason.SINGLE_CAMPAIGN): _WAIT_FOR_LABELS,
    ("Rejected", _ANY): "Nothing at once. Look at the labels where it happens again: autoretrain explain {target}",
    ("RolledBack", _ANY): _FIND_CAUSE,
    ("RolledBack", Reason.ROLLBACK_REQUESTED): "Nothing: somebody asked for it.",
    ("RolledBack", Reason.ROLLOUT_TIMED_OUT): "See in the log of serving why it did not become ready.",
    ("Degraded", _ANY): _FIND_CAUSE,
    ("Degraded", Reason.BREAKER_OPEN): "Look at the labels, then: autoretrain retrain {target}",
    ("Degraded", Reason.TRAINING_FAILED): _READ_LOG,
    ("Degraded", Reason.TRAINING_BAD_INPUT): _READ_LOG,
    ("Degraded", Reason.TRAINING_DEADLINE_EXCEEDED): _READ_LOG,
    ("Degraded", Reason.ROLLOUT_TIMED_OUT): "See in the log of serving why it does not become ready.",
    ("Degraded", Reason.ACTION_FAILED): "Look after what is named above; it is tried again by itself.",
    ("Degraded", Reason.NOTHING_TO_ROLL_BACK_TO): (
        "Choose a version to serve, now: autoretrain promote {target} --version N --force --reason WHY"
    ),
    ("DriftDetected", _ANY): _BY_ITSELF,
    ("DriftDetected", Reason.ADVISE_ONLY): _RETRAIN,
    ("DriftDetected", Reason.PRIOR_SHIFT): "Consider the decision threshold, not the model.",
    ("PerformanceLow", _ANY): _BY_ITSELF,
    ("PerformanceLow", Reason.ADVISE_ONLY): _RETRAIN,
    ("PerformanceLow", Reason.PERFORMANCE_UNCERTAIN): "Label more, so that it is known: autoretrain label {target}",
    ("NoNewData", _ANY): "Label messages: autoretrain label {target}",
}
"""By event, and by reason where that asks for something else."""

_DONE: Final = {
    ("Retraining", _ANY): "a run is submitted; {champion}",
    ("Retraining", Reason.ADVISE_ONLY): "nothing, the trigger's mode is Advise; {champion}",
    ("Promoted", _ANY): "{champion}, and is watched: it is taken back by itself where it breaks a limit",
    ("Held", _ANY): "nothing; {champion}",
    ("Rejected", _ANY): "the candidate is not served; {champion}",
    ("RolledBack", _ANY): "{rollback}",
    ("Degraded", _ANY): "{rollback}",
    ("Degraded", Reason.ACTION_FAILED): "it is tried again at every pass; {champion}",
    ("Degraded", Reason.BREAKER_OPEN): "no run starts by itself until somebody asks for one; {champion}",
    ("DriftDetected", _ANY): "{run}; {champion}",
    ("PerformanceLow", _ANY): "{run}; {champion}",
    ("NoNewData", _ANY): "no run is started, since it would learn nothing new; {champion}",
}

_OF_CANDIDATE: Final = frozenset({"Held", "Rejected"})
_OF_TRAFFIC: Final = frozenset({"Retraining", "DriftDetected", "PerformanceLow", "NoNewData", "RolledBack", "Degraded"})


def figures(event: str, after: Status, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the numbers behind `event`: limits that were broken, then what is known of traffic or of the version."""
    said = [] if event == "Promoted" else [_broken(each) for each in findings if each.verdict is Verdict.TRIGGERED]
    told = [figure for figure in said if figure]
    if event == "Promoted" and after.champion is not None and after.champion.metrics is not None:
        told.append(_held_out(after.champion.version, after.champion.metrics))
    if event in _OF_CANDIDATE and after.candidate is not None:
        told.append(_held_out(after.candidate.summary.version, after.candidate.summary.holdout_metrics))
    if event in _OF_TRAFFIC and after.drift is not None:
        drift = after.drift
        told.append(f"drift {_number(drift.score)} in {drift.window_size} messages, threshold {drift.threshold:.2f}")
    if event in _OF_TRAFFIC and after.performance is not None:
        live = after.performance
        recall = "" if live.spam_recall is None else f", spam recall {_number(live.spam_recall)}"
        told.append(f"live accuracy {_number(live.accuracy)}{recall} on {live.labels} labels")
    return tuple(dict.fromkeys(told))


def done(event: str, reason: str, after: Status) -> str:
    """Return what the system did about it, and what it serves now."""
    words = _DONE.get((event, reason), _DONE[event, _ANY])
    return words.format(champion=_champion(after), rollback=_rollback(after), run=_run(after))


def todo(event: str, reason: str, *, target: str) -> str:
    """Return what a person should do; `target` names the model to a command."""
    return _TODO.get((event, reason), _TODO[event, _ANY]).format(target=target)


def failed_runs(status: Status) -> str:
    """Return how many runs failed in a row, without what they said."""
    last = f", the last was {status.last_run.name}" if status.last_run else ""
    return f"{status.failures} runs in a row failed{last}" if status.failures > 1 else f"one run failed{last}"


def _champion(status: Status) -> str:
    return f"version {status.champion.version} serves" if status.champion else "no version serves yet"


def _rollback(status: Status) -> str:
    rollout = status.rollout
    if rollout is None or not rollout.rollback:
        return _champion(status)
    return f"version {rollout.to.version} is being put back; version {rollout.from_version} is not promoted again"


def _run(status: Status) -> str:
    return "a run is submitted" if status.active_run is not None else "no run is started yet"


def _broken(finding: Finding) -> str:
    if finding.value is None or finding.threshold is None:
        return ""
    return f"{finding.check} {_number(finding.value)} {finding.comparison} {_number(finding.threshold)}"


def _held_out(version: str, metrics: ClassificationMetrics) -> str:
    figures_of = f"accuracy {_number(metrics.accuracy)}, F1 {_number(metrics.f1)}"
    return f"version {version} on {metrics.rows} held-out messages: {figures_of}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
