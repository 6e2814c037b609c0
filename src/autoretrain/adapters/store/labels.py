"""Which labels arrived, from whom, and which of them hold.

Rows are only ever added. Of the labels that say something about one subject the newest holds, so that a person can
correct one; saying the same twice (a repeated request, a file imported again) adds nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, exists, insert, literal, select
from sqlalchemy import func as sql

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.predictions import storable
from autoretrain.adapters.store.schema import LABELS, PREDICTIONS
from autoretrain.domain.errors import UnknownPrediction
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage, NewLabel

_LOOKUP_ROWS = 1000  # well below the number of parameters that either database takes


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLabels:
    """How many labels of one kind and trust a source has given."""

    source: str
    kind: LabelKind
    trusted: bool
    labels: int
    spam: int

    def __str__(self) -> str:
        trust = "trusted" if self.trusted else "not trusted"
        return f"{self.source}: {self.labels} labels by {self.kind}, {self.spam} of them spam, {trust}"


class Labels(Part):
    """Labels with their messages; a label outlives the prediction it was given for."""

    def add_labels(self, labels: Sequence[NewLabel]) -> list[int]:
        """Keep all `labels` or none; they are on the disk when this returns.

        Returns one sequence for each. New ones ascend in the order given; a label that only repeats the newest one on
        its subject gets that one's sequence. Raises UnknownPrediction for an id that is not here (any more).
        """
        if not labels:
            return []
        with self._database.write("labels", self._model) as connection:
            predictions = self._predictions_of(connection, labels)
            rows = [self._label_row(label, predictions) for label in labels]
            held = self._newest_on(connection, {row["subject"] for row in rows})
            new: list[dict[str, Any]] = []
            for row in rows:
                if _says(held.get(row["subject"])) != _says(row):
                    held[row["subject"]] = row
                    new.append(row)
            if new:
                statement = insert(LABELS).returning(LABELS.c.sequence, sort_by_parameter_order=True)
                for row, sequence in zip(new, connection.execute(statement, new).scalars(), strict=True):
                    row["sequence"] = sequence
            repeated = {_says(row): row["sequence"] for row in held.values()}
            return [row["sequence"] if "sequence" in row else repeated[_says(row)] for row in rows]

    def labels(self, *, up_to: int | None = None, predicted_since: datetime | None = None) -> list[LabelledMessage]:
        """The trusted labels that held when `up_to` was the newest (default: now), ascending by sequence.

        With `predicted_since` only those of messages that were predicted from then on.
        """
        query = select(LABELS).where(self._holds(up_to)).order_by(LABELS.c.sequence)
        if predicted_since is not None:
            query = query.where(LABELS.c.predicted_at >= predicted_since)
        with self._database.read() as connection:
            return [_read_label(row) for row in connection.execute(query)]

    def count_new_labels(self, after: int) -> tuple[int, int, int]:
        """Trusted labels that hold and came after the sequence `after`: all, the spam among them, and the highest
        sequence of any trusted label (at least `after`), which freezes what a run may see."""
        new = LABELS.c.sequence > after
        query = select(
            sql.count(case((new, 1))),
            sql.count(case((new & (LABELS.c.label == Label.SPAM.value), 1))),
            sql.max(LABELS.c.sequence),
        ).where(self._holds(None))
        with self._database.read() as connection:
            count, spam, highest = connection.execute(query).one()
        return count, spam, max(highest or 0, after)

    def sources(self) -> list[SourceLabels]:
        """Counts by source, kind and trust."""
        parts = (LABELS.c.source, LABELS.c.kind, LABELS.c.trusted)
        query = (
            select(*parts, sql.count(), sql.count(case((LABELS.c.label == Label.SPAM.value, 1))))
            .where(LABELS.c.model == self._model)
            .group_by(*parts)
            .order_by(*parts)
        )
        with self._database.read() as connection:
            return [
                SourceLabels(source=source, kind=LabelKind(kind), trusted=trusted, labels=count, spam=spam)
                for source, kind, trusted, count, spam in connection.execute(query)
            ]

    def approve_source(self, source: str) -> int:
        """Trust the labels that `source` has given so far and return how many that are.

        They get new sequences, as if they arrived now: runs in flight keep their rows, and the next one counts them.
        """
        untrusted = (LABELS.c.model == self._model) & (LABELS.c.source == source) & LABELS.c.trusted.is_(False)
        copied = [column for column in LABELS.c if column.name not in {"sequence", "trusted"}]
        copies = select(*copied, literal(True)).where(untrusted).order_by(LABELS.c.sequence)
        with self._database.write("labels", self._model) as connection:
            names = [column.name for column in copied]
            connection.execute(insert(LABELS).from_select([*names, "trusted"], copies))
            return connection.execute(delete(LABELS).where(untrusted)).rowcount

    def drop_source(self, source: str) -> int:
        """Delete every label of `source` and return how many that were; the next model is built without them."""
        unwanted = (LABELS.c.model == self._model) & (LABELS.c.source == source)
        with self._database.write("labels", self._model) as connection:
            return connection.execute(delete(LABELS).where(unwanted)).rowcount

    def _holds(self, up_to: int | None) -> ColumnElement[bool]:
        """A trusted label without a later trusted one on the same subject."""
        later = LABELS.alias("later")
        newer = (
            (later.c.model == self._model)
            & (later.c.subject == LABELS.c.subject)
            & (later.c.sequence > LABELS.c.sequence)
            & later.c.trusted
        )
        holds = (LABELS.c.model == self._model) & LABELS.c.trusted
        if up_to is not None:
            newer &= later.c.sequence <= up_to
            holds &= LABELS.c.sequence <= up_to
        return holds & ~exists().where(newer)

    def _predictions_of(self, connection: Connection, labels: Sequence[NewLabel]) -> dict[str, Row[Any]]:
        wanted = {label.prediction_id for label in labels if label.prediction_id is not None}
        found: dict[str, Row[Any]] = {}
        for ids in _blocks(wanted):
            query = select(PREDICTIONS).where(PREDICTIONS.c.model == self._model, PREDICTIONS.c.prediction_id.in_(ids))
            found.update((row.prediction_id, row) for row in connection.execute(query))
        for label in labels:
            if label.prediction_id is not None and label.prediction_id not in found:
                raise UnknownPrediction(label.prediction_id)
        return found

    def _newest_on(self, connection: Connection, subjects: set[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        columns = (LABELS.c.subject, LABELS.c.label, LABELS.c.trusted, LABELS.c.sequence)
        for block in _blocks(subjects):
            query = select(*columns).where(LABELS.c.model == self._model, LABELS.c.subject.in_(block))
            for row in connection.execute(query.order_by(LABELS.c.sequence)).mappings():
                found[row["subject"]] = dict(row)
        return found

    def _label_row(self, label: NewLabel, predictions: dict[str, Row[Any]]) -> dict[str, Any]:
        prediction = None if label.prediction_id is None else predictions[label.prediction_id]
        if (prediction is None) == (label.text is None):
            raise ValueError("a label names its message by exactly one of prediction_id and text")
        return {
            "model": self._model,
            "subject": _subject(label),
            "text": storable(label.text or "") if prediction is None else prediction.text,
            "label": label.label.value,
            "kind": label.kind.value,
            "source": label.source,
            "trusted": label.trusted,
            "received_at": label.received_at,
            "predicted_at": label.predicted_at if prediction is None else prediction.at,
            "prediction_id": label.prediction_id,
            "predicted": None if prediction is None else prediction.label,
            "probability": None if prediction is None else prediction.audit_probability,
            "model_version": None if prediction is None else prediction.model_version,
        }


def _subject(label: NewLabel) -> str:
    """What a label speaks about, as a key.

    A prediction has one reader, whose newest word holds; in the audit, whoever gives it. One text may have gone to
    many people of one source, so contradicting labels of a text both stay, for training to see the contradiction.
    """
    if label.prediction_id is None:
        parts = [label.kind, label.source, storable(label.text or ""), str(label.predicted_at), label.label]
    elif label.kind is LabelKind.AUDIT:
        parts = [label.kind, label.prediction_id]
    else:
        parts = [label.kind, label.source, label.prediction_id]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _says(row: dict[str, Any] | None) -> tuple[str, str, bool] | None:
    return None if row is None else (row["subject"], row["label"], row["trusted"])


def _read_label(row: Row[Any]) -> LabelledMessage:
    return LabelledMessage(
        text=row.text,
        label=Label(row.label),
        predicted_at=row.predicted_at,
        source=row.source,
        kind=LabelKind(row.kind),
        sequence=row.sequence,
    )


def _blocks(keys: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _LOOKUP_ROWS):
        yield ordered[start : start + _LOOKUP_ROWS]
