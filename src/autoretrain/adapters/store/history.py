"""What happened, message by message: traffic in the order of its arrival, with what was learnt of each."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from sqlalchemy import and_, case, select

from autoretrain.adapters.histories import RecordedMessage
from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import LABELS, PREDICTIONS
from autoretrain.domain.messages import Label, LabelKind


class History(Part):
    """A view of predictions and labels as one stream, to replay it elsewhere."""

    def history(self, *, since: datetime | None) -> Iterator[RecordedMessage]:
        """Yield every message that was answered since then, oldest first; rows are read as they are asked for.

        The label is the audit's, or else the newest trusted report. `audit_probability` stands beside an audit label
        and where a message that was drawn has none yet: a report that came by itself is no part of the sample.
        """
        audited = case((LABELS.c.kind == LabelKind.AUDIT.value, 1), else_=0)
        own = and_(
            LABELS.c.model == PREDICTIONS.c.model,
            LABELS.c.prediction_id == PREDICTIONS.c.prediction_id,
            LABELS.c.trusted,
        )
        query = (
            select(
                PREDICTIONS.c.sequence,
                PREDICTIONS.c.at,
                PREDICTIONS.c.text,
                PREDICTIONS.c.audit_probability,
                LABELS.c.label,
                LABELS.c.received_at,
                audited.label("audited"),
            )
            .join(LABELS, own, isouter=True)
            .where(PREDICTIONS.c.model == self._model)
            .order_by(PREDICTIONS.c.at, PREDICTIONS.c.sequence, audited, LABELS.c.sequence)
            .execution_options(yield_per=1000)
        )
        if since is not None:
            query = query.where(PREDICTIONS.c.at >= since)
        with self._database.read() as connection, connection.execute(query) as rows:
            for _, group in groupby(rows, key=lambda row: row.sequence):
                *_, row = group  # the one that counts is sorted last
                drawn = row.audited or row.label is None
                yield RecordedMessage(
                    at=row.at,
                    text=row.text,
                    label=Label(row.label) if row.label else None,
                    labelled_at=row.received_at,
                    audit_probability=row.audit_probability if drawn else None,
                )
