"""What did the agent advise, beside what the rules decided, and how often were they of one mind?"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select
from sqlalchemy import func as sql

from autoretrain.adapters.store.database import Part
from autoretrain.adapters.store.schema import ADVICE
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome, AdviceTotals

_PLAIN = (
    *("sequence", "at", "situation_id", "situation_at", "reason", "rules", "allowed", "chat_model", "prompt_version"),
    *("calls", "input_tokens", "output_tokens", "cost", "seconds"),
)
"""The columns that a record has under the same name and as the same value."""


class AdviceRecords(Part):
    """An append-only list; failures to answer are in it too. It holds no message text."""

    def add_advice(self, advice: Advice) -> int:
        """Keep `advice` and return the sequence that it got, whatever its own said."""
        row = {name: getattr(advice, name) for name in _PLAIN if name != "sequence"}
        row |= {
            "model": self._model,
            "outcome": advice.outcome.value,
            "advice": advice.choice.value if advice.choice else None,
            "evidence": json.dumps({"findings": advice.findings, "decisions": advice.decisions}),
        }
        with self._database.write("advice", self._model) as connection:
            return int(connection.execute(insert(ADVICE).returning(ADVICE.c.sequence), row).scalar_one())

    def advice(self, *, limit: int) -> list[Advice]:
        """Return the newest `limit`, oldest first."""
        query = select(ADVICE).where(ADVICE.c.model == self._model).order_by(ADVICE.c.sequence.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [_advice(row) for row in reversed(rows)]

    def advice_totals(self, *, since: datetime | None = None) -> AdviceTotals:
        """Return the sums over all advice, or over that given at `since` or later."""
        table = ADVICE.c
        answered = table.outcome == AdviceOutcome.ANSWERED.value
        compared = and_(answered, table.rules.in_([choice.value for choice in AdviceChoice]))
        query = select(
            sql.count().label("asked"),
            sql.count().filter(answered).label("answered"),
            sql.count().filter(compared).label("compared"),
            sql.count().filter(and_(compared, table.advice == table.rules)).label("agreed"),
            sql.count().filter(and_(answered, ~table.allowed)).label("illegal"),
            *(sql.coalesce(sql.sum(table[name]), 0).label(name) for name in ("calls", "input_tokens", "output_tokens")),
            sql.coalesce(sql.sum(table.cost), 0.0).label("cost"),
        ).where(table.model == self._model)
        if since is not None:
            query = query.where(table.at >= since)
        with self._database.read() as connection:
            found = connection.execute(query).one()._asdict()
        cost = float(found.pop("cost"))
        # PostgreSQL sums integers to a decimal.
        return AdviceTotals(cost=cost, **{name: int(each) for name, each in found.items()})


def _advice(row: Row[Any]) -> Advice:
    evidence = json.loads(row.evidence)
    return Advice(
        **{name: getattr(row, name) for name in _PLAIN},
        outcome=AdviceOutcome(row.outcome),
        choice=AdviceChoice(row.advice) if row.advice else None,
        findings=tuple(evidence["findings"]),
        decisions=tuple(evidence["decisions"]),
    )
