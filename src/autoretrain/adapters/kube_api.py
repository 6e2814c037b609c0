"""How does a Pod of ours read SpamModels? A few REST calls with the token of its service account.

A person's commands go by kubectl instead, with their logins. Here, as there: a limit on every call, JSON in and out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from autoretrain.adapters.kubectl import KubectlFailed, NotFound, Object, TooMany, Unanswered

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER: Final = "https://kubernetes.default.svc"
CALL_SECONDS: Final = 10.0
PAGE: Final = 100
MOST_OBJECTS: Final = 2000
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class KubeApi:
    """One namespace of the cluster that this Pod runs in; of all of them with an empty one, which only lists."""

    http: httpx.Client
    namespace: str
    account: Path = ACCOUNT

    @classmethod
    def in_pod(cls) -> "KubeApi":
        """Return the API of the Pod's own cluster. Raises KubectlFailed outside one."""
        if not (ACCOUNT / "token").exists():
            raise KubectlFailed(f"this is no Pod with a service account: {ACCOUNT}/token is not there")
        import ssl

        tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        return cls(httpx.Client(base_url=SERVER, verify=tls, timeout=CALL_SECONDS), "")

    def __str__(self) -> str:
        return f"namespace {self.namespace}" if self.namespace else "all namespaces"

    def within(self, namespace: str) -> "KubeApi":
        return KubeApi(self.http, namespace, self.account)

    def get(self, kind: str, name: str) -> Object:
        """Return the object. Raises NotFound, Unanswered or KubectlFailed."""
        return self._call("GET", f"{self._path(kind)}/{name}")

    def list_all(self, kind: str, *, at_most: int = MOST_OBJECTS) -> tuple[list[Object], bool]:
        """Return the first `at_most` objects by namespace and name, and whether these are all of them.

        Raises Unanswered or KubectlFailed.
        """
        return self._list(kind, {}, at_most=at_most)

    def list_labelled(self, kind: str, labels: Mapping[str, str]) -> list[Object]:
        """Return all objects that carry all of `labels`.

        Raises TooMany where these are more than MOST_OBJECTS, Unanswered or KubectlFailed.
        """
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        found, complete = self._list(kind, {"labelSelector": selector}, at_most=MOST_OBJECTS)
        if not complete:
            raise TooMany(f"{self}: there are more than {MOST_OBJECTS:,} {kind.partition('.')[0]}")
        return found

    def merge(self, kind: str, name: str, change: Mapping[str, Any]) -> Object:
        """Merge `change` into the object (RFC 7386: None removes) and return it. Raises as `get` does."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._call("PATCH", f"{self._path(kind)}/{name}", json=change, headers=headers)

    def _list(self, kind: str, query: Mapping[str, str], *, at_most: int) -> tuple[list[Object], bool]:
        found: list[Object] = []
        more = ""
        while True:
            page = {**query, "limit": str(PAGE), **({"continue": more} if more else {})}
            answer = self._call("GET", self._path(kind), params=page)
            items = answer.get("items")
            if not isinstance(items, list):
                raise Unanswered(f"{self}: the API server's answer about {kind} is no list")
            found += items
            more = str(answer.get("metadata", {}).get("continue") or "")
            if not more or len(found) >= at_most:
                return found[:at_most], not more and len(found) <= at_most

    def _path(self, kind: str) -> str:
        """Return the path of a kind given as `spammodels.autoretrain.dev`, as kubectl takes it, too."""
        plural, _, group = kind.partition(".")
        within = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/apis/{group}/v1alpha1{within}/{plural}"

    def _call(self, verb: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Object:
        try:
            # Read anew each time: the kubelet renews a token before it ends.
            token = (self.account / "token").read_text().strip()
            answer = self.http.request(
                verb, path, headers={**(headers or {}), "Authorization": f"Bearer {token}"}, **options
            )
            body = answer.json()
        except (OSError, httpx.HTTPError) as error:
            raise Unanswered(f"{self}: the API server did not answer: {error}") from None
        except ValueError:
            raise Unanswered(f"{self}: the API server answered with something that is no JSON") from None
        if answer.is_success and isinstance(body, dict):
            return body
        reason = body.get("message") if isinstance(body, dict) else None
        kind = NotFound if answer.status_code == 404 else KubectlFailed
        raise (Unanswered if answer.status_code in _PASSING else kind)(f"{self}: {reason or answer.status_code}")
