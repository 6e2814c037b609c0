"""Which predictions a person should label next, and what those labels say about a version."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, select, update

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

    def handed_out(self, *, now: datetime) -> tuple[int, datetime | None]:
        """How many unlabelled predictions `labels_to_ask` keeps back for whom it gave them to, and until when."""
        query = (
            select(func.count(), func.max(PREDICTIONS.c.asked_at))
            .select_from(PREDICTIONS)
            .where(self._drawn(), PREDICTIONS.c.asked_at > now - ASK_LEASE, ~self._has_label())
        )
        with self._database.read() as connection:
            count, last = connection.execute(query).one()
        return count, None if last is None else last + ASK_LEASE

    def audited(self, *, version: str | None, since: datetime | None) -> tuple[list[AuditedPrediction], int]:
        """The audit sample of what `version` (None: each) answered since then, by time of the prediction.

        Returns those with a trusted label, oldest first, and the number of those that still have none.
        """
        labelled, pending = self._labelled(), self._unlabelled()
        if version is not None:
            labelled = labelled.where(LABELS.c.model_version == version)
            pending = pending.where(PREDICTIONS.c.model_version == version)
        rows, unlabelled = self._read_sample(labelled, pending, since=since)
        found = [_read_audited(row, predicted=Label(row.predicted), version=row.model_version) for row in rows]
        return found, unlabelled

    def audited_shadow(
        self, *, version: str, threshold: float, since: datetime | None
    ) -> tuple[list[AuditedPrediction], int]:
        """The audit sample of what `version` scored in the shadow since then, while another one answered.

        The same as `audited`, with what `version` would have answered: spam from a score of `threshold` on. A label
        outlives its prediction but not the shadow's score, so labels of purged predictions are left out.
        """
        scored = (PREDICTIONS.c.other_version == version) & PREDICTIONS.c.other_score.is_not(None)
        same = (PREDICTIONS.c.model == LABELS.c.model) & (PREDICTIONS.c.prediction_id == LABELS.c.prediction_id)
        labelled = self._labelled(PREDICTIONS.c.other_score).join(PREDICTIONS, same).where(scored)
        rows, unlabelled = self._read_sample(labelled, self._unlabelled().where(scored), since=since)
        found = [
            _read_audited(row, predicted=Label.SPAM if row.other_score >= threshold else Label.HAM, version=version)
            for row in rows
        ]
        return found, unlabelled

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

    def _labelled(self, *more: Any) -> Select[Any]:
        """The audit labels that hold, of drawn predictions."""
        later = LABELS.alias("later")
        newer = (later.c.model == self._model) & (later.c.subject == LABELS.c.subject) & later.c.trusted
        return select(LABELS, *more).where(
            LABELS.c.model == self._model,
            LABELS.c.kind == LabelKind.AUDIT.value,
            LABELS.c.probability.is_not(None),
            LABELS.c.trusted,
            ~exists().where(newer & (later.c.sequence > LABELS.c.sequence)),
        )

    def _unlabelled(self) -> Select[Any]:
        return select(func.count()).select_from(PREDICTIONS).where(self._drawn(), ~self._has_label())

    def _read_sample(
        self, labelled: Select[Any], pending: Select[Any], *, since: datetime | None
    ) -> tuple[Sequence[Row[Any]], int]:
        if since is not None:
            labelled = labelled.where(LABELS.c.predicted_at >= since)
            pending = pending.where(PREDICTIONS.c.at >= since)
        with self._database.read() as connection:
            rows = connection.execute(labelled.order_by(LABELS.c.predicted_at, LABELS.c.sequence)).all()
            return rows, connection.execute(pending).scalar_one()

    def _drawn(self) -> ColumnElement[bool]:
        return (PREDICTIONS.c.model == self._model) & PREDICTIONS.c.audit_probability.is_not(None)

    def _has_label(self) -> ColumnElement[bool]:
        return exists().where(
            LABELS.c.model == self._model,
            LABELS.c.prediction_id == PREDICTIONS.c.prediction_id,
            LABELS.c.kind == LabelKind.AUDIT.value,
            LABELS.c.trusted,
        )


def _read_audited(row: Row[Any], *, predicted: Label, version: str) -> AuditedPrediction:
    return AuditedPrediction(
        text=row.text,
        predicted=predicted,
        label=Label(row.label),
        probability=row.probability,
        model_version=version,
        predicted_at=row.predicted_at,
    )
