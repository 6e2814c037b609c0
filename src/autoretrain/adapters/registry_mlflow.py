"""Which versions are registered, in which role, and what are they made of? MLflow's model registry.

The registry mirrors what is served and keeps history; it decides nothing. Aliases are the roles (`champion`,
`candidate`, `previous`); a version that holds none carries the tag `lifecycle=archived`. A version is a plain artefact
with its digests as tags: what is fetched is checked against them.
"""

import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.mlflow_connection import MlflowConnection
from autoretrain.adapters.mlflow_server import server_command
from autoretrain.adapters.records import load_record
from autoretrain.adapters.registry_lineage import read_lineage
from autoretrain.adapters.tracking_mlflow import TrainingRun
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.lineage import Lineage
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.training import TrainingSummary
from autoretrain.ml.artefact import digest_of

__all__ = ["MlflowRegistry", "server_command"]

ROLES: Final = ("champion", "previous", "candidate")
"""By precedence: a version that holds several is known by the first."""
EXAMPLES: Final = ("Are we still meeting for lunch tomorrow?", "WINNER! Claim your free prize now, text WIN to 80082")
_WAIT_SECONDS: Final = 10
_PAGE: Final = 200
_SAVING: Final = threading.Lock()
"""MLflow puts a false `dbutils` into `sys.modules` while it saves; two threads that save at once leave it there."""


class MlflowRegistry:
    """The versions of one registered model. Nothing is opened or imported before the first call.

    Every method raises `Waiting` where MLflow can't be reached or used.
    """

    def __init__(self, tracking_uri: str, *, name: str) -> None:
        self.name = name
        self._connection = MlflowConnection(tracking_uri)

    def versions(self) -> tuple[RegistryVersion, ...]:
        """Every version, oldest first; none where the model is not registered."""
        with self._connection.session() as client:
            found = self._search(client)
            held = self._held_roles(client) if found else {}
            roles = {version: role for role in reversed(ROLES) if (version := held.get(role))}
            return tuple(_registry_version(entry, alias=roles.get(str(entry.version), "")) for entry in found)

    def lineage(self) -> tuple[Lineage, ...]:
        """Every version with what it came from, oldest first; none where the model is not registered."""
        with self._connection.session() as client:
            found = self._search(client)
            held = self._held_roles(client) if found else {}
            roles = {version: role for role in reversed(ROLES) if (version := held.get(role))}
            return tuple(
                read_lineage(
                    str(entry.version),
                    entry.tags,
                    alias=roles.get(str(entry.version), ""),
                    run_id=entry.run_id or "",
                    created_milliseconds=int(entry.creation_timestamp or 0),
                )
                for entry in found
            )

    def set_aliases(self, *, champion: str | None, candidate: str | None, previous: str | None) -> None:
        """Let exactly these versions hold the roles. Repeating it repairs what was left half done."""
        wanted = {"champion": champion, "candidate": candidate, "previous": previous}
        with self._connection.session() as client:
            found = self._search(client)
            held = self._held_roles(client) if found else {}
            for role, version in wanted.items():
                if version is None and role in held:
                    client.delete_registered_model_alias(self.name, role)
                elif version is not None and held.get(role) != version:
                    client.set_registered_model_alias(self.name, role, version)
            for entry in found:
                self._mark_lifecycle(client, entry, archived=str(entry.version) not in wanted.values())

    def fetch_artefact(self, version: str) -> ModelArtefact:
        """What `version` is made of. Raises ArtefactRejected where it is not what was registered, or never was."""
        with self._connection.session() as client:
            entry = next((entry for entry in self._search(client) if str(entry.version) == version), None)
            if entry is None:
                raise ArtefactRejected(f"{self.name} has no version {version} in the registry")
            files = self._download(client, version, names=("model.json", "reference.json", "card.json"))
        for name, tag in (("model.json", "digest"), ("reference.json", "reference_digest")):
            if digest_of(files[name]) != entry.tags.get(tag):
                raise ArtefactRejected(f"{name} of {self.name} version {version} does not match its registered {tag}")
        return ModelArtefact(
            version=version,
            digest=entry.tags["digest"],
            run_id=entry.run_id or "",
            model=files["model.json"],
            reference=files["reference.json"],
            card=files["card.json"].decode(),
        )

    def find_run(self, run_name: str) -> TrainingSummary | None:
        """What the run of that name reported, once it has registered its version."""
        with self._connection.session() as client:
            found = self._of_run(client, run_name)
            if not found or "summary" not in found[0].tags:
                return None
            summary = load_record(TrainingSummary, json.loads(found[0].tags["summary"]))
            return replace(summary, version=str(found[0].version))

    def run_file(self, run_id: str, name: str) -> bytes | None:
        """The artefact `name` of a run; None where that run left none of that name."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with self._connection.session() as client:
            location = client.get_run(run_id).info.artifact_uri
            repository = get_artifact_repository(location, tracking_uri=self._connection.tracking_uri)
            if all(file.path != name for file in repository.list_artifacts()):
                return None
            with tempfile.TemporaryDirectory(prefix="autoretrain-") as directory:
                return Path(repository.download_artifacts(name, directory)).read_bytes()

    def start_run(self, experiment: str, *, run_name: str, tags: Mapping[str, str] | None = None) -> TrainingRun:
        """Begin an MLflow run at the registry's own address."""
        return TrainingRun.start(self._connection, experiment, run_name=run_name, tags=tags)

    def register_artefact(
        self,
        *,
        model: bytes,
        reference: bytes,
        card: str,
        run_name: str,
        run_id: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> RegistryVersion:
        """Register a version and give it the role of candidate; the version of `run_name` where there is one already.

        The version is created together with its tags, so that a run killed at any line leaves all of it or none. Two
        processes that register for the same run at the same time end with one version: the first.
        """
        tags = {
            **(tags or {}),
            "run_name": run_name,
            "digest": digest_of(model),
            "reference_digest": digest_of(reference),
        }
        with self._connection.session() as client:
            found = self._of_run(client, run_name)
            if not found:
                run_id = run_id or self.start_run(self.name, run_name=run_name).finish()
                files = {"model.json": model, "reference.json": reference, "card.json": card.encode()}
                created = self._create(client, files, run_id=run_id, tags=tags)
                found = self._of_run(client, run_name)
                if found[0].version != created.version:
                    client.delete_model_version(self.name, created.version)
            first = found[0]
            client.set_registered_model_alias(self.name, "candidate", first.version)
            self._mark_lifecycle(client, first, archived=False)
            return _registry_version(first, alias="candidate")

    def _create(self, client: Any, files: Mapping[str, bytes], *, run_id: str, tags: Mapping[str, str]) -> Any:
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        self._create_registered_model(client)
        experiment_id = client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(
            experiment_id, name="model", source_run_id=run_id, model_type="spam-classifier", tags=dict(tags)
        )
        with tempfile.TemporaryDirectory(prefix="autoretrain-") as directory:
            _save_pyfunc(Path(directory), files, run_id=run_id, model_id=logged.model_id)
            client.log_model_artifacts(logged.model_id, str(Path(directory) / "version"))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        return client.create_model_version(
            self.name,
            # Not `models:/<id>`: without a server MLflow would look that up at its global address, not at ours.
            source=logged.artifact_location,
            run_id=run_id,
            tags=dict(tags),
            model_id=logged.model_id,
            await_creation_for=_WAIT_SECONDS,
        )

    def _create_registered_model(self, client: Any) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _mark_lifecycle(self, client: Any, entry: Any, *, archived: bool) -> None:
        marked = entry.tags.get("lifecycle") == "archived"
        if archived and not marked:
            client.set_model_version_tag(self.name, entry.version, "lifecycle", "archived")
        elif marked and not archived:
            client.delete_model_version_tag(self.name, entry.version, "lifecycle")

    def _download(self, client: Any, version: str, *, names: tuple[str, ...]) -> dict[str, bytes]:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        location = client.get_model_version_download_uri(self.name, version)
        repository = get_artifact_repository(location, tracking_uri=self._connection.tracking_uri)
        with tempfile.TemporaryDirectory(prefix="autoretrain-") as directory:
            paths = {name: repository.download_artifacts(f"artifacts/{name}", directory) for name in names}
            return {name: Path(path).read_bytes() for name, path in paths.items()}

    def _held_roles(self, client: Any) -> dict[str, str]:
        # A search for versions leaves their aliases out; the model itself has them.
        return {role: str(version) for role, version in client.get_registered_model(self.name).aliases.items()}

    def _of_run(self, client: Any, run_name: str) -> list[Any]:
        return self._search(client, f" and tags.run_name = '{run_name}'")

    def _search(self, client: Any, condition: str = "") -> list[Any]:
        """The versions that match, oldest first."""
        found = list(_pages(client, f"name = '{self.name}'{condition}"))
        return sorted(found, key=lambda entry: int(entry.version))


def _pages(client: Any, query: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_model_versions(query, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _registry_version(entry: Any, *, alias: str) -> RegistryVersion:
    return RegistryVersion(
        version=str(entry.version), digest=entry.tags.get("digest", ""), alias=alias, run_id=entry.run_id or ""
    )


def _save_pyfunc(directory: Path, files: Mapping[str, bytes], *, run_id: str, model_id: str) -> None:
    """Write `directory/version`: what `mlflow.pyfunc.load_model` loads, with the plain files under `artifacts/`."""
    import mlflow.pyfunc
    from mlflow.models import Model

    for name, content in files.items():
        (directory / name).write_bytes(content)
    with _SAVING:
        mlflow.pyfunc.save_model(
            path=str(directory / "version"),
            mlflow_model=Model(run_id=run_id, model_id=model_id, model_uuid=model_id),
            python_model=str(Path(__file__).with_name("mlflow_pyfunc.py")),
            artifacts={name.removesuffix(".json"): str(directory / name) for name in files},
            input_example=list(EXAMPLES),
            # Named, not inferred: MLflow would start another process to watch what the model imports.
            pip_requirements=[f"{name}=={installed_version(name)}" for name in ("autoretrain", "mlflow")],
        )
