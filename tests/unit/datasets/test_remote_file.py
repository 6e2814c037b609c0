"""Fetching the file of `spec.data.http.url` over a network that breaks off, lies or does not answer."""

import hashlib
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import httpx
import pytest
import stamina

from autoretrain.adapters import remote_file
from autoretrain.adapters.remote_file import fetch_file
from autoretrain.domain.errors import BadData, Waiting
from tests.unit.datasets.file_server import Answer, FileServer, moved, resumable, served_files, status, whole

DATA = b"ham\tOk lar...\nspam\tFree entry!\n" * 200
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries as often as ever, at once."""
    with stamina.set_testing(True, attempts=remote_file.ATTEMPTS):
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with served_files() as known:
        yield known


def in_turn(*answers: Answer) -> Answer:
    waiting = iter(answers)
    return lambda handler: next(waiting)(handler)


def test_a_file_is_fetched_once_and_again_only_where_its_checksum_is_another(
    server: FileServer, tmp_path: Path
) -> None:
    url = server.serve(whole(DATA))
    paths = {fetch_file(url, tmp_path / "data", sha256=checksum) for checksum in (None, None, SHA256)}
    [path] = paths
    assert (path.read_bytes(), len(server.ranges)) == (DATA, 1)
    path.write_bytes(DATA[:100])
    assert fetch_file(url, tmp_path / "data", sha256=SHA256).read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_broken_transfer_goes_on_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    path = fetch_file(server.serve(resumable(DATA, cut=2500)), tmp_path, sha256=SHA256)
    assert path.read_bytes() == DATA
    assert server.ranges == [None, "bytes=2500-", "bytes=5000-"]


def test_without_a_checksum_a_broken_transfer_starts_anew_since_nothing_would_notice_another_file(
    server: FileServer, tmp_path: Path
) -> None:
    url = server.serve(in_turn(resumable(b"x" * len(DATA), cut=2500), whole(DATA)))
    assert fetch_file(url, tmp_path, sha256=None).read_bytes() == DATA
    assert server.ranges == [None, None]


def test_a_server_that_ignores_ranges_starts_anew(server: FileServer, tmp_path: Path) -> None:
    url = server.serve(in_turn(resumable(DATA, cut=1000), whole(DATA)))
    assert fetch_file(url, tmp_path, sha256=SHA256).read_bytes() == DATA
    assert server.ranges == [None, "bytes=1000-"]


def test_a_kept_part_that_does_not_fit_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    url = server.serve(in_turn(resumable(DATA, cut=1000), status(416), whole(DATA)))
    assert fetch_file(url, tmp_path, sha256=SHA256).read_bytes() == DATA
    assert server.ranges == [None, "bytes=1000-", None]


@pytest.mark.parametrize(
    ("answer", "asked", "says"),
    [
        (status(503), remote_file.ATTEMPTS, "answers 503"),
        (resumable(DATA, cut=0), remote_file.ATTEMPTS, "can't be fetched"),
        (status(404), 1, "answers 404"),
        (moved("file:///etc/hostname"), 1, "unsupported protocol 'file://'"),
        (moved("ftp://127.0.0.1/data.tsv"), 1, "unsupported protocol 'ftp://'"),
    ],
    ids=["503", "breaks off", "404", "redirect to a file", "redirect to FTP"],
)
def test_what_may_pass_is_asked_for_again_a_bounded_number_of_times_and_leaves_nothing(
    server: FileServer, tmp_path: Path, answer: Answer, asked: int, says: str
) -> None:
    with pytest.raises(Waiting, match=says) as raised:
        fetch_file(server.serve(answer), tmp_path, sha256=SHA256)
    assert (len(server.ranges), raised.value.delay_seconds) == (asked, remote_file.RETRY_SECONDS)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_to_http_is_followed(server: FileServer, tmp_path: Path) -> None:
    url = server.serve(moved(server.serve(whole(DATA))))
    assert fetch_file(url, tmp_path, sha256=SHA256).read_bytes() == DATA


def test_redirects_without_end_are_given_up(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(Waiting, match="can't be fetched"):
        fetch_file(server.serve(moved("/0")), tmp_path, sha256=SHA256)


@pytest.mark.parametrize("there_before", [False, True])
def test_another_file_than_the_checksum_says_is_refused_and_leaves_what_was_there(
    server: FileServer, tmp_path: Path, there_before: bool
) -> None:
    url = server.serve(in_turn(whole(DATA), whole(b"something else")) if there_before else whole(b"something else"))
    if there_before:
        fetch_file(url, tmp_path, sha256=SHA256)
    before = [path.read_bytes() for path in tmp_path.iterdir()]
    with pytest.raises(BadData, match=r"is not the file of spec\.data\.sha256"):
        fetch_file(url, tmp_path, sha256="0" * 64)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == before


def test_a_file_without_end_is_cut_off(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_file, "MAX_BYTES", 1024**2)
    with pytest.raises(BadData, match="larger than 1 MiB"):
        fetch_file(server.serve(whole(b"x" * (1024**2 + 1))), tmp_path, sha256=None)
    assert (list(tmp_path.iterdir()), len(server.ranges)) == ([], 1)


def test_a_silent_server_is_given_up(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_file, "TIMEOUT", httpx.Timeout(0.5))
    over = Event()
    started = time.monotonic()
    with pytest.raises(Waiting, match="can't be fetched: timed out"):
        fetch_file(server.serve(lambda _: over.wait(5)), tmp_path, sha256=None)
    over.set()
    assert (time.monotonic() - started < 5, len(server.ranges)) == (True, remote_file.ATTEMPTS)


def test_a_trickling_server_is_given_up_within_the_budget(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_file, "BUDGET_SECONDS", 0.3)
    over = Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b"x")

    with pytest.raises(Waiting, match="took too long"):
        fetch_file(server.serve(trickle), tmp_path, sha256=None)
    over.set()
    assert (list(tmp_path.iterdir()), len(server.ranges)) == ([], 1)


def test_no_message_shows_what_an_address_keeps_secret(server: FileServer, tmp_path: Path) -> None:
    url = server.serve(status(403)).replace("http://", "http://user:password@")
    with pytest.raises(Waiting) as raised:
        fetch_file(f"{url}?signature=secret", tmp_path, sha256=None)
    assert str(raised.value) == f"{server.address}/0 answers 403"


def test_nobody_there_is_worth_another_try_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(Waiting, match="can't be fetched"):
        fetch_file("http://127.0.0.1:1/data.tsv", tmp_path, sha256=None)


TOKEN = "Bearer very-secret"


def test_the_authorization_goes_with_every_attempt(server: FileServer, tmp_path: Path) -> None:
    url = server.serve(in_turn(status(503), whole(DATA)))
    assert fetch_file(url, tmp_path, sha256=None, authorization=f"{TOKEN}\n").read_bytes() == DATA
    assert server.authorizations == [TOKEN, TOKEN]


def test_the_authorization_follows_a_redirect_to_the_same_host_alone(server: FileServer, tmp_path: Path) -> None:
    with served_files() as another:
        url = server.serve(moved(server.serve(moved(another.serve(whole(DATA))))))
        assert fetch_file(url, tmp_path, sha256=SHA256, authorization=TOKEN).read_bytes() == DATA
        assert (server.authorizations, another.authorizations) == ([TOKEN, TOKEN], [None])


@pytest.mark.parametrize("bad", ["Bearer a\nsecret", "Bearer sécret", "Bearer secret\x00"])
def test_an_authorization_that_no_header_can_hold_is_refused_unshown(
    server: FileServer, tmp_path: Path, bad: str
) -> None:
    with pytest.raises(BadData, match=r"spec\.data\.http\.secretRef") as raised:
        fetch_file(server.serve(whole(DATA)), tmp_path, sha256=None, authorization=bad)
    assert "cret" not in str(raised.value).replace("secretRef", "")
    assert server.ranges == []


@pytest.mark.parametrize("answer", [status(401), status(503), resumable(DATA, cut=0), moved("ftp://127.0.0.1/x")])
def test_no_message_shows_the_authorization(server: FileServer, tmp_path: Path, answer: Answer) -> None:
    with pytest.raises(Waiting) as raised:
        fetch_file(server.serve(answer), tmp_path, sha256=SHA256, authorization=TOKEN)
    assert "very-secret" not in "".join(traceback.format_exception(raised.value))
