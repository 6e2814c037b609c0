"""How do benchmarks put messages through a real store, scored by a real model, with labels, in simulated time?

The place is `LocalWorld`, as on one machine: document, state directory, SQLite. Only HTTP is left out: nobody serves,
so that what is deployed is what is served, and the served model is asked in this process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from benchmark_document import document_of

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.evidence import EvidenceReader
from autoretrain.app.local import LocalWorld
from autoretrain.app.serving_client import LiveFigures
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage, NewLabel, Prediction
from autoretrain.ml.audit import draw_for_audit
from autoretrain.ml.linear import LinearModel

CLOSED_PORT = 1  # nobody listens there, and nobody without privileges can
REPORTERS = 10

World = TypeVar("World", bound=LocalWorld)


def write_document(directory: Path, spec: dict[str, Any]) -> None:
    (directory / "model.yaml").write_text(yaml.safe_dump(document_of(spec)), encoding="utf-8")


def open_world(directory: Path, *, kind: type[World], mlflow: str = "sqlite:///not-used.db") -> World:
    """The world of the document in `directory`; its state and its store are there, too."""
    settings = Settings(
        spec=directory / "model.yaml",
        state_dir=directory,
        store_url=f"sqlite:///{(directory / 'store.db').as_posix()}",
        serving_port=CLOSED_PORT,
        AUTORETRAIN_MLFLOW_TRACKING_URI=mlflow,
    )
    world = kind.open(settings, expect_serving=False)
    world.evidence = EvidenceReader(world.store, ServedHere(world.store))
    return world


@dataclass(slots=True)
class ServedHere:
    """What `EvidenceReader` asks of a server, answered by the deployed model in this process. Nothing fails or is slow
    here, so there are no figures of that."""

    store: Store

    def labels_of(self, messages: Sequence[str]) -> list[Label] | None:
        deployed = deployed_model(self.store)
        return [deployed[1].predict(message)[0] for message in messages] if deployed else None

    def figures(self) -> dict[str, LiveFigures]:
        return {}


def deployed_model(store: Store) -> tuple[str, LinearModel] | None:
    """Version and model of what is to be served."""
    deployment = store.deployment()
    artefact = store.artefact(deployment.digest) if deployment else None
    return (deployment.version, LinearModel.load(artefact.model)) if deployment and artefact else None


def answer(
    store: Store,
    rows: Sequence[LabelledMessage],
    *,
    served: tuple[str, LinearModel],
    start: datetime,
    apart: timedelta,
    audit_rate: float,
    name: str,
    seed: int,
) -> list[Prediction]:
    """Score `rows`, draw the audit sample as serving does, and keep the predictions. Ids are `name` and a number."""
    version, model = served
    predictions = []
    for number, row in enumerate(rows):
        score = model.score(row.text)
        label, confidence = model.label_of(score)
        key = f"{name}-{number}"
        predictions.append(
            Prediction(
                prediction_id=key,
                text=row.text,
                label=label,
                score=score,
                model_version=version,
                at=start + number * apart,
                audit_probability=draw_for_audit(key, label, confidence=confidence, rate=audit_rate, seed=seed),
            )
        )
    store.add_predictions(predictions)
    return predictions


def label(
    store: Store,
    answered: Sequence[tuple[Prediction, Label]],
    *,
    received_at: datetime,
    reported: Sequence[bool],
) -> None:
    """Let the labels arrive: of every message in the audit sample, and of those that users have reported."""
    labels = []
    for number, ((prediction, true), report) in enumerate(zip(answered, reported, strict=True)):
        kinds = [(LabelKind.AUDIT, "audit")] if prediction.audit_probability is not None else []
        kinds += [(LabelKind.REPORT, f"reporter-{number % REPORTERS}")] if report else []
        labels += [
            NewLabel(
                label=true,
                kind=kind,
                source=source,
                trusted=True,
                received_at=received_at,
                prediction_id=prediction.prediction_id,
            )
            for kind, source in kinds
        ]
    store.add_labels(labels)
