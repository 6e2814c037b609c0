"""Which decisions were taken, in a chain of hashes that shows whether one was changed afterwards."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.expressions import json_texts
from autoretrain.adapters.store.schema import LEDGER
from autoretrain.domain.status import HistoryEntry


class Ledger(Part):
    """An append-only list. It holds no message text, so retention does not touch it."""

    def append_decision(self, record: dict[str, Any]) -> int:
        """Keep `record` (JSON values; no NaN) for good and return its sequence, which counts from 1 without gaps."""
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
        newest = (
            select(LEDGER.c.sequence, LEDGER.c.hash)
            .where(LEDGER.c.model == self._model)
            .order_by(LEDGER.c.sequence.desc())
            .limit(1)
        )
        with self._database.write("ledger", self._model) as connection:
            last = connection.execute(newest).first()
            sequence, previous = (1, "") if last is None else (last.sequence + 1, last.hash)
            row = {"model": self._model, "sequence": sequence, "record": text, "hash": _chained(previous, text)}
            connection.execute(insert(LEDGER), [row])
        return sequence

    def decisions(self, *, limit: int, after: int | None = None) -> list[dict[str, Any]]:
        """At most `limit` records, oldest first, each with its `sequence`.

        With `after` the first ones after that sequence, to read page by page; without it the newest.
        """
        query = select(LEDGER.c.sequence, LEDGER.c.record).where(LEDGER.c.model == self._model).limit(limit)
        if after is None:
            query = query.order_by(LEDGER.c.sequence.desc())
        else:
            query = query.where(LEDGER.c.sequence > after).order_by(LEDGER.c.sequence)
        with self._database.read() as connection:
            rows = sorted(connection.execute(query).all(), key=lambda row: row.sequence)
        return [{**json.loads(row.record), "sequence": row.sequence} for row in rows]

    def decision_heads(self, *, limit: int) -> list[tuple[int, HistoryEntry]]:
        """What the newest `limit` decisions were and when, without what they rest on; oldest first, with sequences.

        A record is some 20 KB, and a list of many needs 200 bytes of each.
        """
        texts = json_texts(LEDGER.c.record, "at", "decision", "reason", "message")
        query = (
            select(LEDGER.c.sequence, texts)
            .where(LEDGER.c.model == self._model)
            .order_by(LEDGER.c.sequence.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [(sequence, _head(*json.loads(told))) for sequence, told in reversed(rows)]

    def verify_ledger(self) -> int | None:
        """The sequence of the first record that is missing or does not fit its hash; None where the chain is whole.

        Records cut off at the end leave a whole chain: compare the newest hash with a copy kept elsewhere to see that.
        """
        query = (
            select(LEDGER.c.sequence, LEDGER.c.record, LEDGER.c.hash)
            .where(LEDGER.c.model == self._model)
            .order_by(LEDGER.c.sequence)
            .execution_options(yield_per=1000)
        )
        expected, previous = 1, ""
        with self._database.read() as connection, connection.execute(query) as rows:
            for row in rows:
                if row.sequence != expected or row.hash != _chained(previous, row.record):
                    return expected
                expected, previous = expected + 1, row.hash
        return None


def _chained(previous: str, text: str) -> str:
    return hashlib.sha256((previous + text).encode()).hexdigest()


def _head(at: str, decision: str, reason: str, message: str) -> HistoryEntry:
    return HistoryEntry(at=datetime.fromisoformat(at), decision=decision, reason=reason, message=message)
