"""What may a person ask about the model, and what do the records say? Answers are templates, of no language model.

The assistant sees aggregates only: status, decisions, drift reports. It never sees a message, changes nothing, and says
plainly which questions it can't answer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoretrain.adapters import records
from autoretrain.decide.narrate import explain, render_table
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.plan import Decision, Plan
from autoretrain.domain.status import CandidateState, Status

MAX_QUESTION_CHARACTERS = 2000
SHOWN_DECISIONS = 5
STRONG = 3
# One strong word, or as many weak ones: a question that shares only small words with a topic is about something else.
UNDERSTOOD = STRONG
NOTHING_DECIDED = "Nothing has been decided yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """All that an answer may rest on; `decisions` and `reports` are oldest first."""

    status: Status
    decisions: Sequence[Mapping[str, Any]]
    reports: Sequence[DriftReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    """One thing that can be asked. Each word of `words` in a question counts for it, a word of `strong` STRONG times."""

    example: str
    words: str
    strong: str
    answer: Callable[[_Records], str]

    def score(self, asked: frozenset[str]) -> int:
        return len(asked & set(self.words.split())) + STRONG * len(asked & set(self.strong.split()))


def answer(
    question: str,
    *,
    status: Status,
    decisions: Sequence[Mapping[str, Any]],
    reports: Sequence[DriftReport],
) -> str:
    """Return the answer to `question` in plain words.

    `decisions` are ledger records, oldest first, as `Store.decisions` gives them; `reports` those of the champion,
    oldest first. A question about nothing that is known here gets the list of those that are.
    """
    asked = _words(question)
    if asked & {"text", "texts", "content"} or (asked & {"show", "read"} and asked & {"message", "messages", "sms"}):
        return "I see figures only, never a message. `autoretrain label` shows messages of the audit sample to label."
    known = _Records(status=status, decisions=decisions, reports=reports)
    best = max(_TOPICS, key=lambda topic: topic.score(asked))
    if best.score(asked) < UNDERSTOOD:
        return f"I can't answer that from the records. {_help(known)}"
    return best.answer(known)


def _words(question: str) -> frozenset[str]:
    """Return the words of `question` in lower case, with `not` for every way to negate."""
    text = question[:MAX_QUESTION_CHARACTERS].lower().replace("\u2019", "'")
    text = re.sub(r"\b(roll(ed|ing)?|go(ne)?|went) back\b", "rollback", text)
    text = re.sub(r"n't\b|\bnever\b|\bno\b", " not", text)
    return frozenset(re.findall(r"[a-z0-9]+", text))


# One function a topic. Each says what is not known instead of leaving it out.


def _status(known: _Records) -> str:
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


def _drift(known: _Records) -> str:
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


def _terms(known: _Records) -> str:
    with_terms = [report for report in known.reports if report.new_spam_patterns]
    if not with_terms:
        return "No window so far named terms that drive drift."
    newest = with_terms[-1]
    return f"In the window until {_time(newest.ended_at)}: {', '.join(newest.new_spam_patterns)}."


def _quality(known: _Records) -> str:
    lines = [_quality_line(known.status)]
    champion = known.status.champion
    if champion is not None and champion.metrics is not None:
        metrics = champion.metrics
        lines.append(
            f"When it was trained, version {champion.version} had accuracy {metrics.accuracy:.3f}, precision "
            f"{metrics.precision:.3f}, recall {metrics.recall:.3f} and F1 {metrics.f1:.3f} on {metrics.rows} rows."
        )
    return "\n".join(lines)


def _why_retrained(known: _Records) -> str:
    started = [record for record in known.decisions if record["decision"] == Decision.RETRAIN]
    return explain(started[-1:]) if started else "No training run was started in the decisions that are kept."


def _why_not_retrained(known: _Records) -> str:
    if not known.decisions:
        return NOTHING_DECIDED
    newest = known.decisions[-1]
    lines = [explain([newest])]
    if newest.get("plan"):
        lines += ["What was checked then:", render_table(records.load_record(Plan, newest["plan"]))]
    if known.status.breaker_open:
        lines.append("Triggers are stopped, since candidates kept being rejected; a request by hand still trains.")
    lines.append(_next_line(known.status))
    return "\n".join(line for line in lines if line)


def _candidate(known: _Records) -> str:
    judged = {Decision.PROMOTE, Decision.HOLD, Decision.REJECT}
    found = [record for record in known.decisions if record["decision"] in judged]
    lines = [explain(found[-1:])] if found else ["No candidate was judged in the decisions that are kept."]
    if known.status.candidate is not None:
        lines.append(_judged(known.status.candidate))
    return "\n".join(lines)


def _rollback(known: _Records) -> str:
    found = [record for record in known.decisions if record["decision"] == Decision.ROLLBACK]
    if not found:
        return "No version was rolled back in the decisions that are kept."
    count = len(known.status.quarantined)
    kept_out = f"{count} rolled-back version{'s are' if count != 1 else ' is'} kept from being promoted again."
    return "\n".join([explain(found[-1:]), *([kept_out] if count else [])])


def _next(known: _Records) -> str:
    return _next_line(known.status)


def _history(known: _Records) -> str:
    return explain(known.decisions[-SHOWN_DECISIONS:])


def _labels(known: _Records) -> str:
    labels = known.status.performance.labels if known.status.performance else 0
    return (
        f"{labels} audit labels are there for the version that is served. `autoretrain label` asks you for the next "
        "ones of the random sample, and so does the dashboard's Label page: live accuracy comes from these only. "
        "`POST /feedback` takes reports of users and `autoretrain labels import FILE` a file: those train."
    )


def _help(_known: _Records) -> str:
    return "Ask me, for instance:\n" + "\n".join(f"  {topic.example}" for topic in _TOPICS)


_TOPICS = (
    _Topic(
        example="What is the status?",
        words="now model serving",
        strong="status champion served version ready state",
        answer=_status,
    ),
    _Topic(
        example="Why did you retrain?",
        words="why start started run training",
        strong="retrain retrained retraining train trained",
        answer=_why_retrained,
    ),
    _Topic(
        example="Why did you not retrain?",
        words="why not retrain retrained retraining train trained start",
        strong="not waiting blocked",
        answer=_why_not_retrained,
    ),
    _Topic(
        example="What is drift now?",
        words="now changed change traffic window",
        strong="drift drifting drifted score shift",
        answer=_drift,
    ),
    _Topic(
        example="Which terms are new?",
        words="new drift drive driving",
        strong="term terms word words pattern patterns",
        answer=_terms,
    ),
    _Topic(
        example="How good is the model?",
        words="model live",
        strong="good accuracy quality recall precision f1 performance",
        answer=_quality,
    ),
    _Topic(
        example="Why was the candidate held?",
        words="why version",
        strong="candidate promoted promote promotion held hold rejected reject comparison",
        answer=_candidate,
    ),
    _Topic(
        example="What happened at the rollback?",
        words="why happened",
        strong="rollback revert reverted guard quarantined quarantine",
        answer=_rollback,
    ),
    _Topic(
        example="When is the next run?",
        words="run retrain retraining train training",
        strong="when next schedule scheduled cooldown",
        answer=_next,
    ),
    _Topic(
        example="What happened lately?",
        words="decisions decision last recent recently",
        strong="history happened lately story explain",
        answer=_history,
    ),
    _Topic(
        example="How do I label messages?",
        words="how messages",
        strong="label labels labelling labeling feedback annotate",
        answer=_labels,
    ),
    _Topic(
        example="Help",
        words="what can you",
        strong="help ask questions",
        answer=_help,
    ),
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
