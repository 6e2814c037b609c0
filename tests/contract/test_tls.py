"""Where TLS is asked for, nobody in between gets a password: a server without it, or with another's certificate."""

import datetime as dt
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from autoretrain.adapters.registry_login import Login
from autoretrain.adapters.registry_rest import RegistryUnavailable, RestRegistry
from autoretrain.adapters.store import Store
from autoretrain.domain.errors import StoreUnavailable

PASSWORD = "correct-horse-battery"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def make_certificate(directory: Path) -> Path:
    """A certificate of 127.0.0.1 that is its own authority, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(certificate.public_bytes(encoding) + private)
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    return make_certificate(tmp_path / "ours")


@pytest.fixture
def another(tmp_path: Path) -> Path:
    (tmp_path / "theirs").mkdir()
    return make_certificate(tmp_path / "theirs")


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Postgres(ThreadingTCPServer):
    """Answers the wish for TLS by `certificate` or with no; `heard` is what it could read after that."""

    daemon_threads = True

    def __init__(self, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), PostgresHandler)
        self.certificate, self.heard = certificate, b""


class PostgresHandler(BaseRequestHandler):
    server: Postgres

    def handle(self) -> None:
        if self.request.recv(8) != SSL_REQUEST:
            return
        self.request.sendall(b"S" if self.server.certificate else b"N")
        connection = self.request
        if self.server.certificate:
            try:
                connection = context_of(self.server.certificate).wrap_socket(connection, server_side=True)
            except (ssl.SSLError, OSError):
                return
        with connection:
            connection.settimeout(2)
            with suppress(OSError):
                self.server.heard += connection.recv(1024)


def heard_by(server: Postgres, *, trusted: Path) -> bytes:
    """What a store that wants `verify-full` says to `server`."""
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"postgresql://autoretrain:{PASSWORD}@127.0.0.1:{server.server_address[1]}/autoretrain"
        with (
            Store(f"{address}?sslmode=verify-full&sslrootcert={trusted}", model="default.sms-spam") as store,
            pytest.raises(StoreUnavailable) as refused,
        ):
            store.deployment()
        server.shutdown()
    assert PASSWORD not in str(refused.value)
    return server.heard


def test_a_database_without_tls_hears_nothing_from_us(certificate: Path):
    assert heard_by(Postgres(None), trusted=certificate) == b""


def test_a_database_with_anothers_certificate_hears_nothing_from_us(certificate: Path, another: Path):
    assert heard_by(Postgres(another), trusted=certificate) == b""


def test_a_database_with_the_certificate_that_is_trusted_is_spoken_to(certificate: Path):
    assert b"user\x00autoretrain" in heard_by(Postgres(certificate), trusted=certificate)


@pytest.fixture
def registry(certificate: Path) -> Iterator[tuple[str, list[str]]]:
    """An MLflow behind TLS, and the logins that it was shown."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context_of(certificate).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", shown
        server.shutdown()


def login(_host: str) -> str:
    return f"Bearer {PASSWORD}"


LOGIN: Login = login


def test_a_registry_with_a_certificate_of_our_authority_is_asked(
    registry: tuple[str, list[str]], certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    address, shown = registry
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert RestRegistry(address, name="default.sms-spam", login=LOGIN).artefact("1", "sha256:0") is None
    assert shown == [f"Bearer {PASSWORD}"]


def test_a_registry_with_anothers_certificate_is_shown_no_login(
    registry: tuple[str, list[str]], another: Path, monkeypatch: pytest.MonkeyPatch
):
    address, shown = registry
    monkeypatch.setenv("SSL_CERT_FILE", str(another))
    with pytest.raises(RegistryUnavailable, match="can't be reached"):
        RestRegistry(address, name="default.sms-spam", login=LOGIN).artefact("1", "sha256:0")
    assert shown == []
