"""How does the object of `spec.data.s3` come to this machine? As any file, but signed, with refusals of its own."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from autoretrain.adapters.remote_file import RETRY_SECONDS, Refused, fetch_file
from autoretrain.adapters.settings import Settings
from autoretrain.domain.errors import AutoRetrainError, BadData, Waiting
from autoretrain.domain.spec import StoredObject

DEFAULT_REGION: Final = "us-east-1"  # what AWS and the stores like it take for none
_REGION_FIELD: Final = "spec.data.s3.region"
_REGION: Final = re.compile(r"[a-z0-9-]{1,63}")
_HINTS: Final = {
    400: f"set {_REGION_FIELD} to the bucket's region, and AWS_SESSION_TOKEN where the login is a temporary one",
    404: "there is no such bucket or object",
}
_MOVED: Final = f"set {_REGION_FIELD} to the bucket's region, or spec.data.s3.endpoint to where it is"
_NO_LOGIN: Final = (
    "it wants a login: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which spec.data.s3.secretRef gives on a cluster"
)
_BAD_LOGIN: Final = (
    "AWS_ACCESS_KEY_ID or its secret is wrong or may not read the object (AWS says so of a missing one, too), "
    "or this machine's clock is off"
)


def fetch_object(stored: StoredObject, directory: Path, *, sha256: str | None, settings: Settings) -> Path:
    """The object's path in `directory`, fetched unless it is there already with the right checksum.

    The login is that of `settings`; without one the request is not signed, as for a public bucket. It goes to the
    store alone: a signed request follows no redirect, and no message shows it.
    Raises BadData where the login is half a one, the region is another or the bytes are not those of `sha256`, and
    Waiting where the object can't be had now.
    """
    url = address_of(stored)
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadData("spec.data.s3.endpoint", f"is no address: {error}") from error
    region = stored.region or DEFAULT_REGION
    auth = _signature(settings, region)
    shown = f"s3://{stored.bucket}/{stored.key} at {_endpoint(stored)}"
    try:
        return fetch_file(url, directory, sha256=sha256, auth=auth, shown=shown)
    except Refused as refused:
        raise _explained(refused, shown=shown, region=region, signed=auth is not None) from refused


def address_of(stored: StoredObject) -> str:
    """The URL of the object, with the bucket in its path: a form that every store knows, for buckets with dots too."""
    return f"{_endpoint(stored)}/{quote(stored.bucket, safe='')}/{quote(stored.key, safe='/')}"


def _endpoint(stored: StoredObject) -> str:
    return stored.endpoint.rstrip("/") or f"https://s3.{stored.region or DEFAULT_REGION}.amazonaws.com"


def _signature(settings: Settings, region: str) -> httpx.Auth | None:
    """What signs each request, or None where there is no login."""
    access_id = _in_header("AWS_ACCESS_KEY_ID", settings.aws_access_key_id)
    token = _in_header("AWS_SESSION_TOKEN", settings.aws_session_token)
    secret = _stripped(settings.aws_secret_access_key)
    if not (access_id or secret):
        return None
    if not (access_id and secret):
        there, missing = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")[:: 1 if access_id else -1]
        raise BadData(missing, f"must be set as well, beside {there}, or neither")
    from httpx_auth import AWS4Auth  # it brings all of OAuth along, for a source that few have

    auth: httpx.Auth = AWS4Auth(
        access_id=access_id, secret_key=secret, region=region, service="s3", security_token=token or None
    )
    return auth


def _in_header(variable: str, value: SecretStr) -> str:
    text = _stripped(value)
    if text and not (text.isascii() and text.isprintable()):
        raise BadData(variable, "holds characters that no header may have")
    return text


def _stripped(value: SecretStr) -> str:
    return value.get_secret_value().strip()  # Secrets are often made with a newline at the end


def _explained(refused: Refused, *, shown: str, region: str, signed: bool) -> AutoRetrainError:
    """What a refusal means here. A region that the store itself names can be wrong in the document alone."""
    code = refused.response.status_code
    moved = 300 <= code < 400
    named = refused.response.headers.get("x-amz-bucket-region", "")
    if (moved or code == httpx.codes.BAD_REQUEST) and named != region and _REGION.fullmatch(named):
        return BadData(_REGION_FIELD, f"must be {named}, where the bucket of {shown} is")
    hint = _MOVED if moved else _HINTS.get(code)
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        hint = _BAD_LOGIN if signed else _NO_LOGIN
    return Waiting(f"{refused}: {hint}" if hint else str(refused), delay_seconds=RETRY_SECONDS)
