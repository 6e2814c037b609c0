"""Which windows of traffic were measured for drift, and what was found."""

import json

from sqlalchemy import func as sql
from sqlalchemy import select

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import DRIFT_WINDOWS
from autoretrain.domain.drift import DriftReport


class DriftWindows(Part):
    """Tumbling windows over the sequence of the champion's predictions; each is measured once."""

    def save_report(self, report: DriftReport, *, first_sequence: int, last_sequence: int) -> None:
        """Keep the report of the predictions `first_sequence` to `last_sequence`, unless its window has one already."""
        row = {
            "model": self._model,
            "window_id": report.window_id,
            "model_version": report.model_version,
            "first_sequence": first_sequence,
            "last_sequence": last_sequence,
            "ended_at": report.ended_at,
            "report": json.dumps(dump_record(report)),
        }
        with self._database.write("windows", self._model) as connection:
            connection.execute(self._database.insert_new(DRIFT_WINDOWS), [row])

    def last_sequence(self, version: str) -> int:
        """Where the next window of `version` starts after: the end of the last saved one, 0 without any."""
        query = select(sql.max(DRIFT_WINDOWS.c.last_sequence)).where(
            DRIFT_WINDOWS.c.model == self._model, DRIFT_WINDOWS.c.model_version == version
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def reports(self, *, version: str | None, limit: int) -> list[DriftReport]:
        """The newest `limit` reports, oldest first; of every version where `version` is None."""
        query = select(DRIFT_WINDOWS.c.report).where(DRIFT_WINDOWS.c.model == self._model)
        if version is not None:
            query = query.where(DRIFT_WINDOWS.c.model_version == version)
        query = query.order_by(DRIFT_WINDOWS.c.last_sequence.desc()).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).scalars().all()
        return [load_record(DriftReport, json.loads(text)) for text in reversed(found)]
