"""What does a training run ask of a registry? MLflow answers where models are kept, a list where a history is replayed.

The adapter of MLflow is `adapters.registry_mlflow`, the list `app.replay_world`.
"""

from collections.abc import Mapping
from typing import Protocol

from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.training import TrainingSummary


class RunLog(Protocol):
    """One run as it is recorded, open until `finish`."""

    @property
    def run_id(self) -> str: ...

    @property
    def keeps_files(self) -> bool:
        """Whether pictures are worth drawing: three a variant take longer than the search."""

    def log(
        self,
        *,
        parameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None: ...

    def log_variant(
        self,
        name: str,
        *,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        files: Mapping[str, bytes],
        tags: Mapping[str, str],
    ) -> None: ...

    def finish(self, status: str = "FINISHED") -> str: ...


class Registry(Protocol):
    """Registered versions, and the runs that made them."""

    def find_run(self, run_name: str) -> TrainingSummary | None: ...

    def start_run(self, experiment: str, *, run_name: str, tags: Mapping[str, str] | None = None) -> RunLog: ...

    def register_artefact(
        self,
        *,
        model: bytes,
        reference: bytes,
        card: str,
        run_name: str,
        run_id: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> RegistryVersion: ...

    def fetch_artefact(self, version: str) -> ModelArtefact: ...
