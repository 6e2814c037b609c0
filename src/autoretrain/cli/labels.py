"""Labels from the terminal: answer the audit queue, import a file, decide which sources are trusted."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.datasets import import_labels, read_dataset
from autoretrain.adapters.labelled_files import Reading
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.label_queue import LabelQueue, ServedQueue, StoreQueue
from autoretrain.app.local import LocalWorld
from autoretrain.app.place import LocalPlace
from autoretrain.cli.data import SPAM_LABEL_HELP
from autoretrain.cli.terminal import write_plain
from autoretrain.cli.where import add_place_options, find_on_cluster, kubectl_of, means_cluster
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label

ANSWERS = {"s": Label.SPAM, "spam": Label.SPAM, "h": Label.HAM, "ham": Label.HAM}
HTTP_PORT: Final = 80
"""Of a SpamModel's Service."""


def add_commands(commands: Any) -> None:
    label = commands.add_parser("label", help="label the messages that were drawn for the audit sample")
    add_place_options(label)
    label.add_argument("--limit", type=int, default=20, help="how many to ask for at most (default: 20)")
    label.set_defaults(run=answer_queue)

    labels = commands.add_parser("labels", help="import labels, list and approve their sources")
    actions = labels.add_subparsers(dest="action", required=True)
    add = actions.add_parser("import", help="import labelled messages from a file, here or to a cluster")
    add.add_argument("path", type=Path)
    add_place_options(add)
    add.add_argument(
        "--source", help="name under which they are kept here (default: import); a cluster keeps them under the key's"
    )
    _add_field_options(add)
    add.set_defaults(run=import_file)
    actions.add_parser("sources", help="how many labels each source gave").set_defaults(run=list_sources)
    for name, about in (("approve", "let a source's labels train"), ("drop", "remove a source's labels for good")):
        parser = actions.add_parser(name, help=about)
        parser.add_argument("source")
        parser.set_defaults(run=change_source)


def _add_field_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--label-field", default="label")
    parser.add_argument("--spam-label", default="spam", help=SPAM_LABEL_HELP)


def open_store() -> Store:
    return LocalWorld.open(Settings(), expect_serving=False).store


@contextmanager
def open_queue(arguments: argparse.Namespace) -> Iterator[LabelQueue]:
    """Open the queue of the model that `arguments` name; a cluster's by a port of its Service."""
    if means_cluster(arguments):
        with open_served_queue(arguments) as served:
            yield served
        return
    with LocalPlace.opened(Settings(), name=arguments.name) as place:
        yield StoreQueue(place.world.store)


@contextmanager
def open_served_queue(arguments: argparse.Namespace) -> Iterator[ServedQueue]:
    model = find_on_cluster(arguments)
    key = Settings().api_key.get_secret_value()
    with (
        kubectl_of(arguments).forwarded(f"service/{model.name}-serving", HTTP_PORT) as address,
        ServedQueue.at(address, api_key=key) as queue,
    ):
        yield queue


def answer_queue(arguments: argparse.Namespace) -> int:
    """Show one message after another and store each answer before the next is shown."""
    with open_queue(arguments) as queue:
        done = 0
        for number in range(1, arguments.limit + 1):
            message = queue.draw()
            if message is None:
                sys.stdout.write(f"{queue.explain_none()}\n")
                break
            answer = ask(message.text, number=number)
            if answer is None:
                break
            if answer:
                queue.answer(message, ANSWERS[answer])
                done += 1
    sys.stdout.write(f"{done} labels stored.\n")
    return 0


def ask(text: str, *, number: int) -> str | None:
    """Return an answer, '' to skip, None to stop. The model's verdict is not shown: it would bias the answer."""
    write_plain(f"\n[{number}] {text}\n")
    while True:
        try:
            answer = input("spam, ham, skip or quit? [s/h/k/q] ").strip().lower()
        except EOFError:
            return None
        if answer in ANSWERS:
            return answer
        if answer in {"k", "skip", ""}:
            return ""
        if answer in {"q", "quit"}:
            return None


def import_file(arguments: argparse.Namespace) -> int:
    reading = Reading(
        text_field=arguments.text_field, label_field=arguments.label_field, spam_label=arguments.spam_label
    )
    if means_cluster(arguments):
        return _import_to_cluster(arguments, reading)
    with LocalPlace.opened(Settings(), name=arguments.name) as place:
        report = import_labels(
            place.world.store,
            arguments.path,
            source=arguments.source or "import",
            received_at=datetime.now(UTC),
            **reading,
        )
    sys.stdout.write(f"{report}\n")
    return 0


def _import_to_cluster(arguments: argparse.Namespace, reading: Reading) -> int:
    """Report the file's rows to the model's API: its store is reached by nobody outside of the cluster."""
    if arguments.source:
        raise AutoRetrainError("--source is for this machine's store; a cluster keeps labels under the API key's name")
    rows = read_dataset(arguments.path, **reading)
    with open_served_queue(arguments) as queue:
        reported = queue.report(rows)
    sys.stdout.write(f"{reported.accepted} labels stored as source {reported.source}.\n")
    if not reported.trusted:
        sys.stdout.write("They train nothing until the source is approved; with AUTORETRAIN_API_KEY they would.\n")
    return 0


def list_sources(_arguments: argparse.Namespace) -> int:
    store = open_store()
    for source in store.sources():
        sys.stdout.write(f"{source}\n")
    store.close()
    return 0


def change_source(arguments: argparse.Namespace) -> int:
    store = open_store()
    change = store.approve_source if arguments.action == "approve" else store.drop_source
    verb = "now train" if arguments.action == "approve" else "were removed"
    sys.stdout.write(f"{change(arguments.source)} labels of {arguments.source} {verb}.\n")
    store.close()
    return 0
