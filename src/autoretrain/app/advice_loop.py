"""The agent beside a loop in another container: reads decisions in the store, asks the chat model, keeps the advice.

It needs the store, the document that the loop has in force, and LangChain; no registry and no model.
"""

import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from autoretrain.adapters.chat_model import AgentUnusable
from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.settings import Settings, settings_problems
from autoretrain.adapters.store import Store
from autoretrain.app.advice_http import PORT, AdviceMetrics
from autoretrain.app.http_port import listen
from autoretrain.app.ledger_advice import LOOK_SECONDS, LedgerAgent
from autoretrain.app.signals import Stopped, stopping_on_signals
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import AgentSpec, TriggerMode

AGAIN_SECONDS: Final = 30.0
"""After something that a person has to mend."""

log = structlog.get_logger("autoretrain.agent")


def agent_of(document: Path) -> AgentSpec:
    """Return what a document asks for, which was checked by whoever put it in force. Raises AutoRetrainError."""
    try:
        asked = json.loads(document.read_text(encoding="utf-8"))["spec"].get("agent", {})
        return AgentSpec(mode=TriggerMode(asked.get("mode", TriggerMode.DISABLED)), model=str(asked.get("model", "")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AutoRetrainError(f"the document in force can't be read: {error}") from None


def look_once(agent: LedgerAgent, metrics: AdviceMetrics) -> float:
    """Look, and return the seconds until the next look. Whatever goes wrong is said in the log."""
    try:
        advice = agent.look()
    except AgentUnusable as error:
        log.error("no advice", error=str(error))
        return AGAIN_SECONDS
    except AutoRetrainError as error:
        log.warning("no advice", error=str(error))
        return AGAIN_SECONDS
    if advice is not None:
        metrics.show(advice)
        log.info("advice", situation=advice.situation_id, outcome=advice.outcome, choice=advice.choice)
    return LOOK_SECONDS


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"{settings_problems(error)}\n")
        return 2
    configure_logging(settings.log_level)
    metrics = AdviceMetrics(settings.model)
    with Store(settings.resolved_store_url(), model=settings.model) as store:
        agent = LedgerAgent(lambda: agent_of(settings.spec), store, store, settings, lambda: datetime.now(UTC))
        try:
            with stopping_on_signals():
                listen(metrics.app(), host=settings.host, port=PORT)
                while True:
                    threading.Event().wait(look_once(agent, metrics))
        except Stopped:
            return 0


if __name__ == "__main__":
    sys.exit(main())
