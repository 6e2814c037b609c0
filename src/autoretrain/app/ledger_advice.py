"""Which situations are asked about on one machine? Each newest decision of the ledger.

That is a window that was measured, a run that ended, anything that a pass found worth keeping.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import pydantic

from autoretrain.adapters.records import load_record
from autoretrain.app.advising import Adviser
from autoretrain.decide.situation import build_situation
from autoretrain.domain.advice import Advice, Situation
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation

DECISIONS: Final = 10
"""An adviser is shown as many, besides the one that it is asked about."""


class Ledger(Protocol):
    def decisions(self, *, limit: int) -> Sequence[Mapping[str, Any]]: ...


def look(ledger: Ledger, adviser: Adviser) -> Advice | None:
    """Ask about the newest decision, if that is due. Raises AutoRetrainError."""
    newest = ledger.decisions(limit=DECISIONS + 1)
    if not newest:
        return None
    *before, record = newest
    name = f"decision-{record['sequence']}"

    def build() -> tuple[Situation, str]:
        return build_situation(_observation(record), situation_id=name, decisions=before)

    return adviser.advise(name, datetime.fromisoformat(record["at"]), build)


def _observation(record: Mapping[str, Any]) -> Observation:
    try:
        return load_record(Observation, record["observation"])
    except pydantic.ValidationError:
        raise AutoRetrainError(
            f"decision {record['sequence']} was recorded by a release that this one can't read"
        ) from None
