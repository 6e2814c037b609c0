"""How did a model come to its versions? Runs from start to end, and what was decided, out of the ledger."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from autoretrain.dashboard.drawing import clock_time
from autoretrain.dashboard.queries.overview import Heads
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import ActiveRun, HistoryEntry

RUN: Final = "run"
FAILED: Final = "run failed"
KINDS: Final[Mapping[str, str]] = {
    Decision.PROMOTE: "promoted",
    Decision.HOLD: "held",
    Decision.REJECT: "rejected",
    Decision.ROLLBACK: "rolled back",
    Decision.ALERT: "alert",
}
LANES: Final = (RUN, *KINDS.values(), FAILED)
FAILURES: Final = frozenset({Reason.TRAINING_FAILED, Reason.TRAINING_DEADLINE_EXCEEDED, Reason.TRAINING_BAD_INPUT})
ENDS: Final = frozenset({"promoted", "held", "rejected", FAILED})


def timeline_rows(heads: Heads, *, running: ActiveRun | None, now: datetime) -> list[dict[str, Any]]:
    """One row a run or decision, oldest first, with its lane; one that takes no time ends when it begins."""
    rows: list[dict[str, Any]] = []
    begun: HistoryEntry | None = None
    for _, entry in heads:
        lane = _lane(entry)
        if entry.decision == Decision.RETRAIN:
            begun = entry
        elif lane in ENDS and begun is not None:
            rows.append(_row(RUN, begun, until=entry.at))
            begun = None
        if lane is not None:
            rows.append(_row(lane, entry, until=entry.at))
    if begun is not None and running is not None:
        rows.append(_row(RUN, begun, until=now))
    return rows


def lanes_of(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The lanes that have something in them, in their order."""
    used = {row["lane"] for row in rows}
    return [lane for lane in LANES if lane in used]


def _lane(entry: HistoryEntry) -> str | None:
    return FAILED if entry.reason in FAILURES else KINDS.get(entry.decision)


def _row(lane: str, entry: HistoryEntry, *, until: datetime) -> dict[str, Any]:
    return {
        "lane": lane,
        "time (UTC)": clock_time(entry.at),
        "until": clock_time(until),
        "reason": entry.reason,
        "why": entry.message,
    }
