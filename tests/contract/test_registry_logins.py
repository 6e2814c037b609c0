"""Who may see a login to a registry? The registry that it is for, and nobody else: no other host, no message."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoretrain.adapters.registry_login import BadLogin, Login, login_of_netrc, login_of_variables
from autoretrain.adapters.registry_rest import RegistryUnavailable, RestRegistry
from tests.contract.test_registry_rest import ANSWERS, ARTEFACT
from tests.serving.models import MODEL

OWNER_PATH = f"/api/2.0/mlflow/registered-models/get?name={MODEL}"
OWNED = {OWNER_PATH: json.dumps({"registered_model": {"tags": [{"key": "owner_uid", "value": "us"}]}}).encode()}
SECRET = "pass word:#1"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Guarded:
    """A server, and the Authorization header of each request that it got ('' where there was none)."""

    address: str = ""
    seen: list[str] = field(default_factory=list)


@contextmanager
def guarded(
    *, takes: str = "", answers: dict[str, bytes] = OWNED, refusal: int = 401, leads_to: str = ""
) -> Iterator[Guarded]:
    """A server that answers where the Authorization header is `takes`; with `leads_to` it sends everybody there."""
    server_seen = Guarded()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = self.headers.get("Authorization", "")
            server_seen.seen.append(shown)
            body = answers.get(self.path)
            code = 302 if leads_to else refusal if shown != takes else 404 if body is None else 200
            said = body if code == 200 and body is not None else b""
            self.send_response(code)
            if leads_to:
                self.send_header("Location", f"{leads_to}{self.path}")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            server_seen.address = f"http://127.0.0.1:{server.server_port}"
            yield server_seen
        finally:
            server.shutdown()
            thread.join(5)


def registry(server: Guarded, login: Login | None = None) -> RestRegistry:
    return RestRegistry(server.address, name=MODEL, login=login)


def netrc(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "netrc"
    file.write_text(text)
    return file


# What is sent.


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"username": "ann", "password": SECRET}, basic("ann", SECRET)),
        ({"token": "abc.def"}, "Bearer abc.def"),
        ({"username": "ann", "password": SECRET, "token": "abc"}, basic("ann", SECRET)),
        ({"username": "ann", "token": "abc"}, "Bearer abc"),
        ({"username": "ann"}, ""),
        ({}, ""),
    ],
    ids=["login", "token", "both", "half a login and a token", "half a login", "nothing"],
)
def test_variables_mean_what_they_mean_to_mlflow(variables: dict[str, str], sent: str):
    with guarded(takes=sent) as server:
        assert registry(server, login_of_variables(**variables)).owner() == "us"
    assert server.seen == [sent]


def test_a_login_opens_the_files_of_a_version_too():
    login = login_of_variables(username="ann", password=SECRET)
    with guarded(takes=basic("ann", SECRET), answers=ANSWERS) as server:
        found = registry(server, login).artefact("1", ARTEFACT.digest)
    assert found is not None
    assert found.model == ARTEFACT.model


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (f'machine 127.0.0.1 login ann password "{SECRET}"\n', basic("ann", SECRET)),
        ("machine 127.0.0.1\n  password abc.def\n", "Bearer abc.def"),
        ("machine elsewhere login ann password x\n", ""),
        ("machine 127.0.0.1 login ann\n", ""),
        ("machine elsewhere login a password b\ndefault login ann password x\n", basic("ann", "x")),
        ("", ""),
    ],
    ids=["login", "token", "another host's", "no password", "default", "empty"],
)
def test_a_netrc_file_has_the_login_of_a_host(tmp_path: Path, text: str, sent: str):
    with guarded(takes=sent) as server:
        assert registry(server, login_of_netrc(netrc(tmp_path, text))).owner() == "us"
    assert server.seen == [sent]


def test_a_hosts_name_in_a_netrc_file_may_have_capitals(tmp_path: Path):
    file = netrc(tmp_path, "machine MLflow.Example login ann password x\n")
    assert login_of_netrc(file)("mlflow.example") == basic("ann", "x")


def test_a_login_that_was_changed_holds_for_the_next_call(tmp_path: Path):
    file = netrc(tmp_path, "machine 127.0.0.1 login ann password old\n")
    with guarded(takes=basic("ann", "new")) as server:
        known = registry(server, login_of_netrc(file))
        with pytest.raises(RegistryUnavailable):
            known.owner()
        netrc(tmp_path, "machine 127.0.0.1 login ann password new\n")
        assert known.owner() == "us"


# What is said, and what is not.


@pytest.mark.parametrize(
    ("login", "refusal", "says"),
    [
        ({"username": "ann", "password": SECRET}, 401, "the registry at HOST refuses our login (401)"),
        ({}, 401, "the registry at HOST wants a login, and we have none for it (401)"),
        (
            {"token": "abc"},
            403,
            "the registry at HOST forbids it (403): our login lacks the right, or its --allowed-hosts lack this name",
        ),
    ],
)
def test_a_registry_that_lets_us_not_in_is_named_without_the_login(login: dict[str, str], refusal: int, says: str):
    with guarded(takes="somebody else", refusal=refusal) as server, pytest.raises(RegistryUnavailable) as raised:
        registry(server, login_of_variables(**login)).owner()
    assert str(raised.value) == says.replace("HOST", server.address.removeprefix("http://"))


def test_a_login_in_the_address_is_not_said():
    with guarded(takes="nobody's") as server, pytest.raises(RegistryUnavailable, match="refuses our login") as raised:
        RestRegistry(server.address.replace("//", "//ann:hunter2@"), name=MODEL).owner()
    assert server.seen == [basic("ann", "hunter2")]
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("call", ["owner", "artefact"])
def test_a_login_follows_no_redirect(call: str):
    login = login_of_variables(username="ann", password=SECRET)
    with guarded() as other, guarded(leads_to=other.address) as server:
        asked = registry(server, login)
        with pytest.raises(RegistryUnavailable, match=r"redirects \(302\), which is not followed"):
            asked.owner() if call == "owner" else asked.artefact("1", ARTEFACT.digest)
    assert (server.seen, other.seen) == ([basic("ann", SECRET)], [])


@pytest.mark.parametrize("token", ["hunter2\n", "hunt\x7fer2", "hünter2"])
def test_a_token_that_no_header_may_have_is_not_said(token: str):
    with guarded() as server, pytest.raises(BadLogin, match="token holds characters") as raised:
        registry(server, login_of_variables(token=token)).owner()
    assert "nter2" not in str(raised.value)
    assert server.seen == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("machine m login ann password hunter2 hunter3\n", "is not in the netrc format"),
        ("\nhunter2\n", "is not in the netrc format"),
        (None, "can't be read (No such file or directory)"),
    ],
    ids=["a word too many", "no machine", "no file"],
)
def test_a_netrc_file_that_is_none_is_named_without_what_it_holds(tmp_path: Path, text: str | None, says: str):
    file = tmp_path / "netrc"
    if text is not None:
        file.write_text(text)
    with guarded() as server, pytest.raises(BadLogin) as raised:
        registry(server, login_of_netrc(file)).owner()
    assert str(raised.value) == f"{file} {says}"
    assert server.seen == []


def test_bytes_that_are_no_text_are_no_netrc_file(tmp_path: Path):
    file = tmp_path / "netrc"
    file.write_bytes(b"machine \xff\xfe\x00")
    with pytest.raises(BadLogin, match="netrc"):
        login_of_netrc(file)("m")
