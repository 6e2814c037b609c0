"""`autoretrain ask` and `autoretrain agent`: questions about the model in plain words, and advice on each situation."""

import argparse
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoretrain.adapters.chat_model import AgentUnusable, ChatModel
from autoretrain.adapters.settings import Settings
from autoretrain.app.agent import answer
from autoretrain.app.ledger_advice import LOOK_SECONDS, LedgerAgent
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.monitor import repeat
from autoretrain.app.phrasing import phrase
from autoretrain.app.question_budget import BudgetedChat, CountedRecords, Questions
from autoretrain.app.signals import Stopped, stopping_on_signals
from autoretrain.cli.terminal import write_plain
from autoretrain.domain.advice import Advice
from autoretrain.domain.spec import TriggerMode

MAX_DECISIONS = 200
MAX_REPORTS = 50
GREETING = "Ask about the model: its status, drift, decisions, what comes next. `help` lists more; an empty line ends."


def add_commands(commands: Any) -> None:
    for name, run, summary in (
        ("ask", run_ask, "ask about the records in plain words"),
        ("agent", run_agent, "advise on each situation, as spec.agent says; without it, ask about the records"),
    ):
        parser = commands.add_parser(name, help=summary)
        parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
        parser.add_argument("--ask", metavar="QUESTION", help="answer this one question")
        parser.set_defaults(run=run)


def run_ask(arguments: argparse.Namespace) -> int:
    """Answer `--ask`, or every line of the terminal until an empty one or the end of input."""
    settings = Settings()
    world = LocalWorld.open(settings, expect_serving=False)
    try:
        chat = _chat_model(world, settings)
        if arguments.ask is not None:
            _reply(world, arguments.ask, chat)
            return 0
        sys.stdout.write(f"{GREETING}\n")
        while question := _next_question():
            _reply(world, question, chat)
        return 0
    finally:
        world.close()


def run_agent(arguments: argparse.Namespace) -> int:
    """Advise until a signal, where the document asks for an adviser; else be asked."""
    settings = Settings()
    world = LocalWorld.open(settings, expect_serving=False)
    try:
        agent = world.model().spec.agent
        if arguments.ask is not None or agent.mode is TriggerMode.DISABLED:
            return run_ask(arguments)
        chat = ChatModel(agent.model, settings)
        sys.stdout.write(f"{chat.name} advises on {world.model().key} ({agent.mode}). Ctrl-C ends.\n")
        sys.stdout.flush()
        with stopping_on_signals():
            asked = LedgerAgent(lambda: world.model().spec.agent, world.store, _counted(world), settings, utc_now)
            repeat(looking(asked), stop=threading.Event())
        return 0
    except Stopped as stopped:
        return stopped.code
    finally:
        world.close()


def looking(agent: LedgerAgent) -> Callable[[], float]:
    """Return what looks once, prints what was advised, and returns the seconds until the next look."""

    def look() -> float:
        if (advice := agent.look()) is not None:
            sys.stdout.write(f"{told(advice)}\n")
            sys.stdout.flush()
        return LOOK_SECONDS

    return look


def told(advice: Advice) -> str:
    """Return one line of one piece of advice."""
    what = advice.choice or advice.outcome
    illegal = ", not allowed" if advice.choice and not advice.allowed else ""
    beside = f"{what}{illegal} (the rules: {advice.rules}): {advice.reason}"
    return f"{advice.at:%Y-%m-%d %H:%M:%S} UTC {advice.situation_id}: {beside}"


def _counted(world: LocalWorld) -> CountedRecords:
    return CountedRecords(world.store, Questions(world.state.questions))


def _chat_model(world: LocalWorld, settings: Settings) -> BudgetedChat | None:
    """Return the document's chat model; None where there is none, or where it can't be used, which is said."""
    agent = world.model().spec.agent
    if agent.mode is TriggerMode.DISABLED:
        return None
    try:
        return BudgetedChat(ChatModel(agent.model, settings), _counted(world), settings, utc_now)
    except AgentUnusable as error:
        sys.stderr.write(f"{error}; answers are from templates\n")
        return None


def _next_question() -> str:
    sys.stdout.write("> ")
    sys.stdout.flush()
    return sys.stdin.readline().strip()


def _reply(world: LocalWorld, question: str, chat: BudgetedChat | None) -> None:
    """Answer from the records as they are now, since a controller may have written in between."""
    status = world.state.read_status(world.model().key)
    version = status.champion.version if status.champion else None
    reports = world.store.reports(version=version, limit=MAX_REPORTS)
    decisions = world.store.decisions(limit=MAX_DECISIONS)
    found = answer(question, status=status, decisions=decisions, reports=reports)
    write_plain(f"{phrase(question, found, chat) if chat else found.text}\n")
