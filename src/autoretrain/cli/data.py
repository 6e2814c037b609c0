"""Look at one's own data before anything trains on it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from autoretrain.adapters.datasets import check_dataset
from autoretrain.domain.spec import DataFormat


def add_commands(commands: Any) -> None:
    data = commands.add_parser("data", help="check a file of labelled messages")
    actions = data.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="counts, duplicates, conflicts, dropped rows, sizes of the splits")
    check.add_argument("path", type=Path)
    check.add_argument("--format", choices=[f.value for f in DataFormat], help="default: by the file's name")
    check.add_argument("--text-field", default="text")
    check.add_argument("--label-field", default="label")
    check.add_argument("--spam-label", default="spam", help="the value that means spam; every other one means ham")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    report = check_dataset(
        arguments.path,
        format=DataFormat(arguments.format) if arguments.format else None,
        text_field=arguments.text_field,
        label_field=arguments.label_field,
        spam_label=arguments.spam_label,
    )
    sys.stdout.write(report.render() + "\n")
    return 0 if report.usable else 1
