"""What may a person ask about the model, and what do the records say? Answers are templates, of no language model.

The assistant sees aggregates only: status, decisions, drift reports. It never sees a message, changes nothing, and says
plainly which questions it can't answer. Where a chat model is configured `phrasing` puts some answers in its words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoretrain.app import agent_answers
from autoretrain.app.agent_answers import Records
from autoretrain.decide.subject import versions_of
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.status import Status

MAX_QUESTION_CHARACTERS = 2000
STRONG = 3
# One strong word, or as many weak ones: a question that shares only small words with a topic is about something else.
UNDERSTOOD = STRONG

_VERSION = re.compile(r"\bv(?:ersion)?\s*(\d{1,9})\b")
_BACK = re.compile(r"\b(?:roll(?:ed|ing)?|go(?:ne)?|went|put|take|took|taken)((?: \w+){0,3}) back\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    """One thing that can be asked. A word of `words` in a question counts for it once, one of `strong` STRONG times.

    `of_decisions` says that the answer rests on recorded decisions alone.
    """

    example: str
    words: str
    strong: str
    answer: Callable[[Records], str]
    of_decisions: bool = False

    def score(self, asked: frozenset[str]) -> int:
        return len(asked & set(self.words.split())) + STRONG * len(asked & set(self.strong.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`of_decisions` says that it is told by decisions; `about` are those that it may rest on, oldest first."""

    text: str
    of_decisions: bool
    about: Sequence[Mapping[str, Any]] = ()


def answer(
    question: str,
    *,
    status: Status,
    decisions: Sequence[Mapping[str, Any]],
    reports: Sequence[DriftReport],
) -> Answer:
    """Return the answer to `question` in plain words.

    `decisions` are ledger records, oldest first, as `Store.decisions` gives them; `reports` those of the champion,
    oldest first. A question about nothing that is known here gets the list of those that are.
    """
    text = _plain(question)
    asked = frozenset(re.findall(r"[a-z0-9]+", text))
    if asked & {"text", "texts", "content"} or (asked & {"show", "read"} and asked & {"message", "messages", "sms"}):
        said = "I see figures only, never a message. `autoretrain label` shows messages of the audit sample to label."
        return Answer(text=said, of_decisions=False)
    named = _VERSION.search(text)
    version = named.group(1) if named else ""
    asked -= {"version"} if named else set()
    known = Records(status=status, decisions=decisions, reports=reports, version=version)
    about = [record for record in decisions if not version or version in versions_of(record)]
    best = max(_TOPICS, key=lambda topic: topic.score(asked))
    if best.score(asked) >= UNDERSTOOD:
        return Answer(text=best.answer(known), of_decisions=best.of_decisions, about=about)
    if version:
        return Answer(text=agent_answers.tell_version(known), of_decisions=True, about=about)
    return Answer(text=f"I can't answer that from the records. {_help(known)}", of_decisions=False)


def _plain(question: str) -> str:
    """Return `question` in lower case, with one word for every way to go back and for every way to negate."""
    text = question[:MAX_QUESTION_CHARACTERS].lower().replace("\u2019", "'")
    text = _BACK.sub(r"rollback\1", text)
    return re.sub(r"n't\b|\bnever\b|\bno\b", " not", text)


def _help(_known: Records) -> str:
    return "Ask me, for instance:\n" + "\n".join(f"  {topic.example}" for topic in _TOPICS)


_TOPICS = (
    _Topic(
        example="What is the status?",
        words="now model serving",
        strong="status champion served version ready state",
        answer=agent_answers.tell_status,
    ),
    _Topic(
        example="Why did you retrain?",
        words="why start started run",
        strong="retrain retrained retraining train trained training trigger triggered",
        answer=agent_answers.tell_why_retrained,
        of_decisions=True,
    ),
    _Topic(
        example="Why did you not retrain?",
        words="why not retrain retrained retraining train trained start",
        strong="not waiting blocked",
        answer=agent_answers.tell_why_not_retrained,
        of_decisions=True,
    ),
    _Topic(
        example="What is drift now?",
        words="now changed change traffic window",
        strong="drift drifting drifted score shift",
        answer=agent_answers.tell_drift,
    ),
    _Topic(
        example="Which terms are new?",
        words="new drift drive driving",
        strong="term terms word words pattern patterns",
        answer=agent_answers.tell_terms,
    ),
    _Topic(
        example="How good is the model?",
        words="model live",
        strong="good accuracy quality recall precision f1 performance",
        answer=agent_answers.tell_quality,
    ),
    _Topic(
        example="Why was the candidate held?",
        words="why version",
        strong="candidate promoted promote promotion held hold rejected reject comparison",
        answer=agent_answers.tell_candidate,
        of_decisions=True,
    ),
    _Topic(
        example="What happened at the rollback?",
        words="why happened",
        strong="rollback revert reverted guard quarantined quarantine",
        answer=agent_answers.tell_rollback,
        of_decisions=True,
    ),
    _Topic(
        example="When is the next run?",
        words="run retrain retraining train training",
        strong="when next schedule scheduled cooldown",
        answer=agent_answers.tell_next,
    ),
    _Topic(
        example="What happened lately?",
        words="decisions decision last recent recently",
        strong="history happened lately story explain",
        answer=agent_answers.tell_history,
        of_decisions=True,
    ),
    _Topic(
        example="How do I label messages?",
        words="how messages",
        strong="label labels labelling labeling feedback annotate",
        answer=agent_answers.tell_labels,
    ),
    _Topic(
        example="Help",
        words="what can you",
        strong="help ask questions",
        answer=_help,
    ),
)
