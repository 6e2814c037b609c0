"""The queue that `autoretrain label` works on is the same, from the store or through the real API."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.label_queue import DrawnMessage, LabelQueue, ServedQueue, StoreQueue
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label, Prediction
from autoretrain.serving.app import create_app
from tests.serving.conftest import serve_artefact
from tests.serving.models import make_artefact

START_SECONDS = 20.0


def drawn(name: str) -> Prediction:
    return Prediction(
        prediction_id=name,
        text=f"message {name}",
        label=Label.SPAM,
        score=0.9,
        model_version="1",
        at=datetime.now(UTC),
        audit_probability=0.01,
    )


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The address of a server in a thread; it is ready when the block starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            httpx.get(f"{address}/livez", timeout=START_SECONDS)
            yield address
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@pytest.fixture(params=["store", "api"])
def queue(request, settings: Settings, store: Store) -> Iterator[LabelQueue]:
    serve_artefact(store, make_artefact())
    store.add_predictions([drawn("a" * 32), drawn("b" * 32)])
    if request.param == "store":
        yield StoreQueue(store)
        return
    with served(settings) as address, ServedQueue.at(address) as queue:
        yield queue


def test_a_label_counts_as_the_answer_of_an_audit_and_its_message_is_not_drawn_again(queue, store):
    messages = [queue.draw(), queue.draw()]
    assert [one.text for one in messages] == [f"message {'b' * 32}", f"message {'a' * 32}"]
    queue.answer(messages[0], Label.HAM)
    [audited], pending = store.audited(version="1", since=None)
    assert (audited.label, pending) == (Label.HAM, 1)
    assert queue.draw() is None
    assert "handed out" in queue.explain_none()


def test_a_label_of_a_message_that_is_not_there_is_refused(queue):
    with pytest.raises(AutoRetrainError, match="not in the store"):
        queue.answer(DrawnMessage(prediction_id="c" * 32, text=""), Label.HAM)
