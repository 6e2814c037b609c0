"""Manual verbs: recorded as requests that the next pass acts on. Where no controller runs, the passes are made here."""

import argparse
import getpass
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.app.state import StateDirectory
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision
from autoretrain.domain.status import Status

FOLLOW_SECONDS = 900.0
PAUSE_SECONDS = 0.5


def add_commands(commands: Any) -> None:
    for name, about in (
        ("retrain", "start a training run now"),
        ("rollback", "put the previous version back"),
        ("approve", "promote the candidate that waits for an approval"),
        ("promote", "make a registered version the champion; --force goes round the gates, never round the guard"),
        ("suspend", "hold every trigger; guard and rollback still act"),
        ("resume", "let the triggers act again"),
    ):
        parser = commands.add_parser(name, help=about)
        parser.add_argument("name", nargs="?", help="the model (default: the document's)")
        parser.add_argument("-f", "--file", type=Path, help="SpamModel document")
        if name in {"approve", "promote"}:
            parser.add_argument(
                "--version", required=name == "promote", default="", help="registered version, as 7 or v7"
            )
        if name == "promote":
            parser.add_argument("--force", action="store_true", help="needed: this skips the comparison")
        parser.add_argument("--reason", default="", help="why; kept in the record")
        parser.add_argument("--no-wait", action="store_true", help="do not follow what happens")
        parser.set_defaults(run=run_verb)


def run_verb(arguments: argparse.Namespace) -> int:
    world = LocalWorld.open(Settings(), expect_serving=False)
    try:
        model = world.model()
        if arguments.name not in (None, model.name, model.key):
            raise AutoRetrainError(f"{world.document_path} describes {model.name}, not {arguments.name}")
        changes = requested(arguments, status=world.state.read_status(model.key))
        world.state.request(model.key, **changes)
        if arguments.no_wait or arguments.command in {"suspend", "resume"}:
            sys.stdout.write(f"{arguments.command} of {model.key} is requested.\n")
            return 0
        return follow(world, key=model.key, command=arguments.command)
    finally:
        world.close()


def requested(arguments: argparse.Namespace, *, status: Status) -> dict[str, Any]:
    """Return what the verb changes in the requests. Raises AutoRetrainError where it makes no sense now."""
    token = uuid.uuid4().hex[:12]
    who: dict[str, Any] = {"actor": getpass.getuser(), "reason": arguments.reason}
    match arguments.command:
        case "suspend" | "resume":
            return {"suspend": arguments.command == "suspend"}
        case "retrain" | "rollback":
            return who | {arguments.command: token}
        case "approve":
            waiting = status.candidate.summary.version if status.candidate else ""
            version = arguments.version.removeprefix("v") or waiting
            if not version:
                raise AutoRetrainError("no candidate waits for an approval; see: autoretrain status")
            return who | {"approve_version": version}
        case _:
            if not arguments.force:
                raise AutoRetrainError("promote goes round the comparison: say --force and give a --reason")
            if not arguments.reason:
                raise AutoRetrainError("a forced promotion is recorded: give a --reason")
            return who | {"promote_version": arguments.version.removeprefix("v"), "promote_token": token}


def follow(world: LocalWorld, *, key: str, command: str) -> int:
    """Print the decisions that follow until nothing is under way; make the passes where no controller does.

    Returns 1 where the last of them says that the request could not be followed.
    """
    state: StateDirectory = world.state
    requests, _ = state.read_requests(key)
    lock = None if state.controller_runs() else state.lock(purpose=command)
    told = set(state.read_status(key).history)
    refused = False
    deadline = time.monotonic() + FOLLOW_SECONDS
    try:
        while time.monotonic() < deadline:
            if lock is not None:
                run_pass(world, utc_now())
            status = state.read_status(key)
            for entry in status.history:
                if entry not in told:
                    told.add(entry)
                    refused = entry.decision == Decision.ALERT
                    sys.stdout.write(f"{entry.at:%H:%M:%S} {entry.decision} ({entry.reason}): {entry.message}\n")
            handled = status.handled
            done = {
                "retrain": handled.retrain == requests.retrain,
                "rollback": handled.rollback == requests.rollback,
                "approve": handled.approve == requests.approve_version,
                "promote": handled.promote == requests.promote_token,
            }[command]
            if done and status.active_run is None and status.rollout is None:
                return int(refused)
            time.sleep(PAUSE_SECONDS)
    finally:
        if lock is not None:
            lock.release()
    raise AutoRetrainError(
        f"{command} was requested, but {FOLLOW_SECONDS:.0f} s later it is not done; see: autoretrain status"
    )
