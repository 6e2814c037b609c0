"""Is a file of labelled messages fit to train on, what identifies it, and how does one become labels in the store?"""

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Unpack

from autoretrain.adapters.labelled_files import Reading, read_labelled_file
from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage, NewLabel
from autoretrain.ml.clusters import cluster_ids
from autoretrain.ml.text import campaign_form, canonical

ERRORS_ALLOWED = 2
"""A floor can be judged when this many wrong rows still leave a model above it; with fewer, one odd row decides."""

LOWEST_FLOOR = 0.5
"""Below this a floor keeps nothing out, so lowering it further is no advice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """The fields of a SpamModel that a data set has to be large enough for; the defaults are the document's."""

    min_accuracy: float = 0.95
    min_f1: float = 0.90
    min_new_labels: int = 100
    min_new_spam_labels: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    ham: int
    spam: int

    def __str__(self) -> str:
        return f"{self.ham + self.spam} ({self.ham} ham, {self.spam} spam)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """What a data set holds. `holdout` and `training` count distinct messages without contradictions.

    `problems` keep a model from being trained or promoted; `notes` are worth knowing.
    """

    source: str
    data_hash: str
    rows: ClassCount
    blank: int
    duplicates: int
    contradictions: int
    clusters: int
    largest_cluster: int
    holdout: ClassCount
    training: ClassCount
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return not self.problems

    def render(self) -> str:
        """The report as lines for a terminal, without any message text."""
        facts = [
            ("rows", self.rows),
            ("rows without text, dropped", self.blank),
            ("exact duplicates", self.duplicates),
            ("messages with both labels, dropped", self.contradictions),
            ("campaigns (near-duplicates are one)", f"{self.clusters}, the largest with {self.largest_cluster} rows"),
            ("distinct messages for training", self.training),
            ("distinct messages in the holdout", self.holdout),
            ("data hash", self.data_hash),
        ]
        width = max(len(name) for name, _ in facts)
        lines = [self.source, *(f"  {name:<{width}}  {value}" for name, value in facts)]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join([*lines, "  usable" if self.usable else "  not usable as it is"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Of `rows`, `new` were stored and `repeated` say what another row of the file says; the store had the others."""

    source: str
    rows: ClassCount
    new: int
    repeated: int

    def __str__(self) -> str:
        known = self.rows.ham + self.rows.spam - self.new - self.repeated
        return (
            f"{self.new} labels stored as source {self.source}, {known} were there already, "
            f"{self.repeated} repeated within the file; rows: {self.rows}"
        )


def read_dataset(
    path: Path,
    **reading: Unpack[Reading],
) -> list[LabelledMessage]:
    """The labelled messages of a file in its order; raises BadData with file, line and reason."""
    return list(read_labelled_file(path, **reading).messages)


def data_hash(rows: Iterable[LabelledMessage]) -> str:
    """SHA-256 of texts and labels, the same in any order; a row that stands twice counts twice."""
    digest = hashlib.sha256()
    for line in sorted(json.dumps([row.label.value, row.text]) for row in rows):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def check_dataset(
    path: Path,
    *,
    floors: Floors | None = None,
    **reading: Unpack[Reading],
) -> DatasetReport:
    """Count what a training run would make of a file, and say which field can't be met with it."""
    read = read_labelled_file(path, **reading)
    # Loads scikit-learn, which nothing else here needs.
    from autoretrain.ml.drift.references import LEAST_ROWS
    from autoretrain.ml.splits import in_holdout
    from autoretrain.ml.training import MIN_CAMPAIGNS

    labels_of: dict[str, set[Label]] = defaultdict(set)
    for message in read.messages:
        labels_of[canonical(message.text)].add(message.label)
    clear = {text: next(iter(labels)) for text, labels in labels_of.items() if len(labels) == 1}
    held = {text for text in clear if in_holdout(text)}
    cluster_sizes = Counter(cluster_ids([message.text for message in read.messages])).values()
    rows = _count(message.label for message in read.messages)
    holdout = _count(clear[text] for text in held)
    campaigns = {(campaign_form(text), label) for text, label in clear.items() if text not in held}
    return DatasetReport(
        source=str(path),
        data_hash=data_hash(read.messages),
        rows=rows,
        blank=read.blank,
        duplicates=len(read.messages) - len(labels_of),
        contradictions=len(labels_of) - len(clear),
        clusters=len(cluster_sizes),
        largest_cluster=max(cluster_sizes),
        holdout=holdout,
        training=_count(label for text, label in clear.items() if text not in held),
        problems=_problems(
            holdout,
            campaigns=_count(label for _, label in campaigns),
            least_campaigns=MIN_CAMPAIGNS,
            least_holdout=LEAST_ROWS,
            floors=floors or Floors(),
        ),
        notes=_notes(rows, floors=floors or Floors()),
    )


def import_labels(
    store: Store,
    path: Path,
    *,
    received_at: datetime,
    source: str = "import",
    **reading: Unpack[Reading],
) -> ImportReport:
    """Put a file's rows into the store as trusted labels of `source`, all or none; known ones are not doubled."""
    rows = read_dataset(path, **reading)
    *_, before = store.count_new_labels(0)
    sequences = store.add_labels(
        [
            NewLabel(
                label=row.label,
                kind=LabelKind.IMPORT,
                source=source,
                trusted=True,
                received_at=received_at,
                text=row.text,
            )
            for row in rows
        ]
    )
    distinct = set(sequences)
    return ImportReport(
        source=source,
        rows=_count(row.label for row in rows),
        new=sum(sequence > before for sequence in distinct),
        repeated=len(sequences) - len(distinct),
    )


def _count(labels: Iterable[Label]) -> ClassCount:
    counts = Counter(labels)
    return ClassCount(ham=counts[Label.HAM], spam=counts[Label.SPAM])


def _problems(
    holdout: ClassCount, *, campaigns: ClassCount, least_campaigns: int, least_holdout: int, floors: Floors
) -> tuple[str, ...]:
    problems = [
        f"{found} different {name} messages may train; at least {least_campaigns} are needed: add {name} messages"
        for name, found in (("ham", campaigns.ham), ("spam", campaigns.spam))
        if found < least_campaigns
    ]
    # The best that a model reaches with the allowed errors, all of them missed spam.
    rows, spam = holdout.ham + holdout.spam, holdout.spam
    accuracy = 1 - ERRORS_ALLOWED / rows if rows > ERRORS_ALLOWED else 0.0
    f1 = 2 * (spam - ERRORS_ALLOWED) / (2 * spam - ERRORS_ALLOWED) if spam > ERRORS_ALLOWED else 0.0
    if rows < least_holdout:
        problems.append(f"the holdout has {rows} messages; the drift reference needs {least_holdout}: add messages")
    for field, floor, reached, found in (
        ("spec.promotion.minAccuracy", floors.min_accuracy, accuracy, f"{rows} messages"),
        ("spec.promotion.minF1", floors.min_f1, f1, f"{spam} spam messages"),
    ):
        if reached < floor:
            reason = f"the holdout has {found}, so {ERRORS_ALLOWED} errors end under {field} {floor}: add messages"
            reachable = f", or set it to {math.floor(100 * reached) / 100} or lower" if reached >= LOWEST_FLOOR else ""
            problems.append(reason + reachable)
    return tuple(problems)


def _notes(rows: ClassCount, *, floors: Floors) -> tuple[str, ...]:
    if not rows.spam:
        return ()
    share = rows.spam / (rows.ham + rows.spam)
    needed = math.ceil(floors.min_new_spam_labels / share)
    if needed <= 2 * floors.min_new_labels:
        return ()
    note = (
        f"with {share:.1%} spam it takes about {needed} labels to have the {floors.min_new_spam_labels} of "
        f"spec.triggers.minNewSpamLabels; lower it if {floors.min_new_labels} labels (minNewLabels) should do"
    )
    return (note,)
