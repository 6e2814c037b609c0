"""The command `autoretrain`: which verb is meant, and how an error ends. The verbs live in the modules beside it."""

import argparse
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.settings import Settings, settings_problems
from autoretrain.cli import (
    alerts,
    ask,
    backtest,
    data,
    explain,
    inspect,
    labels,
    operate,
    recommend,
    services,
    verbs,
)
from autoretrain.domain.errors import AutoRetrainError, BadData, InvalidSpec
from autoretrain.domain.training import ExitCode


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autoretrain", description="Keeps a spam classifier fresh and safe.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (operate, services, inspect, explain, backtest, recommend, verbs, labels, data, ask, alerts):
        module.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage, 64 bad data or document, 130 Ctrl-C."""
    parser = build_parser()
    arguments, more = parser.parse_known_args(argv)
    if more and not getattr(arguments, "takes_more", False):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    arguments.more = more
    if getattr(arguments, "file", None):
        # Children and settings read the document's path from the environment.
        os.environ["AUTORETRAIN_SPEC"] = str(arguments.file)
    try:
        configure_logging(Settings().log_level)
        return int(arguments.run(arguments))
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        sys.stderr.write(f"{settings_problems(error)}\n")
        return ExitCode.BAD_INPUT
    except InvalidSpec as error:
        sys.stderr.write(f"The document can't be used:\n{error}\n")
        return ExitCode.BAD_INPUT
    except AutoRetrainError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT if isinstance(error, BadData) else ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
