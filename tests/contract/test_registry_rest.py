"""The registry as serving reads it: what the full registry wrote, and a clear word where there is nothing."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoretrain.adapters.records import dump_record
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.registry_rest import RegistryUnavailable, RestRegistry
from tests.contract.test_registry import NAME, SUMMARY, lifecycles, register
from tests.contract.test_registry_servers import serving
from tests.serving.models import MODEL, make_artefact

ARTEFACT = make_artefact()
VERSION = {"model_version": {"source": "mlflow-artifacts:/1/models/m-7/artifacts", "run_id": "r-1"}}
FILES = "/api/2.0/mlflow-artifacts/artifacts/1/models/m-7/artifacts/artifacts"
GET = f"/api/2.0/mlflow/model-versions/get?name={MODEL}&version=1"
ANSWERS = {
    GET: json.dumps(VERSION).encode(),
    f"{FILES}/model.json": ARTEFACT.model,
    f"{FILES}/reference.json": ARTEFACT.reference,
    f"{FILES}/card.json": ARTEFACT.card.encode(),
}


@contextmanager
def answering(answers: dict[str, bytes], *, missing: int = 404) -> Iterator[str]:
    """A server that knows `answers` by path and says `missing` to everything else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(missing if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.parametrize(
    "source", ["mlflow-artifacts:/../../../admin", "mlflow-artifacts:/1/../../../../admin/x", "/etc"]
)
def test_a_source_that_leads_out_of_the_artefacts_is_not_followed(source: str):
    asked: list[str] = []

    class Watched(dict[str, bytes]):
        def get(self, path: str, default: bytes | None = None) -> bytes | None:
            asked.append(path)
            return super().get(path, default)

    version = {"model_version": VERSION["model_version"] | {"source": source}}
    with answering(Watched({GET: json.dumps(version).encode()})) as address, pytest.raises(RegistryUnavailable):
        RestRegistry(address, name=MODEL).artefact("1", ARTEFACT.digest)
    assert asked == [GET]


def test_the_files_of_a_version_are_fetched_through_the_server():
    with answering(ANSWERS) as address:
        found = RestRegistry(address, name=MODEL).artefact("1", ARTEFACT.digest)
    assert found is not None
    assert (found.model, found.reference, found.card) == (ARTEFACT.model, ARTEFACT.reference, ARTEFACT.card)
    assert (found.version, found.digest, found.run_id) == ("1", ARTEFACT.digest, "r-1")


def test_a_version_that_is_not_registered_is_none():
    with answering(ANSWERS) as address:
        assert RestRegistry(address, name=MODEL).artefact("2", ARTEFACT.digest) is None


@pytest.mark.parametrize(
    ("changed", "missing", "says"),
    [
        ({GET: b"<html>"}, 404, "can't be understood"),
        ({GET: b"{}"}, 404, "can't be understood"),
        ({GET: b"[]"}, 404, "can't be understood"),
        ({GET: b'{"model_version": {"source": "file:///etc/passwd"}}'}, 404, "does not hand out"),
        ({f"{FILES}/card.json": b"\xff"}, 404, "can't be understood"),
        ({f"{FILES}/model.json": None}, 500, "answers 500"),
        ({f"{FILES}/model.json": None}, 403, r"forbids it \(403\)"),
    ],
)
def test_an_answer_that_is_no_version_is_said_and_not_taken(changed: dict, missing: int, says: str):
    answers = {path: body for path, body in (ANSWERS | changed).items() if body is not None}
    with answering(answers, missing=missing) as address, pytest.raises(RegistryUnavailable, match=says):
        RestRegistry(address, name=MODEL).artefact("1", ARTEFACT.digest)


def test_a_file_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autoretrain.adapters.registry_rest.MAX_FILE_BYTES", 10)
    with answering(ANSWERS) as address, pytest.raises(RegistryUnavailable, match="more than 10 bytes"):
        RestRegistry(address, name=MODEL).artefact("1", ARTEFACT.digest)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_listening_is_said():
    with pytest.raises(RegistryUnavailable, match="can't be reached"):
        RestRegistry(f"http://127.0.0.1:{free_port()}", name=MODEL).artefact("1", ARTEFACT.digest)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # MLflow's own
def test_a_real_server_gives_what_was_registered(tmp_path: Path):
    with serving(tmp_path) as address:
        registered = MlflowRegistry(address, name=MODEL).register_artefact(
            model=ARTEFACT.model, reference=ARTEFACT.reference, card=ARTEFACT.card, run_name="r"
        )
        registry = RestRegistry(address, name=MODEL, timeout_seconds=20)
        found = registry.artefact(registered.version, registered.digest)
        missing = registry.artefact("99", registered.digest)
    assert found is not None
    assert (found.model, found.reference, found.card) == (ARTEFACT.model, ARTEFACT.reference, ARTEFACT.card)
    assert (found.version, found.digest, found.run_id) == (registered.version, ARTEFACT.digest, registered.run_id)
    assert missing is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # MLflow's own
def test_roles_runs_and_owners_are_the_same_by_rest_and_by_mlflow(tmp_path: Path):
    with serving(tmp_path) as address:
        full, rest = MlflowRegistry(address, name=NAME), RestRegistry(address, name=NAME, timeout_seconds=20)
        assert (rest.versions(), rest.find_run("run-1"), rest.owner()) == ((), None, None)
        rest.set_aliases(champion=None, candidate=None, previous=None)
        rest.claim("uid-1")
        tags = {"summary": json.dumps(dump_record(SUMMARY))}
        for run in ("run-1", "run-2", "run-3"):
            register(full, run, tags=tags if run == "run-1" else None)
        assert rest.versions() == full.versions()
        assert rest.find_run("run-1") == full.find_run("run-1") == replace(SUMMARY, version="1")
        assert rest.find_run("run-2") is None
        assert rest.lineage() == full.lineage()
        for _ in range(2):
            rest.set_aliases(champion="2", candidate=None, previous="1")
        assert [found.alias for found in full.versions()] == ["previous", "champion", ""]
        assert lifecycles(full) == {"1": None, "2": None, "3": "archived"}
        rest.set_aliases(champion="1", candidate="3", previous=None)
        assert rest.versions() == full.versions()
        assert lifecycles(full) == {"1": None, "2": "archived", "3": None}
        assert rest.owner() == "uid-1"


def test_versions_and_runs_of_an_answer_that_is_none_are_refused():
    lies = {f"/api/2.0/mlflow/registered-models/get?name={MODEL}": b'{"registered_model": {"aliases": [1]}}'}
    with answering(lies) as address, pytest.raises(RegistryUnavailable, match="can't be understood"):
        RestRegistry(address, name=MODEL).versions()
