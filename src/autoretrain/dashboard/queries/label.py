"""Which message lies before a person, how far is the audit sample labelled, and what do more labels do?"""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Final

from autoretrain.adapters.store.audit import ASK_LEASE
from autoretrain.app.fleet import Reach, Seen
from autoretrain.app.label_queue import DrawnMessage, LabelQueue
from autoretrain.domain.errors import AutoRetrainError, UnknownPrediction
from autoretrain.domain.messages import Label
from autoretrain.domain.metrics import Estimate
from autoretrain.ml.performance import wilson

SOURCE: Final = "dashboard"
WANTED_MARGIN: Final = 0.01
_MOST_LABELS: Final = 10_000_000


@dataclass(slots=True)
class Desk:
    """What lies before one person. What was handed out is theirs for ASK_LEASE, so it is kept until it is answered."""

    message: DrawnMessage | None = None
    drawn_at: datetime | None = None
    set_aside: list[DrawnMessage] = field(default_factory=list)
    answered: list[tuple[DrawnMessage, Label]] = field(default_factory=list)
    was: Label | None = None
    """What was answered before, where an answer is taken again."""
    accuracy_before: Estimate | None = None
    problem: str = ""

    def next(self, queue: LabelQueue, *, now: datetime) -> None:
        """Lay out a message where there is none, or where its time is over: somebody else may have it by now."""
        if self.drawn_at is not None and now - self.drawn_at >= ASK_LEASE:
            self.set_aside.clear()
            self.message = self.message if self.was else None
        if self.message is None and self.set_aside:
            self.message = self.set_aside.pop()
        elif self.message is None:
            self.message, self.drawn_at = queue.draw(), now

    def answer(self, queue: LabelQueue, message: DrawnMessage, label: Label) -> None:
        """Keep an answer. One of a message that is gone from the desk was given twice by a fast finger."""
        if message != self.message:
            return
        try:
            queue.answer(message, label)
        except UnknownPrediction:
            self.problem = "That message was deleted meanwhile, by its retention."
        except AutoRetrainError as error:
            self.problem = str(error)
            return
        else:
            self.answered.append((message, label))
        self.message, self.was = None, None

    def skip(self) -> None:
        self.message, self.was = None, None

    def undo(self) -> None:
        """Lay out the message that was answered last, if there is one. Its label holds until another one is given."""
        if not self.answered:
            return  # a fast finger pressed twice
        if self.message is not None:
            self.set_aside.append(self.message)
        self.message, self.was = self.answered.pop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The champion's audit sample: how many are labelled, how many wait, and what they say so far.

    `to_go` is how many more make the margin WANTED_MARGIN if the rest is like what is labelled; None: not known yet.
    """

    labelled: int
    waiting: int
    accuracy: Estimate | None
    to_go: int | None


def read_progress(reach: Reach, seen: Seen, *, now: datetime) -> Progress:
    """Return the progress. Raises StoreUnavailable."""
    live = reach.performance(seen, now=now)
    if live is None or live.overall is None:
        return Progress(labelled=0, waiting=0, accuracy=None, to_go=None)
    accuracy = live.overall.accuracy
    return Progress(
        labelled=live.labels,
        waiting=round(live.labels / live.matured_ratio) - live.labels,
        accuracy=accuracy,
        to_go=labels_to_go(accuracy, live.labels),
    )


def margin(estimate: Estimate) -> float:
    """Half the width of the interval."""
    return (estimate.high - estimate.low) / 2


def labels_to_go(estimate: Estimate, labels: int, *, wanted: float = WANTED_MARGIN) -> int:
    """Return how many more labels make the margin `wanted`, if they are of the same worth as the `labels` so far.

    Weights and copies make a label worth less than one of a plain sample. What the labels are worth together is the
    size of the plain sample that has the same margin, by Wilson's interval.
    """
    if margin(estimate) <= wanted:
        return 0
    worth = _plain_labels(estimate.value, margin(estimate)) / labels
    return max(1, ceil(_plain_labels(estimate.value, wanted) / worth) - labels)


def _plain_labels(share: float, wanted: float) -> float:
    """Return how many labels of a plain sample, a fraction too, give `share` this margin."""
    few, many = 0.0, float(_MOST_LABELS)
    for _ in range(60):
        middle = (few + many) / 2
        if margin(wilson(share * middle, middle)) > wanted:
            few = middle
        else:
            many = middle
    return many
