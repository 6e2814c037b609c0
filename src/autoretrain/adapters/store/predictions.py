"""Which messages were answered, how, and by which version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy import func as sql

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import PREDICTIONS
from autoretrain.adapters.store.spans import Span, spans_of
from autoretrain.domain.messages import Label, Prediction

FIELDS = [
    PREDICTIONS.c[name]
    for name in (
        "prediction_id",
        "text",
        "label",
        "score",
        "model_version",
        "at",
        "role",
        "audit_probability",
        "other_version",
        "other_score",
    )
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How many messages `version` answered with `label` within one span of time, in any role."""

    started_at: datetime
    version: str
    label: Label
    messages: int


class Predictions(Part):
    """The log of predictions. Message text is kept until `purge`."""

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Keep `predictions`; one that is there already (a batch sent twice) stays as it is."""
        if not predictions:
            return
        rows = [self._prediction_row(prediction) for prediction in predictions]
        with self._database.write("predictions", self._model, durable=False) as connection:
            connection.execute(self._database.insert_new(PREDICTIONS), rows)

    def prediction(self, prediction_id: str) -> Prediction | None:
        """The prediction of that id, None where it never was or is purged."""
        query = self._predictions().where(PREDICTIONS.c.prediction_id == prediction_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else read_prediction(row)

    def predictions_after(self, sequence: int, *, version: str, limit: int) -> list[tuple[int, Prediction]]:
        """The champion's first `limit` predictions by `version` after `sequence`, each with its own sequence."""
        query = (
            self._predictions(PREDICTIONS.c.sequence)
            .where(
                PREDICTIONS.c.model_version == version,
                PREDICTIONS.c.role == "champion",
                PREDICTIONS.c.sequence > sequence,
            )
            .order_by(PREDICTIONS.c.sequence)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(row.sequence, read_prediction(row)) for row in connection.execute(query)]

    def recent_predictions(
        self, *, version: str | None, since: datetime | None, limit: int, label: Label | None = None
    ) -> list[Prediction]:
        """The newest `limit` predictions, oldest first; of every version and role where `version` is None."""
        newest = (PREDICTIONS.c.at.desc(), PREDICTIONS.c.sequence.desc())
        query = _only(self._predictions(), version=version, since=since).order_by(*newest).limit(limit)
        if label is not None:
            query = query.where(PREDICTIONS.c.label == label.value)
        with self._database.read() as connection:
            return [read_prediction(row) for row in reversed(connection.execute(query).all())]

    def count_predictions(self, *, version: str | None, since: datetime | None) -> int:
        """How many predictions `version` made since then, in any role."""
        query = select(sql.count()).select_from(PREDICTIONS).where(PREDICTIONS.c.model == self._model)
        with self._database.read() as connection:
            return int(connection.execute(_only(query, version=version, since=since)).scalar_one())

    def traffic(self, *, since: datetime, until: datetime, span: Span) -> list[Traffic]:
        """What was answered since then, up to the end of the span that `until` is in: by span, version and label.

        In order of time; spans without any are left out. The first one begins before `since` and is not whole.
        """
        parts, at = (PREDICTIONS.c.model_version, PREDICTIONS.c.label), PREDICTIONS.c.at
        # Span by span, each a range of one index. Grouped by the start of its span, which no index has, every message
        # would be computed with and sorted: three times as long, and PostgreSQL would read the whole table for it.
        query = (
            select(*parts, sql.count())
            .where(PREDICTIONS.c.model == self._model, at >= bindparam("begin"), at < bindparam("end"))
            .group_by(*parts)
            .order_by(*parts)
        )
        with self._database.read() as connection:
            return [
                Traffic(started_at=started_at, version=version, label=Label(label), messages=messages)
                for started_at, ended_at in spans_of(span, since=since, until=until)
                for version, label, messages in connection.execute(
                    query, {"begin": max(started_at, since), "end": ended_at}
                )
            ]

    def _predictions(self, *more: Any) -> Select[Any]:
        return select(*FIELDS, *more).where(PREDICTIONS.c.model == self._model)

    def _prediction_row(self, prediction: Prediction) -> dict[str, Any]:
        return {
            "model": self._model,
            "prediction_id": prediction.prediction_id,
            "text": storable(prediction.text),
            "label": prediction.label.value,
            "score": prediction.score,
            "model_version": prediction.model_version,
            "at": prediction.at,
            "role": prediction.role,
            "audit_probability": prediction.audit_probability,
            "other_version": prediction.other_version,
            "other_score": prediction.other_score,
        }


def read_prediction(row: Row[Any]) -> Prediction:
    """The record in a row that has FIELDS."""
    return Prediction(
        prediction_id=row.prediction_id,
        text=row.text,
        label=Label(row.label),
        score=row.score,
        model_version=row.model_version,
        at=row.at,
        role=row.role,
        audit_probability=row.audit_probability,
        other_version=row.other_version,
        other_score=row.other_score,
    )


def storable(message: str) -> str:
    """`message` with U+FFFD for what no database keeps: NUL (PostgreSQL) and half a surrogate pair (no UTF-8)."""
    return message.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _only(query: Select[Any], *, version: str | None, since: datetime | None) -> Select[Any]:
    if version is not None:
        query = query.where(PREDICTIONS.c.model_version == version)
    if since is not None:
        query = query.where(PREDICTIONS.c.at >= since)
    return query
