"""`autoretrain label` asks for one message after another, of this machine's store or of a cluster's API."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autoretrain.adapters.store import Store
from autoretrain.cli import labels
from autoretrain.cli.main import main
from autoretrain.domain.messages import Label, Prediction
from tests.spec_cases import VALID_TEXT

HERE = ["sms-spam", "--namespace", "spam"]
MESSAGES = [{"prediction_id": f"id-{number}", "message": f"message {number}"} for number in range(3)]


class Api(BaseHTTPRequestHandler):
    """What the routes of labels answer, each message once; keeps what it was sent."""

    sent: list[tuple[str, str | None, object]]
    messages: list[dict[str, str]]
    refusal: tuple[int, str] | None

    def do_GET(self) -> None:
        self.sent.append((self.path, self.headers["x-api-key"], None))
        limit = int(self.path.partition("limit=")[2])
        handed, self.messages[:] = self.messages[:limit], self.messages[limit:]
        self.reply({"messages": handed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.sent.append((self.path, self.headers["x-api-key"], body))
        trusted = self.headers["x-api-key"] is not None
        count = len(body.get("feedback", [None]))
        self.reply({"accepted": count, "source": "desk" if trusted else "anonymous", "trusted": trusted})

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
    handler = type("OneApi", (Api,), {"sent": [], "messages": list(MESSAGES), "refusal": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cluster.change(serving=f"127.0.0.1:{server.server_port}")
        yield handler
        server.shutdown()
        thread.join(5)


NEXT = ("/labels/next?limit=1", None, None)


@pytest.fixture
def waiting(tmp_path, monkeypatch) -> Iterator[Store]:
    """This machine's store, in which three messages wait."""
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path))
    drawn = [
        Prediction(
            prediction_id=one["prediction_id"],
            text=one["message"],
            label=Label.HAM,
            score=0.1,
            model_version="1",
            at=datetime.now(UTC),
            audit_probability=0.5,
        )
        for one in MESSAGES
    ]
    with Store(f"sqlite:///{tmp_path / 'store.db'}", model="default.sms-spam") as store:
        store.migrate()
        store.add_predictions(drawn)
        yield store


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
        NEXT,
        ("/labels", None, {"labels": [{"prediction_id": "id-0", "label": "spam"}]}),
        NEXT,
        NEXT,
        ("/labels", None, {"labels": [{"prediction_id": "id-2", "label": "ham"}]}),
    ]
    out = capsys.readouterr().out
    assert "[3] message 2\n" in out
    assert out.endswith("2 labels stored.\n")


def test_who_quits_keeps_what_was_answered(api, answers, capsys):
    answers("spam", "q")
    assert main(["label", *HERE]) == 0
    assert capsys.readouterr().out.endswith("1 labels stored.\n")


def test_who_quits_leaves_the_rest_to_who_comes_next(api, answers):
    answers("s", "q")
    assert main(["label", *HERE]) == 0
    assert api.messages == MESSAGES[2:]


def test_where_a_server_has_nothing_free_both_reasons_are_said(api, capsys):
    api.messages.clear()
    assert main(["label", *HERE]) == 0
    out = capsys.readouterr().out
    assert "spec.monitoring.audit.rate" in out
    assert "handed out in the last 10 minutes" in out


def test_the_key_of_the_environment_is_shown_to_the_api(api, answers, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_API_KEY", "key-of-ann")
    answers("h", "q")
    assert main(["label", *HERE]) == 0
    assert {key for _, key, _ in api.sent} == {"key-of-ann"}


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


def test_who_quits_and_starts_again_is_asked_on(waiting, answers, capsys):
    answers("q")
    assert main(["label"]) == 0
    answers("s", "h")
    assert main(["label"]) == 0
    out = capsys.readouterr().out
    assert "[2] message 0\n" in out
    assert out.endswith("2 labels stored.\n")


def test_what_is_handed_out_is_not_said_to_be_nothing(waiting, answers, capsys):
    answers("k", "k", "k")
    assert main(["label"]) == 0
    _, until = waiting.handed_out(now=datetime.now(UTC))
    told = f"No message is free: 3 handed out until {until.astimezone():%H:%M}, "
    assert told in capsys.readouterr().out
    assert main(["label"]) == 0
    assert told in capsys.readouterr().out


def test_where_nothing_was_drawn_it_is_said_what_decides_that(waiting, answers, capsys):
    answers("s", "s", "s")
    assert main(["label"]) == 0
    assert main(["label"]) == 0
    assert (
        "Nothing waits for a label. The share that is drawn is spec.monitoring.audit.rate.\n" in capsys.readouterr().out
    )


@pytest.mark.parametrize(("key", "said"), [("a-key-of-16-chars", "source desk"), ("", "train nothing until")])
def test_a_file_of_labels_is_reported_to_a_cluster_in_batches(api, tmp_path, monkeypatch, capsys, key, said):
    monkeypatch.setenv("AUTORETRAIN_API_KEY", key)
    file = tmp_path / "new.tsv"
    file.write_text("".join(f"{'spam' if n % 3 == 0 else 'ham'}\tmessage {n}\n" for n in range(250)))
    assert main(["labels", "import", str(file), *HERE]) == 0
    batches = [body["feedback"] for path, _, body in api.sent if path == "/feedback/batch"]
    assert list(map(len, batches)) == [100, 100, 50]
    assert batches[2][-1] == {"message": "message 249", "label": "spam"}
    out = capsys.readouterr().out
    assert "250 labels stored as source" in out
    assert said in out


def test_a_batch_that_is_refused_says_how_many_were_taken_before(api, tmp_path, capsys):
    file = tmp_path / "new.tsv"
    file.write_text("spam\twin\n")
    api.refusal = (503, "the store is away")
    assert main(["labels", "import", str(file), *HERE]) == 1
    assert "the store is away; 0 of 1 labels were taken before" in capsys.readouterr().err


def test_one_wrong_row_and_nothing_of_a_file_is_reported(api, tmp_path):
    file = tmp_path / "new.tsv"
    file.write_text("spam\twin\nmaybe\thello\nham\tnever\n")
    assert main(["labels", "import", str(file), *HERE]) == 64
    assert api.sent == []


def test_a_message_tells_the_terminal_nothing_to_obey(monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda _: "q")
    labels.ask("win\x1b]0;mine\x07 £5\x1b[2J\nnow", number=1)
    assert capsys.readouterr().out == "\n[1] win ]0;mine  £5 [2J\nnow\n"
