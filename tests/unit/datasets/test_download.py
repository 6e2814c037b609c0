"""Fetching over a network that breaks off, lies or does not answer, from a server on this machine."""

import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest
import stamina

from autoretrain.adapters import download
from autoretrain.adapters.download import DownloadFailed, fetch_uci
from tests.unit.datasets.file_server import Answer, FileServer, resumable, served_files, status, whole

PUBLISHED = b"ham\tOk lar...\nspam\tFree entry!\n" * 200
SHA256 = hashlib.sha256(PUBLISHED).hexdigest()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries as often as ever, at once."""
    with stamina.set_testing(True, attempts=download.ATTEMPTS):
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with served_files() as known:
        yield known


@pytest.fixture
def closed_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme", "about")
        archive.writestr(name, data)
    return buffer.getvalue()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(
    "sent",
    [
        PUBLISHED,
        b"label\tmessage\n" + PUBLISHED,
        b"\xef\xbb\xbfv1\tv2\r\n" + PUBLISHED.replace(b"\n", b"\r\n"),
        zipped("SMSSpamCollection", PUBLISHED),
    ],
    ids=["plain", "header row", "byte order mark and CRLF", "zip"],
)
def test_every_form_of_the_published_file_becomes_the_published_file(
    server: FileServer, tmp_path: Path, sent: bytes
) -> None:
    path = fetch_uci(tmp_path / "data", addresses=[server.serve(whole(sent))], sha256=SHA256)
    assert path.read_bytes() == PUBLISHED
    assert names(path.parent) == ["ATTRIBUTION.md", "SMSSpamCollection"]
    assert "CC BY 4.0" in (path.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")


def test_a_file_that_is_there_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    address = server.serve(whole(PUBLISHED))
    for _ in range(2):
        fetch_uci(tmp_path, addresses=[address], sha256=SHA256)
    assert len(server.ranges) == 1


def test_a_damaged_file_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "SMSSpamCollection").write_bytes(PUBLISHED[:100])
    path = fetch_uci(tmp_path, addresses=[server.serve(whole(PUBLISHED))], sha256=SHA256)
    assert path.read_bytes() == PUBLISHED


def test_a_broken_transfer_goes_on_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    path = fetch_uci(tmp_path, addresses=[server.serve(resumable(PUBLISHED, cut=2500))], sha256=SHA256)
    assert path.read_bytes() == PUBLISHED
    assert server.ranges == [None, "bytes=2500-", "bytes=5000-"]


def test_the_next_call_goes_on_where_the_last_one_gave_up(server: FileServer, tmp_path: Path) -> None:
    address = server.serve(resumable(PUBLISHED, cut=1100))
    with pytest.raises(DownloadFailed, match="breaks off"):
        fetch_uci(tmp_path, addresses=[address], sha256=SHA256)
    path = fetch_uci(tmp_path, addresses=[address], sha256=SHA256)
    assert path.read_bytes() == PUBLISHED
    assert server.ranges[3] == "bytes=3300-"


def test_a_server_that_ignores_ranges_starts_anew(server: FileServer, tmp_path: Path) -> None:
    answers = iter([resumable(PUBLISHED, cut=1000), whole(PUBLISHED)])
    address = server.serve(lambda handler: next(answers)(handler))
    assert fetch_uci(tmp_path, addresses=[address], sha256=SHA256).read_bytes() == PUBLISHED
    assert server.ranges == [None, "bytes=1000-"]


def test_a_kept_part_that_does_not_fit_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    answers = iter([resumable(PUBLISHED, cut=1000), status(416), whole(PUBLISHED)])
    address = server.serve(lambda handler: next(answers)(handler))
    assert fetch_uci(tmp_path, addresses=[address], sha256=SHA256).read_bytes() == PUBLISHED
    assert server.ranges == [None, "bytes=1000-", None]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (whole(b"ham\tsomething else\n"), "checksum"),
        (whole(zipped("other.txt", PUBLISHED)), "archive without the file"),
        (whole(b"PK broken"), "archive without the file"),
        (status(404), "answers 404"),
        (status(500), "answers 500"),
        (resumable(PUBLISHED, cut=0), "breaks off"),
    ],
    ids=["other file", "other archive", "broken archive", "404", "500", "empty"],
)
def test_a_bad_address_is_named_and_the_next_one_used(
    server: FileServer, tmp_path: Path, bad: Answer, says: str
) -> None:
    address = server.serve(bad)
    with pytest.raises(DownloadFailed, match=says):
        fetch_uci(tmp_path, addresses=[address], sha256=SHA256)
    assert not (tmp_path / "SMSSpamCollection").exists()
    path = fetch_uci(tmp_path, addresses=[address, server.serve(whole(PUBLISHED))], sha256=SHA256)
    assert path.read_bytes() == PUBLISHED
    assert names(tmp_path) == ["ATTRIBUTION.md", "SMSSpamCollection"]


def test_a_file_without_end_is_cut_off(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(DownloadFailed, match="larger"):
        fetch_uci(tmp_path, addresses=[server.serve(whole(PUBLISHED))], sha256=SHA256)


def test_nothing_reachable_is_one_sentence_and_each_server_is_asked_once(
    closed_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(DownloadFailed) as raised:
        fetch_uci(tmp_path, addresses=[closed_address + "a", closed_address + "b"], sha256=SHA256)
    assert str(raised.value) == ("the UCI SMS Spam Collection can't be fetched: 127.0.0.1 can't be reached")


def test_a_silent_server_is_given_up_within_the_budget(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "READ_TIMEOUT_SECONDS", 0.1)
    over = Event()
    started = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"in time|too long"):
        fetch_uci(tmp_path, addresses=[server.serve(lambda _: over.wait(5))] * 9, sha256=SHA256, budget_seconds=0.5)
    over.set()
    assert time.monotonic() - started < 3


def test_a_trickling_server_is_given_up_within_the_budget(server: FileServer, tmp_path: Path) -> None:
    over = Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b"x")

    with pytest.raises(DownloadFailed, match="too long"):
        fetch_uci(tmp_path, addresses=[server.serve(trickle)], sha256=SHA256, budget_seconds=0.3)
    over.set()


def test_a_directory_that_can_not_be_written_is_one_sentence(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadFailed, match="can't be written"):
        fetch_uci(tmp_path / "file" / "data", addresses=[server.serve(whole(PUBLISHED))], sha256=SHA256)


def test_the_script_ends_cleanly_on_ctrl_c(server: FileServer, tmp_path: Path) -> None:
    asked, over = Event(), Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        asked.set()
        over.wait(10)

    root = Path(__file__).parents[3]
    code = (
        # A shell without job control starts what is in its background with SIGINT ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import runpy, sys; from autoretrain.adapters import download;"
        f"download.fetch_uci.__kwdefaults__['addresses'] = [{server.serve(hang)!r}];"
        f"sys.argv = ['download_data.py', '--output', {str(tmp_path)!r}];"
        "runpy.run_path('scripts/download_data.py', run_name='__main__')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_PROXY": "*"}
    )
    assert asked.wait(20)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    over.set()
    assert (child.returncode, errors) == (130, "Stopped; what was fetched is kept and continued next time.\n")
