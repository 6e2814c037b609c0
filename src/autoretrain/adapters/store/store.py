"""The whole store behind one name, opened for one model."""

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ColumnElement, Table, delete, select

from autoretrain.adapters.store.advice import AdviceRecords
from autoretrain.adapters.store.audit import Audit
from autoretrain.adapters.store.database import Database
from autoretrain.adapters.store.history import History
from autoretrain.adapters.store.labels import Labels
from autoretrain.adapters.store.ledger import Ledger
from autoretrain.adapters.store.outbox import AlertOutbox
from autoretrain.adapters.store.predictions import Predictions
from autoretrain.adapters.store.schema import DRIFT_WINDOWS, LABELS, PREDICTIONS
from autoretrain.adapters.store.serving import Artefacts, Deployments
from autoretrain.adapters.store.windows import DriftWindows
from autoretrain.domain.messages import LabelKind

_PURGE_ROWS = 5000  # a transaction; writers wait no longer than one of these takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How many rows retention deleted."""

    predictions: int
    labels: int
    windows: int


class Store(
    Predictions, Audit, Labels, DriftWindows, Artefacts, Deployments, Ledger, AdviceRecords, AlertOutbox, History
):
    """What the processes of one model share: thread-safe, at most two connections, every call one transaction.

    `url` is a SQLAlchemy address (`sqlite:///path` or `postgresql://…`), `model` is `<namespace>.<name>`. Every method
    may raise StoreUnavailable, and has changed nothing then.
    """

    def __init__(self, url: str, *, model: str) -> None:
        super().__init__(Database(url), model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def about(self, model: str) -> "Store":
        """Return the same database opened for another model, over the same connections: closing one closes both."""
        other = copy(self)
        other._model = model
        return other

    def migrate(self) -> None:
        """Create or upgrade the tables, of all models; nothing happens where they are up to date."""
        self._database.migrate()

    def check_schema(self) -> None:
        """Raise StoreUnavailable, saying what to run, where the tables are missing or too old."""
        self._database.check_schema()

    def close(self) -> None:
        """Give the connections back. A later call opens new ones."""
        self._database.close()

    def purge(self, *, now: datetime, retention_seconds: float) -> Purged:
        """Delete message texts older than the retention: predictions with their drift windows, reports, audit labels.

        Imported labels stay (they are the operator's own file; `drop_source` deletes them), and so do the
        ledger and the agent's advice, which hold no text.
        """
        oldest = now - timedelta(seconds=retention_seconds)
        feedback = (LABELS.c.received_at < oldest) & (LABELS.c.kind != LabelKind.IMPORT.value)
        return Purged(
            predictions=self._delete(PREDICTIONS, PREDICTIONS.c.at < oldest),
            labels=self._delete(LABELS, feedback),
            windows=self._delete(DRIFT_WINDOWS, DRIFT_WINDOWS.c.ended_at < oldest),
        )

    def _delete(self, table: Table, where: ColumnElement[bool]) -> int:
        block = select(table.c.sequence).where(table.c.model == self._model, where).limit(_PURGE_ROWS)
        statement = delete(table).where(table.c.sequence.in_(block))
        deleted = 0
        while True:
            with self._database.write("purge", self._model) as connection:
                rows = connection.execute(statement).rowcount
            deleted += rows
            if rows < _PURGE_ROWS:
                return deleted
