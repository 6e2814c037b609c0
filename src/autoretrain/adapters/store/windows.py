"""Which windows of traffic were measured for drift, and what was found."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy import func as sql

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.predictions import FIELDS, read_prediction
from autoretrain.adapters.store.schema import DRIFT_WINDOWS, PREDICTIONS
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, Prediction
from autoretrain.domain.training import SCORE_BINS

DOUBTFUL_BELOW = 0.8
"""An answer of less confidence than this is doubtful: as confidence is calibrated, more than one in five is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAnswers:
    """What was answered in one window: how many messages, the spam and the doubtful answers among them.

    `confidence` is the mean, in [0, 1].
    """

    window_id: str
    messages: int
    spam: int
    doubtful: int
    confidence: float


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

    def window_answers(self, *, limit: int) -> list[WindowAnswers]:
        """What was answered in the newest `limit` windows of any version, oldest first.

        A window whose messages are past the retention is left out.
        """
        newest = (
            select(DRIFT_WINDOWS)
            .where(DRIFT_WINDOWS.c.model == self._model)
            .order_by(DRIFT_WINDOWS.c.last_sequence.desc())
            .limit(limit)
            .subquery()
        )
        score, is_spam = PREDICTIONS.c.score, PREDICTIONS.c.label == Label.SPAM.value
        confidence = case((is_spam, score), else_=1.0 - score)
        query = (
            select(
                newest.c.window_id,
                sql.count(),
                _count(is_spam),
                _count(confidence < DOUBTFUL_BELOW),
                sql.avg(confidence),
            )
            .join(PREDICTIONS, self._inside(newest.c))
            .group_by(newest.c.window_id, newest.c.last_sequence)
            .order_by(newest.c.last_sequence)
        )
        with self._database.read() as connection:
            return [
                WindowAnswers(window_id=window_id, messages=messages, spam=spam, doubtful=doubtful, confidence=mean)
                for window_id, messages, spam, doubtful, mean in connection.execute(query)
            ]

    def window_scores(self, window_id: str) -> tuple[int, ...]:
        """How many messages of one window are in each of SCORE_BINS equal bins of their spam probability.

        All are 0 where they are past the retention.
        """
        bins = [_count(_in_bin(PREDICTIONS.c.score, number)) for number in range(SCORE_BINS)]
        query = select(*bins).select_from(DRIFT_WINDOWS).join(PREDICTIONS, self._inside(DRIFT_WINDOWS.c))
        query = query.where(DRIFT_WINDOWS.c.model == self._model, DRIFT_WINDOWS.c.window_id == window_id)
        with self._database.read() as connection:
            return tuple(connection.execute(query).one())

    def window_messages(self, window_id: str) -> list[Prediction]:
        """The messages of one window in their order; those past the retention are not among them."""
        query = (
            select(*FIELDS)
            .select_from(DRIFT_WINDOWS)
            .join(PREDICTIONS, self._inside(DRIFT_WINDOWS.c))
            .where(DRIFT_WINDOWS.c.model == self._model, DRIFT_WINDOWS.c.window_id == window_id)
            .order_by(PREDICTIONS.c.sequence)
        )
        with self._database.read() as connection:
            return [read_prediction(row) for row in connection.execute(query)]

    def _inside(self, window: Any) -> ColumnElement[bool]:
        """That a prediction belongs to `window`, the columns of one."""
        return and_(
            PREDICTIONS.c.model == self._model,
            PREDICTIONS.c.model_version == window.model_version,
            PREDICTIONS.c.role == "champion",
            PREDICTIONS.c.sequence.between(window.first_sequence, window.last_sequence),
        )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return sql.count(case((condition, 1)))


def _in_bin(score: ColumnElement[float], number: int) -> ColumnElement[bool]:
    """The bins of `ml.guarding.score_histogram`: closed below, and the last one above as well."""
    lower = score >= number / SCORE_BINS
    return lower if number == SCORE_BINS - 1 else and_(lower, score < (number + 1) / SCORE_BINS)
