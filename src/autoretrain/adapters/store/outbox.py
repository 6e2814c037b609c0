"""Which alerts wait, and which were told? One text a model, so that both outlive the process that sends."""

from sqlalchemy import delete, insert, select

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import OUTBOX


class AlertOutbox(Part):
    """The one process that sends alerts of a model writes it; what it says is the sender's business."""

    def outbox(self) -> str:
        """Return what was kept last, empty at first."""
        with self._database.read() as connection:
            return connection.scalar(select(OUTBOX.c.content).where(OUTBOX.c.model == self._model)) or ""

    def keep_outbox(self, text: str) -> None:
        """Keep `text` in place of what was kept."""
        with self._database.write("outbox", self._model) as connection:
            connection.execute(delete(OUTBOX).where(OUTBOX.c.model == self._model))
            connection.execute(insert(OUTBOX), [{"model": self._model, "content": text}])
