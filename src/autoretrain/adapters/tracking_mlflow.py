"""What did a training run try, and what came out? One MLflow run, with a nested run for each variant."""

import hashlib
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from autoretrain.adapters.mlflow_connection import MlflowConnection

_SCHEME: Final = "mlflow-artifacts:/"
_LONGEST_VALUE: Final = 500


class TrainingRun:
    """One run in MLflow, open until `finish`. Parameters and tags are text; metrics are numbers."""

    keeps_files: Final = True

    def __init__(self, connection: MlflowConnection, *, run_id: str, run_name: str, experiment_id: str) -> None:
        self._connection = connection
        self.run_id = run_id
        self._run_name = run_name
        self._experiment_id = experiment_id

    @classmethod
    def start(
        cls,
        connection: MlflowConnection,
        experiment: str,
        *,
        run_name: str,
        tags: Mapping[str, str] | None = None,
    ) -> "TrainingRun":
        """Begin the run. What an attempt of the same name left running, it having been killed, is closed first."""
        with connection.session() as client:
            experiment_id = _experiment_id(client, experiment)
            _close_abandoned(client, experiment_id, run_name=run_name)
            tags = {"mlflow.source.name": "autoretrain", **(tags or {}), "run_name": run_name}
            run = client.create_run(experiment_id, run_name=run_name, tags=tags)
            return cls(connection, run_id=run.info.run_id, run_name=run_name, experiment_id=experiment_id)

    def log(
        self,
        *,
        parameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Add to the run. `files` are artefacts by name."""
        with self._connection.session() as client:
            _log(client, self.run_id, parameters=parameters or {}, metrics=metrics or {}, files=files or {})

    def log_variant(
        self,
        name: str,
        *,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        files: Mapping[str, bytes],
        tags: Mapping[str, str],
    ) -> None:
        """Add one finished variant as a nested run."""
        with self._connection.session() as client:
            own = {"run_name": self._run_name, "mlflow.parentRunId": self.run_id, "mlflow.source.name": "autoretrain"}
            run = client.create_run(self._experiment_id, run_name=name, tags={**tags, **own})
            _log(client, run.info.run_id, parameters=parameters, metrics=metrics, files=files)
            client.set_terminated(run.info.run_id, status="FINISHED")

    def finish(self, status: str = "FINISHED") -> str:
        """Close the run as FINISHED, FAILED or KILLED and return its id."""
        with self._connection.session() as client:
            client.set_terminated(self.run_id, status=status)
        return self.run_id


def _experiment_id(client: Any, name: str) -> str:
    """The experiment of that name, created or restored where it is not there.

    Its artefacts get the same kind of location that a server would give it, so that a server can show them later.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        location = f"{_SCHEME}{words}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            found = client.get_experiment_by_name(name)
            if found is None or error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _close_abandoned(client: Any, experiment_id: str, *, run_name: str) -> None:
    query = f"tags.run_name = '{run_name}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment_id], query):
        client.set_terminated(run.info.run_id, status="KILLED")


def _log(
    client: Any, run_id: str, *, parameters: Mapping[str, str], metrics: Mapping[str, float], files: Mapping[str, bytes]
) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
        params=[Param(name, value[:_LONGEST_VALUE]) for name, value in parameters.items()],
    )
    if files:
        with tempfile.TemporaryDirectory(prefix="autoretrain-") as directory:
            for name, content in files.items():
                path = Path(directory) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            client.log_artifacts(run_id, directory)
