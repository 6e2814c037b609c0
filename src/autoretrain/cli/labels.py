"""Labels from the terminal: answer the audit queue, import a file, decide which sources are trusted."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.datasets import import_labels
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.label_queue import LabelQueue, ServedQueue, StoreQueue
from autoretrain.app.local import LocalWorld
from autoretrain.app.place import LocalPlace
from autoretrain.cli.data import SPAM_LABEL_HELP
from autoretrain.cli.where import add_place_options, find_on_cluster, means_cluster
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
    add = actions.add_parser("import", help="import labelled messages from a file")
    add.add_argument("path", type=Path)
    add.add_argument("--source", default="import", help="name under which they are kept (default: import)")
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
    settings = Settings()
    if not means_cluster(arguments):
        with LocalPlace.opened(settings, name=arguments.name) as place:
            yield StoreQueue(place.world.store)
        return
    model = find_on_cluster(arguments)
    key = settings.api_key.get_secret_value()
    with (
        model.kubectl.forwarded(f"service/{model.name}-serving", HTTP_PORT) as address,
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
    sys.stdout.write(f"\n[{number}] {text}\n")
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
    store = open_store()
    report = import_labels(
        store,
        arguments.path,
        source=arguments.source,
        received_at=datetime.now(UTC),
        text_field=arguments.text_field,
        label_field=arguments.label_field,
        spam_label=arguments.spam_label,
    )
    sys.stdout.write(f"{report}\n")
    store.close()
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
