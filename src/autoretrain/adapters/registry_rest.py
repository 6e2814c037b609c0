"""How do serving and the controller use MLflow's registry without importing MLflow? A few of its server's REST calls.

What is written here is what `registry_mlflow` writes: roles are aliases, a version without one is archived, a run's
summary is a tag of the version that it registered.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from autoretrain.adapters.records import load_record
from autoretrain.adapters.registry_lineage import read_lineage
from autoretrain.adapters.registry_login import Login, no_login
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.lineage import Lineage
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.training import TrainingSummary

TIMEOUT_SECONDS: Final = 5.0
MAX_FILE_BYTES: Final = 64 * 2**20
MAX_PAGES: Final = 100
PAGE: Final = 200
PROXIED: Final = "mlflow-artifacts:/"
API: Final = "/api/2.0/mlflow"
ROLES: Final = ("champion", "previous", "candidate")
"""By precedence: a version that holds several is known by the first."""
OWNER_TAG: Final = "owner_uid"


class RegistryUnavailable(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """The registry did not give the version; the message says why. Nothing is remembered, so trying again is right."""


class RestRegistry:
    """The registered model `name` on the MLflow server at `address` (http or https).

    `login` is asked at the start of each call, and its answer is sent to that server alone. What it raises leaves as it
    is.
    """

    def __init__(
        self, address: str, *, name: str, login: Login | None = None, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._address, self._name, self._timeout = address.rstrip("/"), name, timeout_seconds
        self._login = login or no_login

    def artefact(self, version: str, digest: str) -> ModelArtefact | None:
        """The files of `version`, None where it is not registered. The caller compares `digest` with what came."""
        with self._session() as http:
            answer = http.get(f"{API}/model-versions/get", params={"name": self._name, "version": version})
            if answer.status_code == 404:
                return None
            entry = answer.raise_for_status().json()["model_version"]
            location = _proxied_path(entry["source"])
            files = {name: _fetch(http, f"{location}/{name}.json") for name in ("model", "reference", "card")}
            return ModelArtefact(
                version=version,
                digest=digest,
                run_id=entry.get("run_id", ""),
                model=files["model"],
                reference=files["reference"],
                card=files["card"].decode(),
            )

    def versions(self) -> tuple[RegistryVersion, ...]:
        """Every version, oldest first; none where the model is not registered."""
        with self._session() as http:
            held = _held_roles(self._model(http))
            roles = {version: role for role in reversed(ROLES) if (version := held.get(role))}
            return tuple(
                RegistryVersion(
                    version=entry["version"],
                    digest=_tags(entry).get("digest", ""),
                    alias=roles.get(entry["version"], ""),
                    run_id=entry.get("run_id", ""),
                )
                for entry in self._search(http)
            )

    def lineage(self) -> tuple[Lineage, ...]:
        """Every version with what it came from, oldest first; none where the model is not registered."""
        with self._session() as http:
            held = _held_roles(self._model(http))
            roles = {version: role for role in reversed(ROLES) if (version := held.get(role))}
            return tuple(
                read_lineage(
                    entry["version"],
                    _tags(entry),
                    alias=roles.get(entry["version"], ""),
                    run_id=entry.get("run_id", ""),
                    created_milliseconds=int(entry.get("creation_timestamp", 0)),
                )
                for entry in self._search(http)
            )

    def find_run(self, run_name: str) -> TrainingSummary | None:
        """What the run of that name reported, once it has registered its version."""
        with self._session() as http:
            found = self._search(http, f" and tags.run_name = '{run_name}'")
            if not found or "summary" not in _tags(found[0]):
                return None
            summary = load_record(TrainingSummary, json.loads(_tags(found[0])["summary"]))
            return replace(summary, version=found[0]["version"])

    def set_aliases(self, *, champion: str | None, candidate: str | None, previous: str | None) -> None:
        """Let exactly these versions hold the roles. Repeating it repairs what was left half done."""
        wanted = {"champion": champion, "candidate": candidate, "previous": previous}
        with self._session() as http:
            held = _held_roles(self._model(http))
            for role, version in wanted.items():
                if version is None and role in held:
                    body = {"name": self._name, "alias": role}
                    http.request("DELETE", f"{API}/registered-models/alias", json=body).raise_for_status()
                elif version is not None and held.get(role) != version:
                    body = {"name": self._name, "alias": role, "version": version}
                    http.post(f"{API}/registered-models/alias", json=body).raise_for_status()
            for entry in self._search(http):
                self._mark_lifecycle(http, entry, archived=entry["version"] not in wanted.values())

    def owner(self) -> str | None:
        """The uid of the resource that the registered model belongs to; None where nobody has claimed it."""
        with self._session() as http:
            return _tags(self._model(http)).get(OWNER_TAG)

    def claim(self, owner: str) -> None:
        """Let the registered model belong to `owner`; it is created where it is not there."""
        with self._session() as http:
            if not self._model(http):
                http.post(f"{API}/registered-models/create", json={"name": self._name}).raise_for_status()
            tag = {"name": self._name, "key": OWNER_TAG, "value": owner}
            http.post(f"{API}/registered-models/set-tag", json=tag).raise_for_status()

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """An HTTP client; whatever goes wrong with it leaves as RegistryUnavailable with one sentence."""
        # Imported here: with the version in the store, serving starts without an HTTP client.
        import httpx

        try:
            authorization = self._login(httpx.URL(self._address).host)
            headers = {"Authorization": authorization} if authorization else {}
            # A redirect is not followed: who answers may lead anywhere, and we would go there from inside the cluster.
            with httpx.Client(
                base_url=self._address, headers=headers, timeout=self._timeout, follow_redirects=False
            ) as http:
                yield http
        except httpx.HTTPStatusError as error:
            raise RegistryUnavailable(_refusal(error.response)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(f"the registry can't be reached ({type(error).__name__})") from None
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
            raise RegistryUnavailable("the registry's answer can't be understood") from None

    def _model(self, http: Any) -> dict[str, Any]:
        """The registered model with its aliases and tags; empty where there is none."""
        answer = http.get(f"{API}/registered-models/get", params={"name": self._name})
        if answer.status_code == 404:
            return {}
        return dict(answer.raise_for_status().json()["registered_model"])

    def _search(self, http: Any, condition: str = "") -> list[dict[str, Any]]:
        """The versions that match, oldest first."""
        found: list[dict[str, Any]] = []
        query = {"filter": f"name = '{self._name}'{condition}", "max_results": str(PAGE)}
        for _ in range(MAX_PAGES):
            page = http.get(f"{API}/model-versions/search", params=query).raise_for_status().json()
            found += page.get("model_versions", [])
            if not page.get("next_page_token"):
                return sorted(found, key=lambda entry: int(entry["version"]))
            query["page_token"] = page["next_page_token"]
        raise RegistryUnavailable(f"the registry has more than {MAX_PAGES * PAGE} versions of {self._name}")

    def _mark_lifecycle(self, http: Any, entry: dict[str, Any], *, archived: bool) -> None:
        marked = _tags(entry).get("lifecycle") == "archived"
        tag = {"name": self._name, "version": entry["version"], "key": "lifecycle"}
        if archived and not marked:
            http.post(f"{API}/model-versions/set-tag", json={**tag, "value": "archived"}).raise_for_status()
        elif marked and not archived:
            http.request("DELETE", f"{API}/model-versions/delete-tag", json=tag).raise_for_status()


def _refusal(answer: Any) -> str:
    """What a status other than 2xx means to people. Nothing of a login is in it."""
    code, host = answer.status_code, answer.request.url.netloc.decode()
    if code == 401 and "Authorization" in answer.request.headers:
        return f"the registry at {host} refuses our login (401)"
    if code == 401:
        return f"the registry at {host} wants a login, and we have none for it (401)"
    if code == 403:
        # MLflow says so of a name that it was not told of, too.
        why = "our login lacks the right, or its --allowed-hosts lack this name"
        return f"the registry at {host} forbids it (403): {why}"
    if answer.has_redirect_location:
        return f"the registry at {host} redirects ({code}), which is not followed"
    return f"the registry answers {code}"


def _tags(entry: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in entry.get("tags", [])}


def _held_roles(model: dict[str, Any]) -> dict[str, str]:
    # A search for versions leaves their aliases out; the model itself has them.
    return {alias["alias"]: alias["version"] for alias in model.get("aliases", [])}


def _proxied_path(source: str) -> str:
    """The path under which the server hands out the version's files."""
    if not source.startswith(PROXIED):
        raise RegistryUnavailable(
            "the registry does not hand out the version's files (start it with --serve-artifacts)"
        )
    path = source.removeprefix(PROXIED).lstrip("/")
    if ".." in path.split("/"):
        # Whoever writes to the registry would lead our login to any other of its server's addresses.
        raise RegistryUnavailable("the registry names files outside its artefacts")
    return f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}/artifacts"


def _fetch(http: Any, path: str) -> bytes:
    data = bytearray()
    with http.stream("GET", path) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            data += chunk
            if len(data) > MAX_FILE_BYTES:
                raise RegistryUnavailable(f"a file in the registry has more than {MAX_FILE_BYTES} bytes")
    return bytes(data)
