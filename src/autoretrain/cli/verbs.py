"""Manual verbs: requests that the next pass acts on, recorded and followed. The same here and on a cluster."""

import argparse
import getpass
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from autoretrain.app.manual_verbs import SWITCHES, Verb, changes_of, is_handled
from autoretrain.app.place import Place
from autoretrain.cli.terminal import write_plain
from autoretrain.cli.where import add_place_options, open_place
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision
from autoretrain.domain.status import Status

FOLLOW_SECONDS: Final = 900.0


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
        add_place_options(parser)
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
    with open_place(arguments) as place:
        before = place.status()
        changes = requested(arguments, status=before)
        place.request(**changes)
        if arguments.no_wait or arguments.command in SWITCHES:
            sys.stdout.write(f"{arguments.command} of {place.key} is requested.\n")
            return 0
        if arguments.command == "retrain" and place.suspended():
            sys.stdout.write(f"{place.key} is suspended: the run is requested; it starts after `autoretrain resume`.\n")
            return 0
        return follow(place, command=arguments.command, changes=changes, before=before)


def requested(arguments: argparse.Namespace, *, status: Status) -> dict[str, Any]:
    """Return what the verb changes in the requests. Raises AutoRetrainError where it makes no sense now."""
    verb = Verb(arguments.command)
    if verb is Verb.PROMOTE and not arguments.force:
        raise AutoRetrainError("promote goes round the comparison: say --force and give a --reason")
    if verb is Verb.PROMOTE and not arguments.reason:
        raise AutoRetrainError("a forced promotion is recorded: give a --reason")
    version = getattr(arguments, "version", "")
    return changes_of(verb, actor=getpass.getuser(), reason=arguments.reason, status=status, version=version)


def follow(place: Place, *, command: str, changes: Mapping[str, str], before: Status) -> int:
    """Print the decisions that follow on `before` until the request is handled and nothing is under way.

    Returns 1 where what answered the request says that it could not be followed, or the run that was asked for failed.
    """
    told = set(before.history)
    refused = answered = False
    deadline = time.monotonic() + FOLLOW_SECONDS
    with place.following(command) as look:
        while time.monotonic() < deadline:
            status = look()
            new = [entry for entry in status.history if entry not in told]
            told.update(new)
            for entry in new:
                write_plain(f"{entry.at:%H:%M:%S} {entry.decision} ({entry.reason}): {entry.message}\n")
                sys.stdout.flush()
            handled = is_handled(status.handled, changes)
            # What answers a request comes with its handling; only a run that it started may fail later.
            if new and handled and (command == "retrain" or not answered):
                refused = any(entry.decision == Decision.ALERT for entry in new)
            answered = handled
            if handled and status.active_run is None and status.rollout is None:
                return int(refused)
            time.sleep(place.pause_seconds)
    raise AutoRetrainError(
        f"{command} was requested, but {FOLLOW_SECONDS:.0f} s later it is not done; see: autoretrain status"
    )
