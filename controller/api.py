"""How do calls reach a real API server? A few REST verbs over aiohttp, with the credentials that kopf logs in with."""

import base64
import contextlib
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, Self

import aiohttp
import kopf
from pydantic_core import from_json

from controller.cluster import (
    FIELD_MANAGER,
    MODEL_LABEL,
    AlreadyExists,
    ClusterError,
    Conflict,
    Kind,
    NotFound,
    Object,
    Refused,
    Unreachable,
    Watch,
    kind_of,
)

MAX_ANSWER_BYTES: Final = 64 * 2**20
PAGE: Final = 100
"""Objects an answer: what a page of models weighs stays with the process long after it was read."""
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_SECONDS: Final = 60.0
"""A mounted token is rotated long before it ends; it is read again this often."""
CONNECTIONS: Final = 32


def log_in() -> kopf.ConnectionInfo:
    """Return the credentials of the Pod's service account, else of the kubeconfig. Raises ClusterError without any."""
    settings = kopf.OperatorSettings()
    try:
        info = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    except OSError as error:
        raise ClusterError(f"credentials can't be read: {error}") from None
    if info is None:
        raise ClusterError("no credentials: neither a service account is mounted nor a kubeconfig found")
    return info


class KubernetesApi:
    """The cluster port over HTTPS. `seconds` limits each call."""

    def __init__(self, info: kopf.ConnectionInfo, *, seconds: float) -> None:
        self._info = info
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=seconds / 2)
        self._session: aiohttp.ClientSession | None = None
        self._token, self._token_read_at = info.token, 0.0

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=_tls(self._info))
        self._session = aiohttp.ClientSession(str(self._info.server).rstrip("/"), connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    # The port.

    async def list_pages(
        self, kind: Kind, *, namespace: str | None = None, model: str | None = None
    ) -> AsyncIterator[list[Object]]:
        query = {"limit": str(PAGE)}
        if kind.watch is not Watch.ALL:
            query["labelSelector"] = MODEL_LABEL if model is None else f"{MODEL_LABEL}={model}"
        accept = METADATA_ONLY if kind.metadata_only else "application/json"
        while True:
            page = await self._call("GET", kind.path(namespace), query=query, accept=accept)
            items = page.get("items")
            if items is None and str(page.get("kind")).endswith("List"):
                items = []  # So an API server says of metadata that there is none.
            if not isinstance(items, list):
                # Taken for an empty one, it would mean that everything was deleted.
                raise Unreachable(f"GET {kind.path(namespace)}: the answer is no list")
            yield [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in items]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            query["continue"] = token

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return await self._call("GET", kind.path(namespace, name))

    async def create(self, thing: Object) -> Object:
        path = kind_of(thing).path(thing["metadata"]["namespace"])
        return await self._call("POST", path, body=thing, query={"fieldManager": FIELD_MANAGER})

    async def apply(self, thing: Object, *, manager: str = FIELD_MANAGER, force: bool = True) -> Object:
        path = kind_of(thing).path(thing["metadata"]["namespace"], thing["metadata"]["name"])
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        # JSON is YAML, and apply takes no other media type.
        return await self._call("PATCH", path, body=thing, query=query, media="application/apply-patch+yaml")

    async def update(self, thing: Object) -> Object:
        path = kind_of(thing).path(thing["metadata"]["namespace"], thing["metadata"]["name"])
        return await self._call("PUT", path, body=thing, query={"fieldManager": FIELD_MANAGER})

    async def update_status(self, thing: Object) -> Object:
        path = kind_of(thing).path(thing["metadata"]["namespace"], thing["metadata"]["name"], "status")
        return await self._call("PUT", path, body=thing, query={"fieldManager": FIELD_MANAGER})

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._call("DELETE", kind.path(namespace, name), body=options)
        except (NotFound, Conflict):
            return  # It is gone, or another one of that name is there, which is not ours to delete.

    async def schema(self, kind: Kind) -> Object:
        # Every account may read this; reading the definition itself would take rights on the whole cluster.
        answer = await self._call("GET", f"/openapi/v3/apis/{kind.group}/{kind.version}")
        for schema in answer["components"]["schemas"].values():
            for known in schema.get("x-kubernetes-group-version-kind", ()):
                if (known["group"], known["version"], known["kind"]) == (kind.group, kind.version, kind.name):
                    return dict(schema)
        raise NotFound(f"the API server knows no {kind.name} of {kind.api_version}")

    # One call.

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        if self._session is None:
            raise ClusterError("the connection is not open")
        headers = {"Accept": accept, "Content-Type": media, "User-Agent": "autoretrain-controller"}
        if token := self._bearer():
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(
                method, path, data=data, params=query, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as answer:
                content = await _read(answer)
                if answer.status >= 300:
                    raise _failure(answer, content, f"{method} {path}")
                found = from_json(content, cache_strings="all")  # A string that many objects have is kept once.
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: the API server does not answer ({type(error).__name__})") from None
        except ValueError:
            raise Unreachable(f"{method} {path}: the answer is not JSON") from None
        if not isinstance(found, dict):
            raise Unreachable(f"{method} {path}: the answer is no object")
        return found

    def _bearer(self) -> str | None:
        now = time.monotonic()
        if self._info.ca_path and now - self._token_read_at > TOKEN_SECONDS:
            with contextlib.suppress(OSError):  # The known one holds on for minutes after it was replaced.
                self._token, self._token_read_at = TOKEN_FILE.read_text(encoding="utf-8").strip(), now
        return self._token


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(2**16):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise ClusterError(f"an answer has more than {MAX_ANSWER_BYTES} bytes")
    return bytes(content)


def _failure(answer: aiohttp.ClientResponse, content: bytes, call: str) -> ClusterError:
    try:
        status = json.loads(content)
        reason, said = str(status.get("reason", "")), str(status.get("message", ""))
    except (ValueError, AttributeError):
        reason, said = "", content[:200].decode(errors="replace")
    message = f"{said or call} ({answer.status}{f' {reason}' if reason else ''})"
    code = answer.status
    if code == 409:
        return AlreadyExists(message) if reason == "AlreadyExists" else Conflict(message)
    if code == 404:
        return NotFound(message)
    if code in (410, 429) or code >= 500:  # 410: a listing took too long for its next page, and is to begin anew.
        after = answer.headers.get("Retry-After", "")
        return Unreachable(message, retry_seconds=float(after) if after.isdigit() else None)
    return Refused(message)


def _tls(info: kopf.ConnectionInfo) -> ssl.SSLContext | bool:
    if str(info.server).startswith("http://"):
        return False
    context = ssl.create_default_context(
        cafile=str(info.ca_path) if info.ca_path else None, cadata=_text(info.ca_data) if info.ca_data else None
    )
    if info.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if info.certificate_path:
        context.load_cert_chain(str(info.certificate_path), str(info.private_key_path or info.certificate_path))
    elif info.certificate_data and info.private_key_data:
        # OpenSSL takes a client's certificate from files only.
        with tempfile.TemporaryDirectory(prefix="autoretrain-") as directory:
            certificate, key = Path(directory) / "certificate.pem", Path(directory) / "key.pem"
            certificate.write_text(_text(info.certificate_data))
            key.touch(mode=0o600)
            key.write_text(_text(info.private_key_data))
            context.load_cert_chain(certificate, key)
    return context


def _text(data: str | bytes) -> str:
    """Return PEM text; a kubeconfig holds it in base64."""
    text = data.decode() if isinstance(data, bytes) else data
    return text if "-----BEGIN" in text else base64.b64decode(text).decode()
