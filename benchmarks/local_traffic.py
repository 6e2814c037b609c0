"""How do benchmarks put messages through a real store, scored by a real model, with labels, in simulated time?

The place is `LocalWorld`, as on one machine: document, state directory, SQLite. Only HTTP is left out: nobody serves,
so that what is deployed is what is served, and the served model is asked in this process.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from benchmark_document import document_of

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.evidence import EvidenceReader
from autoretrain.app.local import LocalWorld
from autoretrain.app.replay_traffic import Incoming, Truth, deliver
from autoretrain.app.replay_traffic import answer as answer_messages
from autoretrain.app.replay_world import ServedHere
from autoretrain.domain.messages import Label, LabelledMessage, Prediction
from autoretrain.ml.linear import LinearModel

CLOSED_PORT = 1  # nobody listens there, and nobody without privileges can


def write_document(directory: Path, spec: dict[str, Any]) -> None:
    (directory / "model.yaml").write_text(yaml.safe_dump(document_of(spec)), encoding="utf-8")


def open_world(directory: Path, *, mlflow: str = "sqlite:///not-used.db") -> LocalWorld:
    """The world of the document in `directory`; its state and its store are there, too."""
    settings = Settings(
        spec=directory / "model.yaml",
        state_dir=directory,
        store_url=f"sqlite:///{(directory / 'store.db').as_posix()}",
        serving_port=CLOSED_PORT,
        AUTORETRAIN_MLFLOW_TRACKING_URI=mlflow,
    )
    world = LocalWorld.open(settings, expect_serving=False)
    world.evidence = EvidenceReader(world.store, ServedHere(world.store))
    return world


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
    """Let the served version answer `rows`, evenly in time. Ids are `name` and a number."""
    incoming = [
        Incoming(prediction_id=f"{name}-{number}", text=row.text, at=start + number * apart)
        for number, row in enumerate(rows)
    ]
    return answer_messages(store, incoming, served=served, audit_rate=audit_rate, seed=seed)


def label(
    store: Store,
    answered: Sequence[tuple[Prediction, Label]],
    *,
    received_at: datetime,
    reported: Sequence[bool],
) -> None:
    """Let the labels arrive: of every message in the audit sample, and of those that users have reported."""
    truths = [
        Truth(
            prediction_id=prediction.prediction_id,
            label=true,
            audited=prediction.audit_probability is not None,
            reported=report,
            number=number,
        )
        for number, ((prediction, true), report) in enumerate(zip(answered, reported, strict=True))
    ]
    deliver(store, truths, received_at=received_at)
