"""A machine of `local_traffic` whose runs train in this process, at once, and whose registry is a list.

It is the product's own world, pass and training run. What MLflow would keep is left out, with the pictures that are
drawn for it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_traffic import open_world

from autoretrain.app import training_log
from autoretrain.app.local import LocalWorld
from autoretrain.app.training import TrainingRequest, run_training
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import LabelledMessage
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import ActiveRun
from autoretrain.domain.training import RunObservation, RunState
from autoretrain.ml.artefact import digest_of


def _no_picture(*_: object, **__: object) -> bytes:
    return b""


# Three pictures a variant take longer than the search: no benchmark that replays looks at them.
training_log.draw_confusion_matrix = _no_picture
training_log.draw_precision_recall = _no_picture
training_log.draw_top_terms = _no_picture


class NoLog:
    """A run in MLflow, of which nothing is kept."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def log_variant(self, name: str, **_: object) -> None:
        pass

    def log(self, **_: object) -> None:
        pass

    def finish(self, status: str = "FINISHED") -> str:
        return self.run_id


@dataclass
class Versions:
    """What a run and a pass ask of the registry, kept in a list."""

    registered: list[ModelArtefact] = field(default_factory=list)

    def find_run(self, run_name: str) -> None:
        return None

    def start_run(self, experiment: str, *, run_name: str, tags: object = None) -> NoLog:
        return NoLog(run_name)

    def register_artefact(
        self, *, model: bytes, reference: bytes, card: str, run_name: str, run_id: str = "", tags: object = None
    ) -> RegistryVersion:
        version, digest = str(len(self.registered) + 1), digest_of(model)
        self.registered.append(
            ModelArtefact(version=version, digest=digest, run_id=run_id, model=model, reference=reference, card=card)
        )
        return RegistryVersion(version=version, digest=digest, alias="candidate", run_id=run_id)

    def fetch_artefact(self, version: str) -> ModelArtefact:
        return self.registered[int(version) - 1]

    def versions(self) -> tuple[RegistryVersion, ...]:
        return tuple(
            RegistryVersion(version=each.version, digest=each.digest, alias="", run_id=each.run_id)
            for each in self.registered
        )

    def set_aliases(self, **_: object) -> None:
        pass


class ReplayWorld(LocalWorld):
    """One machine whose runs train in this process, at once, on `base`, and whose registry is a list."""

    base: Sequence[LabelledMessage]
    versions: Versions
    ended: dict[str, RunObservation]

    def trainer(self, model: SpamModel) -> "ReplayWorld":
        return self

    def registry(self) -> Versions:
        return self.versions

    def submit(self, run: ActiveRun) -> None:
        model = self.model()
        request = TrainingRequest(
            run_name=run.name,
            experiment="recovery",
            trigger=run.trigger,
            uid=model.uid,
            label_cutoff=run.label_cutoff,
            changed_at=run.changed_at,
            data_source="uci_train_A.csv",
            generated_sample=False,
        )
        try:
            summary = run_training(
                request, store=self.store, registry=self.versions, base=self.base, spec=model.spec, now=run.started_at
            )
        except AutoRetrainError as error:
            self.ended[run.name] = RunObservation(run_name=run.name, state=RunState.FAILED, message=str(error))
        else:
            self.ended[run.name] = RunObservation(run_name=run.name, state=RunState.SUCCEEDED, summary=summary)

    def observe(self, run: ActiveRun) -> RunObservation | None:
        return self.ended.get(run.name)

    def cancel(self, run_name: str) -> None:
        pass


def open_replay(directory: Path, base: Sequence[LabelledMessage]) -> ReplayWorld:
    world = open_world(directory, kind=ReplayWorld)
    deployment = world.store.deployment()
    kept = world.store.artefact(deployment.digest) if deployment else None
    world.base, world.versions, world.ended = base, Versions([kept] if kept else []), {}
    return world
