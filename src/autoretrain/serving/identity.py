"""Whose request is this, and may it do that? Keys where they are configured, loopback where they are not."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from autoretrain.adapters.key_file import ANONYMOUS, HEADER
from autoretrain.serving.api_keys import ApiKeys

LOCAL: Final = "local"
"""The source of labels given on this machine while no keys are configured."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends feedback or labels: `source` is a configured name, never the client's own words."""

    source: str
    trusted: bool


class Identity:
    """Answers who a request is from, by its `X-API-Key`. A key that is no good is refused everywhere (401)."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def reporter(self, request: Request) -> Sender:
        """Who sends feedback: anyone may, and without a key it is anonymous and not trusted."""
        source = self._named(request)
        return Sender(ANONYMOUS, trusted=False) if source is None else Sender(source, trusted=True)

    def labeller(self, request: Request) -> Sender:
        """Who labels the audit sample: holders of a key; without configured keys, whoever is on this machine."""
        source = self._named(request)
        if source is not None:
            return Sender(source, trusted=True)
        if self._keys.configured:
            raise _unauthorised(f"labelling needs an API key in the header {HEADER}")
        if not _is_loopback(request):
            raise HTTPException(403, "without configured API keys, labelling is open on the server's own machine only")
        return Sender(LOCAL, trusted=True)

    def _named(self, request: Request) -> str | None:
        key = request.headers.get(HEADER)
        if key is None or not self._keys.configured:
            return None
        source = self._keys.source_of(key)
        if source is None:
            raise _unauthorised("the API key is not known")
        return source


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"www-authenticate": f'ApiKey header="{HEADER}"'})


def _is_loopback(request: Request) -> bool:
    # A proxy on this machine would make every client look local, and says so in these headers.
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
