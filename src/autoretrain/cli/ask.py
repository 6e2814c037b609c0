"""`autoretrain ask` and `python src/agent.py`: questions about the model in plain words, one or a conversation."""

import argparse
import sys
from typing import Any

from autoretrain.adapters.settings import Settings
from autoretrain.app.agent import answer
from autoretrain.app.local import LocalWorld

MAX_DECISIONS = 200
MAX_REPORTS = 50
GREETING = "Ask about the model: its status, drift, decisions, what comes next. `help` lists more; an empty line ends."


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("ask", help="ask about the records in plain words")
    parser.add_argument("--ask", metavar="QUESTION", help="answer this one question (default: a conversation)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer `--ask`, or every line of the terminal until an empty one or the end of input."""
    world = LocalWorld.open(Settings(), expect_serving=False)
    try:
        if arguments.ask is not None:
            _reply(world, arguments.ask)
            return 0
        sys.stdout.write(f"{GREETING}\n")
        while question := _next_question():
            _reply(world, question)
        return 0
    finally:
        world.close()


def _next_question() -> str:
    sys.stdout.write("> ")
    sys.stdout.flush()
    return sys.stdin.readline().strip()


def _reply(world: LocalWorld, question: str) -> None:
    """Answer from the records as they are now, since a controller may have written in between."""
    status = world.state.read_status(world.model().key)
    version = status.champion.version if status.champion else None
    reports = world.store.reports(version=version, limit=MAX_REPORTS)
    decisions = world.store.decisions(limit=MAX_DECISIONS)
    sys.stdout.write(answer(question, status=status, decisions=decisions, reports=reports) + "\n")
