"""`autoretrain label` asks for one message after another, of this machine's store or of a cluster's API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autoretrain.cli.main import main

HERE = ["sms-spam", "--namespace", "spam"]
MESSAGES = [{"prediction_id": f"id-{number}", "message": f"message {number}"} for number in range(3)]


class Api(BaseHTTPRequestHandler):
    """What the routes of labels answer; keeps what it was sent."""

    sent: list[tuple[str, str | None, object]]
    messages: list[dict[str, str]]
    refusal: tuple[int, str] | None

    def do_GET(self) -> None:
        self.sent.append((self.path, self.headers["x-api-key"], None))
        self.reply({"messages": self.messages})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.sent.append((self.path, self.headers["x-api-key"], body))
        self.reply({"accepted": 1})

    def reply(self, body: object) -> None:
        status = 200
        if self.refusal:
            status, body = self.refusal[0], {"detail": self.refusal[1]}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(cluster) -> Iterator[type[Api]]:
    """An API on this machine that the fake kubectl says it forwards to."""
    handler = type("OneApi", (Api,), {"sent": [], "messages": MESSAGES, "refusal": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cluster.change(serving=f"127.0.0.1:{server.server_port}")
        yield handler
        server.shutdown()
        thread.join(5)


@pytest.fixture
def answers(monkeypatch):
    """Type these one after another."""

    def give(*given: str) -> None:
        rest = iter(given)
        monkeypatch.setattr("builtins.input", lambda _prompt: next(rest))

    return give


def test_each_answer_is_sent_by_itself_and_a_skipped_message_is_not(api, answers, capsys):
    answers("s", "k", "ham")
    assert main(["label", *HERE, "--limit", "3"]) == 0
    assert api.sent == [
        ("/labels/next?limit=3", None, None),
        ("/labels", None, {"labels": [{"prediction_id": "id-0", "label": "spam"}]}),
        ("/labels", None, {"labels": [{"prediction_id": "id-2", "label": "ham"}]}),
    ]
    out = capsys.readouterr().out
    assert "[3/3] message 2\n" in out
    assert out.endswith("2 labels stored.\n")


def test_who_quits_keeps_what_was_answered(api, answers, capsys):
    answers("spam", "q")
    assert main(["label", *HERE]) == 0
    assert capsys.readouterr().out.endswith("1 labels stored.\n")


def test_no_more_is_asked_for_than_one_answer_holds(api, answers):
    answers("q")
    assert main(["label", *HERE, "--limit", "5000"]) == 0
    assert api.sent[0][0] == "/labels/next?limit=100"


def test_where_nothing_waits_it_is_said_what_decides_that(api, capsys):
    api.messages = []
    assert main(["label", *HERE]) == 0
    assert "spec.monitoring.audit.rate" in capsys.readouterr().out


def test_the_key_of_the_environment_is_shown_to_the_api(api, answers, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_API_KEY", "key-of-ann")
    answers("h", "q")
    assert main(["label", *HERE]) == 0
    assert [key for _, key, _ in api.sent] == ["key-of-ann", "key-of-ann"]


def test_a_missing_key_is_said_with_where_to_put_it(api, capsys):
    api.refusal = (401, "labelling needs an API key")
    assert main(["label", *HERE]) == 1
    told = "serving refused GET /labels/next (401): labelling needs an API key; set AUTORETRAIN_API_KEY\n"
    assert capsys.readouterr().err == told


def test_a_refused_label_ends_the_command_with_the_servers_reason(api, answers, capsys):
    def refuse(_prompt: str) -> str:
        api.refusal = (503, "the store is away")
        return "s"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.input", refuse)
        assert main(["label", *HERE]) == 1
    assert "serving refused POST /labels (503): the store is away\n" in capsys.readouterr().err


def test_where_kubectl_finds_no_way_to_the_service_it_is_told_why(cluster, capsys):
    assert main(["label", *HERE]) == 1
    assert "no way to service/sms-spam-serving in namespace spam" in capsys.readouterr().err


def test_a_server_that_is_gone_is_said_to_be(cluster, capsys):
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        port = server.server_port
    cluster.change(serving=f"127.0.0.1:{port}")
    assert main(["label", *HERE]) == 1
    assert "serving gave no answer to GET /labels/next" in capsys.readouterr().err
