"""Which situations are asked about on one machine? Each newest decision of the ledger.

That is a window that was measured, a run that ended, anything that a pass found worth keeping.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import pydantic

from autoretrain.adapters.chat_model import ChatModel
from autoretrain.adapters.records import load_record
from autoretrain.adapters.settings import Settings
from autoretrain.app.advising import Adviser, Records
from autoretrain.decide.situation import build_situation
from autoretrain.domain.advice import Advice, Situation
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation
from autoretrain.domain.spec import AgentSpec, TriggerMode

DECISIONS: Final = 10
"""An adviser is shown as many, besides the one that it is asked about."""


LOOK_SECONDS: Final = 5.0


class Ledger(Protocol):
    def decisions(self, *, limit: int) -> Sequence[Mapping[str, Any]]: ...


@dataclass(slots=True)
class LedgerAgent:
    """Advises as the document asks for it at each look: it may name another chat model meanwhile, or none."""

    agent_of: Callable[[], AgentSpec]
    ledger: Ledger
    records: Records
    settings: Settings
    clock: Callable[[], datetime]
    _adviser: Adviser | None = field(init=False, default=None)

    def look(self) -> Advice | None:
        """Ask about the newest decision, if that is due and an adviser is wanted. Raises AutoRetrainError."""
        agent = self.agent_of()
        if agent.mode is TriggerMode.DISABLED:
            return None
        if self._adviser is None:
            self._adviser = Adviser(self.records, ChatModel(agent.model, self.settings), self.settings, self.clock)
        elif agent.model != self._adviser.chat.name:
            self._adviser.chat = ChatModel(agent.model, self.settings)
        return look(self.ledger, self._adviser)


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
