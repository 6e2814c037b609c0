"""Which predictions a person should label next, and what those labels say about a version."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select, update

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.predictions import FIELDS, read_prediction
from autoretrain.adapters.store.schema import LABELS, PREDICTIONS
from autoretrain.domain.messages import AuditedPrediction, Label, LabelKind, Prediction

ASK_LEASE = timedelta(minutes=10)
ASK_AT_MOST = 100


class Audit(Part):
    """The audit sample: predictions drawn with a known probability, and their labels."""

    def labels_to_ask(self, *, limit: int, now: datetime) -> list[Prediction]:
        """The newest drawn predictions without a label, at most `limit` and never more than ASK_AT_MOST.

        Those handed out here are not handed out again before ASK_LEASE is over, so two people do not label the same.
        """
        free = PREDICTIONS.c.asked_at.is_(None) | (PREDICTIONS.c.asked_at <= now - ASK_LEASE)
        query: Select[Any] = (
            select(*FIELDS, PREDICTIONS.c.sequence)
            .where(self._drawn(), free, ~self._has_label())
            .order_by(PREDICTIONS.c.sequence.desc())
            .limit(max(0, min(limit, ASK_AT_MOST)))
        )
        with self._database.write("asking", self._model) as connection:
            rows = connection.execute(query).all()
            asked = PREDICTIONS.c.sequence.in_([row.sequence for row in rows])
            connection.execute(update(PREDICTIONS).where(asked).values(asked_at=now))
        return [read_prediction(row) for row in rows]

    def audited(self, *, version: str | None, since: datetime | None) -> tuple[list[AuditedPrediction], int]:
        """The audit sample of `version` (None: of all) since then, by time of the prediction.

        Returns those with a trusted label, oldest first, and the number of those that still have none.
        """
        pending = select(func.count()).select_from(PREDICTIONS).where(self._drawn(), ~self._has_label())
        later = LABELS.alias("later")
        newer = (later.c.model == self._model) & (later.c.subject == LABELS.c.subject) & later.c.trusted
        labelled = select(LABELS).where(
            LABELS.c.model == self._model,
            LABELS.c.kind == LabelKind.AUDIT.value,
            LABELS.c.probability.is_not(None),
            LABELS.c.trusted,
            ~exists().where(newer & (later.c.sequence > LABELS.c.sequence)),
        )
        if version is not None:
            pending = pending.where(PREDICTIONS.c.model_version == version)
            labelled = labelled.where(LABELS.c.model_version == version)
        if since is not None:
            pending = pending.where(PREDICTIONS.c.at >= since)
            labelled = labelled.where(LABELS.c.predicted_at >= since)
        with self._database.read() as connection:
            rows = connection.execute(labelled.order_by(LABELS.c.predicted_at, LABELS.c.sequence)).all()
            unlabelled = connection.execute(pending).scalar_one()
        return [
            AuditedPrediction(
                text=row.text,
                predicted=Label(row.predicted),
                label=Label(row.label),
                probability=row.probability,
                model_version=row.model_version,
                predicted_at=row.predicted_at,
            )
            for row in rows
        ], unlabelled

    def overturn_rate(self, *, version: str, since: datetime | None) -> float | None:
        """Share of the predictions of `version` that a trusted report contradicted; None without predictions.

        Reports are chosen by their senders, so this is a sign of trouble and never a measure of accuracy.
        """
        overturned = select(func.count(LABELS.c.prediction_id.distinct())).where(
            LABELS.c.model == self._model,
            LABELS.c.kind == LabelKind.REPORT.value,
            LABELS.c.trusted,
            LABELS.c.model_version == version,
            LABELS.c.label != LABELS.c.predicted,
        )
        made = (
            select(func.count())
            .select_from(PREDICTIONS)
            .where(PREDICTIONS.c.model == self._model, PREDICTIONS.c.model_version == version)
        )
        if since is not None:
            overturned = overturned.where(LABELS.c.predicted_at >= since)
            made = made.where(PREDICTIONS.c.at >= since)
        with self._database.read() as connection:
            predictions = connection.execute(made).scalar_one()
            if not predictions:
                return None
            return float(connection.execute(overturned).scalar_one() / predictions)

    def _drawn(self) -> ColumnElement[bool]:
        return (PREDICTIONS.c.model == self._model) & PREDICTIONS.c.audit_probability.is_not(None)

    def _has_label(self) -> ColumnElement[bool]:
        return exists().where(
            LABELS.c.model == self._model,
            LABELS.c.prediction_id == PREDICTIONS.c.prediction_id,
            LABELS.c.kind == LabelKind.AUDIT.value,
            LABELS.c.trusted,
        )
