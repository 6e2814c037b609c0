"""Do alerts arrive? `autoretrain alerts test` sends one to each address and says per address how it went."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import TypeAdapter, ValidationError

from autoretrain.adapters.settings import Settings
from autoretrain.app.place import LocalPlace
from autoretrain.cli.terminal import write_plain
from autoretrain.cli.where import add_place_options, find_on_cluster, kubectl_of, means_cluster
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.training import ExitCode

if TYPE_CHECKING:
    from autoretrain.adapters.alerts import Trial

MONITOR_PORT: Final = 8002
TEST_SECONDS: Final = 120.0
"""An address may take its time, and a mail server is asked once for each receiver."""


def add_commands(commands: Any) -> None:
    alerts = commands.add_parser("alerts", help="test whether alerts arrive")
    actions = alerts.add_subparsers(dest="action", required=True)
    test = actions.add_parser("test", help="send one to each address and say per address how it went")
    add_place_options(test)
    test.set_defaults(run=test_addresses)


def test_addresses(arguments: argparse.Namespace) -> int:
    """Return 1 where there is no address, or one did not take the test."""
    trials = _test_on_cluster(arguments) if means_cluster(arguments) else _test_here(arguments)
    if not trials:
        sys.stdout.write("There is no address to send alerts to; docs/how-to/alerts.md says where they go.\n")
        return ExitCode.FAILED
    for trial in trials:
        how = f"delivered in {trial.seconds:.1f} s" if trial.delivered else f"not delivered: {trial.reason}"
        write_plain(f"{trial.service}: {how}\n")
    return ExitCode.OK if all(trial.delivered for trial in trials) else ExitCode.FAILED


def _test_here(arguments: argparse.Namespace) -> Sequence["Trial"]:
    from autoretrain.adapters.alerts import AlertSender

    with LocalPlace.opened(Settings(), name=arguments.name) as place, closing(AlertSender.from_environment()) as sender:
        return sender.test(place.key)


def _test_on_cluster(arguments: argparse.Namespace) -> Sequence["Trial"]:
    """Let the model's monitor send: the addresses are in its Secret, which nobody else need read."""
    from autoretrain.adapters.alerts import Trial

    model = find_on_cluster(arguments)
    with kubectl_of(arguments).forwarded(f"deployment/{model.name}-monitor", MONITOR_PORT) as address:
        try:
            answer = httpx.post(f"{address}/alerts/test", timeout=TEST_SECONDS)
        except httpx.HTTPError as error:
            raise AutoRetrainError(f"the monitor gave no answer: {str(error) or type(error).__name__}") from None
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise AutoRetrainError("a test is under way already; try again in a minute")
    try:
        return TypeAdapter(list[Trial]).validate_json(answer.content)
    except ValidationError:
        raise AutoRetrainError("the monitor can't test its addresses; it may be of an older release") from None
