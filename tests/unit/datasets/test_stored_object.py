"""Fetching the object of `spec.data.s3`: where it is asked for, how the request is signed, what a refusal says."""

import hashlib
import hmac
import re
import traceback
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
import stamina

from autoretrain.adapters import remote_file
from autoretrain.adapters.remote_file import RETRY_SECONDS
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.stored_object import address_of, fetch_object
from autoretrain.domain.errors import BadData, Waiting
from autoretrain.domain.spec import StoredObject
from tests.unit.datasets.file_server import FileServer, moved, resumable, served_files, status, whole

DATA = b"ham\tOk lar...\nspam\tFree entry!\n" * 200
SHA256 = hashlib.sha256(DATA).hexdigest()
SECRET = "very-secret/key"
TOKEN = "a-secret-token"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=remote_file.ATTEMPTS):
        yield


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with served_files() as known:
        yield known


def stored(server: FileServer | None = None, *, key="sms/a.tsv", endpoint="", region="") -> StoredObject:
    return StoredObject(bucket="messages", key=key, endpoint=server.address if server else endpoint, region=region)


def fetch(what: StoredObject, directory: Path, *, sha256: str | None = SHA256) -> bytes:
    return fetch_object(what, directory, sha256=sha256, settings=Settings()).read_bytes()


def signature(path: str, headers: Message, *, secret: str) -> str:
    """What a store works out for a GET of `path` as it came in, by AWS's own description of version 4."""
    scope, signed = re.match(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(\S+), SignedHeaders=(\S+), Signature=", headers["Authorization"]
    ).groups()
    lines = [f"{name}:{headers[name].strip()}" for name in signed.split(";")]
    canonical = "\n".join(
        ["GET", quote(unquote(path), safe="/"), "", *lines, "", signed, headers["x-amz-content-sha256"]]
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashed])
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("what", "address"),
    [
        (stored(), "https://s3.us-east-1.amazonaws.com/messages/sms/a.tsv"),
        (stored(region="eu-central-1"), "https://s3.eu-central-1.amazonaws.com/messages/sms/a.tsv"),
        (stored(endpoint="http://minio:9000/", region="here"), "http://minio:9000/messages/sms/a.tsv"),
        (stored(endpoint="https://x.example/storage/s3"), "https://x.example/storage/s3/messages/sms/a.tsv"),
        (
            stored(endpoint="http://minio:9000", key="ä b+c//d?.tsv"),
            "http://minio:9000/messages/%C3%A4%20b%2Bc//d%3F.tsv",
        ),
    ],
    ids=["AWS", "AWS in a region", "a store", "a store below a path", "a key to encode"],
)
def test_an_object_is_addressed_by_its_bucket_in_the_path(what: StoredObject, address: str) -> None:
    assert address_of(what) == address


@pytest.mark.parametrize(
    "key", ["sms/a.tsv", "with space+plus.tsv", "/a//b.tsv", "dated=1/50%25 & größer ✉.tsv", "a~(b)'c;,:@$!*.tsv"]
)
def test_what_is_signed_is_what_is_sent(server: FileServer, tmp_path: Path, key: str) -> None:
    path = f"/messages/{quote(key, safe='/')}"
    server.answers[path] = whole(DATA)
    assert fetch(stored(server, key=key), tmp_path) == DATA
    [(asked, headers)] = server.requests
    assert asked == path
    date = headers["x-amz-date"][:8]
    assert re.fullmatch(
        rf"AWS4-HMAC-SHA256 Credential=reader/{date}/us-east-1/s3/aws4_request, "
        rf"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        rf"Signature={signature(asked, headers, secret=SECRET)}",
        headers["Authorization"],
    )


def test_the_region_and_a_session_s_token_are_signed_too(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{TOKEN}\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}\n")  # as `echo` puts it into a Secret
    server.answers["/messages/sms/a.tsv"] = whole(DATA)
    assert fetch(stored(server, region="eu-west-1"), tmp_path) == DATA
    [(asked, headers)] = server.requests
    assert "/eu-west-1/s3/aws4_request, " in headers["Authorization"]
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token," in headers["Authorization"]
    assert headers["x-amz-security-token"] == TOKEN
    assert headers["Authorization"].endswith(f"Signature={signature(asked, headers, secret=SECRET)}")


@pytest.mark.usefixtures("no_login")
def test_without_a_login_nothing_is_signed(server: FileServer, tmp_path: Path) -> None:
    server.answers["/messages/sms/a.tsv"] = whole(DATA)
    assert fetch(stored(server), tmp_path) == DATA
    assert server.authorizations == [None]


def test_each_attempt_is_signed_and_goes_on_where_the_last_one_broke(server: FileServer, tmp_path: Path) -> None:
    server.answers["/messages/sms/a.tsv"] = resumable(DATA, cut=2500)
    assert fetch(stored(server), tmp_path) == DATA
    assert server.ranges == [None, "bytes=2500-", "bytes=5000-"]
    assert all(server.authorizations)


def test_another_object_than_the_checksum_says_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.answers["/messages/sms/a.tsv"] = whole(b"something else")
    with pytest.raises(BadData, match=r"s3://messages/sms/a.tsv at http://\S+: is not the file of spec\.data\.sha256"):
        fetch(stored(server), tmp_path)


@pytest.mark.parametrize(
    ("variable", "missing"),
    [("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")],
)
@pytest.mark.usefixtures("no_login")
def test_half_a_login_is_none(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, missing: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    with pytest.raises(BadData, match=f"{missing}: must be set as well, beside {variable}") as raised:
        fetch(stored(server), tmp_path)
    assert SECRET not in str(raised.value)
    assert server.requests == []


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
def test_a_login_that_no_header_can_hold_is_refused_unshown(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "sécret")
    with pytest.raises(BadData, match=f"{variable}: holds characters") as raised:
        fetch(stored(server), tmp_path)
    assert "sécret" not in str(raised.value)
    assert server.requests == []


REFUSALS = [
    (400, "spec.data.s3.region"),
    (401, "AWS_ACCESS_KEY_ID or its secret is wrong"),
    (403, "AWS_ACCESS_KEY_ID or its secret is wrong"),
    (404, "there is no such bucket or object"),
    (301, "spec.data.s3.region"),
    (503, ""),
]


@pytest.mark.parametrize(("code", "says"), REFUSALS)
def test_a_refusal_names_the_object_and_shows_no_secret(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    server.answers["/messages/sms/a.tsv"] = status(code)
    with pytest.raises(Waiting) as raised:
        fetch(stored(server), tmp_path)
    assert str(raised.value).startswith(f"s3://messages/sms/a.tsv at {server.address} answers {code}")
    assert says in str(raised.value)
    assert raised.value.delay_seconds == RETRY_SECONDS
    shown = "".join(traceback.format_exception(raised.value))
    assert not [secret for secret in (SECRET, TOKEN, "Signature=") if secret in shown]


@pytest.mark.usefixtures("no_login")
def test_a_refusal_without_a_login_says_how_to_give_one(server: FileServer, tmp_path: Path) -> None:
    server.answers["/messages/sms/a.tsv"] = status(403)
    with pytest.raises(Waiting, match=r"wants a login: .*spec\.data\.s3\.secretRef"):
        fetch(stored(server), tmp_path)


@pytest.mark.parametrize("code", [301, 307, 400])
def test_a_store_that_names_another_region_makes_the_document_wrong(
    server: FileServer, tmp_path: Path, code: int
) -> None:
    server.answers["/messages/sms/a.tsv"] = status(code, x_amz_bucket_region="eu-west-1")
    with pytest.raises(BadData, match=r"spec\.data\.s3\.region: must be eu-west-1"):
        fetch(stored(server), tmp_path)


@pytest.mark.parametrize("region", ["", "us-east-1", "eu west <script>"])
def test_a_region_that_is_ours_or_none_is_not_told_on(server: FileServer, tmp_path: Path, region: str) -> None:
    server.answers["/messages/sms/a.tsv"] = status(400, x_amz_bucket_region=region)
    with pytest.raises(Waiting, match=r"answers 400: set spec\.data\.s3\.region"):
        fetch(stored(server), tmp_path)


def test_neither_signature_nor_token_follows_a_redirect(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    with served_files() as another:
        server.answers["/messages/sms/a.tsv"] = moved(another.serve(whole(DATA)))
        with pytest.raises(Waiting, match=r"answers 302: set spec\.data\.s3\.region .*spec\.data\.s3\.endpoint"):
            fetch(stored(server), tmp_path)
        assert another.requests == []


@pytest.mark.usefixtures("no_login")
def test_what_is_public_may_move(server: FileServer, tmp_path: Path) -> None:
    server.answers["/messages/sms/a.tsv"] = moved(server.serve(whole(DATA)))
    assert fetch(stored(server), tmp_path) == DATA


def test_nobody_there_is_worth_another_try_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(Waiting, match=r"s3://messages/sms/a.tsv at http://127.0.0.1:1 can't be fetched"):
        fetch(stored(endpoint="http://127.0.0.1:1"), tmp_path)


def test_an_endpoint_that_is_no_address_is_the_document_s_fault(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"spec\.data\.s3\.endpoint"):
        fetch(stored(endpoint="http://[::1"), tmp_path)


@pytest.mark.parametrize("key", ["ß" * 512, f"{'a' * 1000}.tsv.gz"])
def test_a_long_key_gives_a_file_name_that_a_disk_can_hold(server: FileServer, tmp_path: Path, key: str) -> None:
    server.answers[f"/messages/{quote(key)}"] = whole(DATA)
    path = fetch_object(stored(server, key=key), tmp_path, sha256=SHA256, settings=Settings())
    assert path.read_bytes() == DATA
    assert path.name.endswith(".gz") == key.endswith(".gz")
