"""How does serving fetch a registered version without importing MLflow? A few of its server's REST calls, read only."""

from typing import Any, Final
from urllib.parse import quote

from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import AutoRetrainError

TIMEOUT_SECONDS: Final = 5.0
MAX_FILE_BYTES: Final = 64 * 2**20
PROXIED: Final = "mlflow-artifacts:/"


class RegistryUnavailable(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """The registry did not give the version; the message says why. Nothing is remembered, so trying again is right."""


class RestRegistry:
    """The registered model `name` on the MLflow server at `address` (http or https)."""

    def __init__(self, address: str, *, name: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._address, self._name, self._timeout = address.rstrip("/"), name, timeout_seconds

    def artefact(self, version: str, digest: str) -> ModelArtefact | None:
        """The files of `version`, None where it is not registered. The caller compares `digest` with what came."""
        # Imported here: with the version in the store, serving starts without an HTTP client.
        import httpx

        try:
            with httpx.Client(base_url=self._address, timeout=self._timeout) as http:
                answer = http.get("/api/2.0/mlflow/model-versions/get", params={"name": self._name, "version": version})
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                entry = answer.raise_for_status().json()["model_version"]
                location = _proxied_path(entry["source"])
                files = {name: _fetch(http, f"{location}/{name}.json") for name in ("model", "reference", "card")}
                card = files["card"].decode()
        except httpx.HTTPStatusError as error:
            raise RegistryUnavailable(f"the registry answers {error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(f"the registry can't be reached ({type(error).__name__})") from None
        except (ValueError, KeyError, TypeError):
            raise RegistryUnavailable("the registry's answer can't be understood") from None
        return ModelArtefact(
            version=version,
            digest=digest,
            run_id=entry.get("run_id", ""),
            model=files["model"],
            reference=files["reference"],
            card=card,
        )


def _proxied_path(source: str) -> str:
    """The path under which the server hands out the version's files."""
    if not source.startswith(PROXIED):
        raise RegistryUnavailable(
            "the registry does not hand out the version's files (start it with --serve-artifacts)"
        )
    path = source.removeprefix(PROXIED).lstrip("/")
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
