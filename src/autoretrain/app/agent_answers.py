"""What do the records say about one topic? Sentences from templates, with what is not known said, not left out.

What rests on a decision names it by its number in the ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from autoretrain.adapters import records
from autoretrain.decide.narrate import explain, render_table
from autoretrain.decide.subject import subject_of, versions_of
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.plan import Decision, Plan
from autoretrain.domain.status import CandidateState, Status

SHOWN_DECISIONS = 5
NOTHING_DECIDED = "Nothing has been decided yet."
JUDGED = frozenset({Decision.PROMOTE, Decision.HOLD, Decision.REJECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All that an answer may rest on; `decisions` and `reports` are oldest first.

    `version` is the one that is asked about, '' where none is named.
    """

    status: Status
    decisions: Sequence[Mapping[str, Any]]
    reports: Sequence[DriftReport]
    version: str = ""


def cite(decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the story of `decisions`, each told with its number; repetitions of one are told once."""
    told = []
    for _, same in groupby(decisions, key=lambda record: (record["decision"], record["reason"], record["message"])):
        group = list(same)
        first, *more = explain(group).splitlines()
        told += [f"{first}{_reference(group)}", *more]
    return "\n".join(told) or NOTHING_DECIDED


def _reference(group: Sequence[Mapping[str, Any]]) -> str:
    numbers = [record["sequence"] for record in group if "sequence" in record]
    if not numbers:
        return ""
    return f" (decision {numbers[0]})" if len(numbers) == 1 else f" (decisions {numbers[0]} to {numbers[-1]})"


def tell_status(known: Records) -> str:
    status = known.status
    lines = ["No model is served yet."]
    if status.champion is not None:
        since = f" since {_time(status.champion.promoted_at)}" if status.champion.promoted_at else ""
        lines = [f"Version {status.champion.version} is served{since}."]
    if status.active_run is not None:
        lines.append(f"Training run {status.active_run.name} started at {_time(status.active_run.started_at)}.")
    if status.candidate is not None:
        lines.append(_judged(status.candidate))
    if status.guard is not None and not status.guard.ended:
        lines.append(f"The guard watches version {status.guard.version} since {_time(status.guard.started_at)}.")
    lines.append(_drift_line(status))
    lines.append(_quality_line(status))
    lines += [
        f"{c.type}: {c.reason}. {c.message}".rstrip() for c in status.conditions if c.type != "Ready" and c.status
    ]
    return "\n".join(lines)


def tell_drift(known: Records) -> str:
    lines = [_drift_line(known.status)]
    if known.reports:
        newest = known.reports[-1]
        lines.append(
            f"Newest window: {newest.size} messages until {_time(newest.ended_at)}, reference {newest.regime}."
        )
        ranked = sorted(newest.metrics, key=lambda metric: metric.score, reverse=True)
        lines += [
            f"  {metric.name}: {metric.score:.3f} (raw {metric.raw:.3f}; without drift {metric.median:.3f}, "
            f"rarely above {metric.upper:.3f})"
            for metric in ranked
        ]
        if newest.prior_shift:
            lines.append("Only the share of spam moved; what ham and spam look like did not.")
    return "\n".join(lines)


def tell_terms(known: Records) -> str:
    with_terms = [report for report in known.reports if report.new_spam_patterns]
    if not with_terms:
        return "No window so far named terms that drive drift."
    newest = with_terms[-1]
    return f"In the window until {_time(newest.ended_at)}: {', '.join(newest.new_spam_patterns)}."


def tell_quality(known: Records) -> str:
    champion = known.status.champion
    lines = [_quality_line(known.status)]
    if known.version and (champion is None or champion.version != known.version):
        lines.insert(0, f"Version {known.version} is not served, and only what is served is measured live.")
    if champion is not None and champion.metrics is not None:
        metrics = champion.metrics
        lines.append(
            f"When it was trained, version {champion.version} had accuracy {metrics.accuracy:.3f}, precision "
            f"{metrics.precision:.3f}, recall {metrics.recall:.3f} and F1 {metrics.f1:.3f} on {metrics.rows} rows."
        )
    return "\n".join(lines)


def tell_why_retrained(known: Records) -> str:
    started = [record for record in known.decisions if record["decision"] == Decision.RETRAIN]
    return cite(started[-1:]) if started else "No training run was started in the decisions that are kept."


def tell_why_not_retrained(known: Records) -> str:
    if not known.decisions:
        return NOTHING_DECIDED
    newest = known.decisions[-1]
    lines = [cite([newest])]
    if newest.get("plan"):
        lines += ["What was checked then:", render_table(records.load_record(Plan, newest["plan"]))]
    if known.status.breaker_open:
        lines.append("Triggers are stopped, since candidates kept being rejected; a request by hand still trains.")
    lines.append(_next_line(known.status))
    return "\n".join(line for line in lines if line)


def tell_candidate(known: Records) -> str:
    if known.version:
        return _of_version(known, JUDGED, nothing="was not judged")
    found = [record for record in known.decisions if record["decision"] in JUDGED]
    lines = [cite(found[-1:])] if found else ["No candidate was judged in the decisions that are kept."]
    if known.status.candidate is not None:
        lines.append(_judged(known.status.candidate))
    return "\n".join(lines)


def tell_rollback(known: Records) -> str:
    if known.version:
        return _of_version(known, {Decision.ROLLBACK}, nothing="was not rolled back")
    found = [record for record in known.decisions if record["decision"] == Decision.ROLLBACK]
    if not found:
        return "No version was rolled back in the decisions that are kept."
    count = len(known.status.quarantined)
    kept_out = f"{count} rolled-back version{'s are' if count != 1 else ' is'} kept from being promoted again."
    return "\n".join([cite(found[-1:]), *([kept_out] if count else [])])


def tell_version(known: Records) -> str:
    """All that is kept about the version that was asked about."""
    found = [record for record in known.decisions if known.version in versions_of(record)]
    if not found:
        return f"No decision that is kept is about version {known.version}."
    return cite(found[-SHOWN_DECISIONS:])


def _of_version(known: Records, decisions: Collection[Decision], *, nothing: str) -> str:
    found = [
        record for record in known.decisions if record["decision"] in decisions and subject_of(record) == known.version
    ]
    if found:
        return cite(found[-1:])
    return f"Version {known.version} {nothing} in the decisions that are kept.\n{tell_version(known)}"


def tell_next(known: Records) -> str:
    return _next_line(known.status)


def tell_history(known: Records) -> str:
    return tell_version(known) if known.version else cite(known.decisions[-SHOWN_DECISIONS:])


def tell_labels(known: Records) -> str:
    labels = known.status.performance.labels if known.status.performance else 0
    return (
        f"{labels} audit labels are there for the version that is served. `autoretrain label` asks you for the next "
        "ones of the random sample, and so does the dashboard's Label page: live accuracy comes from these only. "
        "`POST /feedback` takes reports of users and `autoretrain labels import FILE` a file: those train."
    )


# Sentences that several answers share.


def _drift_line(status: Status) -> str:
    drift = status.drift
    if drift is None:
        return "Drift is not known yet: no window of messages is complete."
    above = "above" if drift.score > drift.threshold else "not above"
    return (
        f"Drift is {drift.score:.3f}, {above} its threshold of {drift.threshold:g}, in a window of {drift.window_size} "
        f"messages checked at {_time(drift.checked_at)}; {drift.breaches} windows in a row are drifted."
    )


def _quality_line(status: Status) -> str:
    live = status.performance
    if live is None:
        return "Live accuracy is not known: there are too few audit labels."
    if live.spam_recall is None or live.f1 is None:
        return f"Live accuracy is {live.accuracy:.3f}, by {live.labels} audit labels, none of which is spam."
    return (
        f"Live accuracy is {live.accuracy:.3f}, spam recall {live.spam_recall:.3f} and F1 {live.f1:.3f}, "
        f"by {live.labels} audit labels."
    )


def _next_line(status: Status) -> str:
    lines = []
    if status.active_run is not None:
        lines.append(f"Training run {status.active_run.name} is in flight since {_time(status.active_run.started_at)}.")
    if status.next_schedule_at is not None:
        lines.append(f"The schedule is due next at {_time(status.next_schedule_at)}.")
    else:
        lines.append("No run is scheduled.")
    if status.next_retrain_allowed_at is not None:
        lines.append(f"No trigger starts a run before {_time(status.next_retrain_allowed_at)}.")
    return " ".join(lines)


def _judged(candidate: CandidateState) -> str:
    until = f" It waits for an approval until {_time(candidate.expires_at)}." if candidate.expires_at else ""
    return (
        f"Candidate {candidate.summary.version}: {candidate.decision} ({candidate.reason}) at "
        f"{_time(candidate.decided_at)}. {candidate.message}{until}"
    )


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"
