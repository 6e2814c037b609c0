"""How MLflow is reached: quietly, within short time limits, and with the same artefact files with and without a server.

A bare `mlflow server` gives its experiments locations such as `mlflow-artifacts:/1`, which only the server can resolve:
it keeps them under `./mlartifacts`. A client that opens the server's SQLite file directly would refuse them. Here they
mean the directory `mlartifacts` beside that file, so that runs written directly and runs written through a server are
the same runs, whichever came first. A database that is not there yet is made aside and moved into place whole: MLflow's
fifty migrations, killed half way, would leave one that no later start can use.

Importing MLflow takes two seconds and reads the environment, so it is imported where it is used, after `_prepare`.
"""

import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from autoretrain.domain.errors import Waiting

ARTEFACT_DIRECTORY: Final = "mlartifacts"
RETRY_SECONDS: Final = 15.0
_CREDENTIALS: Final = re.compile(r"//[^/\s]*@")
_ABANDONED_SECONDS: Final = 600.0
_PROXIED: Final = "mlflow-artifacts:/"
ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""What MLflow reads from the environment; a value that is set already stays."""


class MlflowConnection:
    """Tracking and registry at one address, opened by the first use."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        self._client: Any = None

    @contextmanager
    def session(self) -> Iterator[Any]:
        """An `MlflowClient`. Whatever MLflow raises inside leaves as `Waiting` with one sentence: it may pass."""
        _prepare()
        with _quiet(), _named_errors(self.tracking_uri):
            if self._client is None:
                self._client = _open_client(self.tracking_uri)
            yield self._client


def artefact_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """MLflow's repository for an `mlflow-artifacts:` location: local files where a SQLite file tracks them."""
    import mlflow
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    tracking_uri = tracking_uri or mlflow.get_tracking_uri()
    location = urlsplit(artifact_uri)
    root = local_artefacts(tracking_uri)
    if root is None or location.netloc:
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    directory = (root / location.path.lstrip("/")).resolve()
    if not directory.is_relative_to(root.resolve()):
        raise ValueError(f"{artifact_uri} leaves the artefact directory")
    return LocalArtifactRepository(str(directory), tracking_uri, registry_uri)


def local_artefacts(tracking_uri: str) -> Path | None:
    """Where artefacts lie that a SQLite file tracks; None for every other tracking address."""
    database = _sqlite_file(tracking_uri)
    return database.parent / ARTEFACT_DIRECTORY if database else None


def readable_address(tracking_uri: str) -> str:
    """The address without user, password and query, for messages."""
    scheme, separator, rest = tracking_uri.partition("://")
    place, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"


def _sqlite_file(tracking_uri: str) -> Path | None:
    scheme, _, path = tracking_uri.partition(":///")
    is_file = scheme.partition("+")[0] == "sqlite" and path not in {"", ":memory:"}
    return Path(path.partition("?")[0]).absolute() if is_file else None


def _open_client(tracking_uri: str) -> Any:
    from mlflow import MlflowClient
    from mlflow.store.artifact import artifact_repository_registry

    database = _sqlite_file(tracking_uri)
    if database is not None and not database.exists():
        _create_database(database)

    # MLflow makes this call for plug-ins that packages name as entry points; here it holds without one.
    artifact_repository_registry._artifact_repository_registry.register("mlflow-artifacts", artefact_repository)
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _create_database(database: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    for leftover in database.parent.glob(f"{database.name}.*.new"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_SECONDS:
            leftover.unlink(missing_ok=True)
    aside = database.with_name(f"{database.name}.{os.getpid()}.new")
    aside.unlink(missing_ok=True)
    try:
        # The same default location that a server gives; without it MLflow would make a directory `mlruns`.
        SqlAlchemyStore(f"sqlite:///{aside.as_posix()}", _PROXIED).engine.dispose()
        with suppress(FileExistsError):  # somebody else was faster, and theirs is as good
            os.link(aside, database)
    finally:
        aside.unlink(missing_ok=True)


def _prepare() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The first use of an empty database makes dozens of migrations, each with a line of its own.
    logging.getLogger("alembic").setLevel(logging.ERROR)


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow and what it imports warn about their own future; none of that is for the person who trains a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _named_errors(tracking_uri: str) -> Iterator[None]:
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        if isinstance(error, requests.RequestException) or isinstance(error.__context__, requests.RequestException):
            reason = "it does not answer"
        reason = _CREDENTIALS.sub("//", reason)[:300]
        message = f"MLflow at {readable_address(tracking_uri)} can't be used: {reason}"
        raise Waiting(message, delay_seconds=RETRY_SECONDS) from error
