"""Look at one's own data before anything trains on it, and write histories to try policies on (`backtest --stream`)."""

import argparse
import sys
from pathlib import Path
from typing import Any

from autoretrain.adapters import spammodel
from autoretrain.adapters.datasets import Floors, check_dataset
from autoretrain.adapters.labelled_files import Reading
from autoretrain.adapters.settings import Settings
from autoretrain.cli import histories
from autoretrain.domain.spec import DataFormat, DataSpec, SpamModelSpec

SPAM_LABEL_HELP = "the value that means spam; the other one of the file means ham"


def add_commands(commands: Any) -> None:
    data = commands.add_parser("data", help="check a file of labelled messages; write a history of messages")
    actions = data.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="counts, duplicates, conflicts, dropped rows, sizes of the splits")
    check.add_argument("path", type=Path)
    check.add_argument("-f", "--file", type=Path, help="SpamModel document that the file is for")
    check.add_argument("--format", choices=[f.value for f in DataFormat], help="default: by the file's name")
    check.add_argument("--text-field", help="default: the document's spec.data.textField")
    check.add_argument("--label-field", help="default: the document's spec.data.labelField")
    check.add_argument("--spam-label", help=f"{SPAM_LABEL_HELP} (default: the document's spec.data.labelMap)")
    check.set_defaults(run=run_check)
    histories.add_actions(actions)


def run_check(arguments: argparse.Namespace) -> int:
    document = spammodel.load_document(Settings().spec)
    spec = spammodel.parse_spam_model(document, uid="", generation=0).spec
    report = check_dataset(arguments.path, floors=_floors(spec), **_reading(arguments, spec.data))
    sys.stdout.write(report.render() + "\n")
    if fields := _fields_to_write(arguments, spec.data):
        sys.stdout.write(f"  note: a run reads the file so once the document says, in spec.data: {fields}\n")
    return 0 if report.usable else 1


def _floors(spec: SpamModelSpec) -> Floors:
    return Floors(
        min_accuracy=spec.promotion.min_accuracy,
        min_f1=spec.promotion.min_f1,
        min_new_labels=spec.triggers.min_new_labels,
        min_new_spam_labels=spec.triggers.min_new_spam_labels,
    )


def _reading(arguments: argparse.Namespace, data: DataSpec) -> Reading:
    reading = Reading(
        format=DataFormat(arguments.format) if arguments.format else None,
        text_field=arguments.text_field or data.text_field,
        label_field=arguments.label_field or data.label_field,
    )
    if arguments.spam_label:
        reading["spam_label"] = arguments.spam_label
    else:
        reading["label_map"] = dict(data.label_map)
    return reading


def _fields_to_write(arguments: argparse.Namespace, data: DataSpec) -> str:
    """What was said here and not in the document, without which a run would read the file otherwise."""
    said = []
    if arguments.text_field and arguments.text_field != data.text_field:
        said.append(f"textField: {arguments.text_field}")
    if arguments.label_field and arguments.label_field != data.label_field:
        said.append(f"labelField: {arguments.label_field}")
    if arguments.spam_label and data.label_map.get(arguments.spam_label) != "spam":
        said.append(f"labelMap: {{{arguments.spam_label}: spam, YOUR HAM LABEL: ham}}")
    return ", ".join(said)
