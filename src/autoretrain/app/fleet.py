"""Which models can be looked at from here, and which of their parts? The port, and this machine's side of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.evidence import live_performance
from autoretrain.app.local import LocalWorld
from autoretrain.app.place import LocalPlace, Place
from autoretrain.app.trainer import RunDirectory
from autoretrain.domain.observation import Performance
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status

LOG_BYTES: Final = 4000
STATUS_UNREADABLE: Final = "StatusUnreadable"
"""The reason of the one condition of a status that another release wrote in a shape of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One model at one moment: what is asked of it, and what came of that."""

    model: SpamModel
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One model, and the parts of it that can be reached from here.

    `store` is None where the store of its namespace was not given to this process: messages, windows and labels are
    then out of reach, while status and decisions are not. `problem` says what is the matter with one that was given and
    can't be used. `runs` is the directory of this machine's training runs.
    """

    key: str
    place: Place
    store: Store | None
    registry: MlflowRegistry
    problem: str = ""
    runs: Path | None = None

    def performance(self, seen: Seen, *, now: datetime) -> Performance | None:
        """Return live figures with their intervals; None without a champion, a store or labels."""
        if self.store is None:
            return None
        return live_performance(self.store, seen.status.champion, spec=seen.model.spec, now=now)

    def log_of(self, run_name: str) -> str:
        """Return the end of what a run of this machine has printed so far; empty where there is nothing."""
        if self.runs is None:
            return ""
        try:
            with RunDirectory(self.runs / run_name).log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES))
                written = log.read(LOG_BYTES)  # no more, though the run writes on meanwhile
        except OSError:
            return ""
        return written.decode("utf-8", errors="replace")


class Fleet(Protocol):
    """The models that can be looked at. Everything raises AutoRetrainError where it can't be read."""

    def look(self) -> dict[str, Seen]:
        """Return every model as it is now or was moments ago, by `<namespace>.<name>`."""

    @property
    def cut(self) -> str:
        """Why the last look did not see all models; '' where it did."""

    def reach(self, key: str) -> Reach:
        """Return the way to one model. Raises AutoRetrainError where there is none of that name."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LocalFleet:
    """The one model of this machine's document."""

    world: LocalWorld
    cut: str = ""

    @classmethod
    def open(cls, settings: Settings) -> "LocalFleet":
        return cls(LocalWorld.open(settings, expect_serving=False))

    def look(self) -> dict[str, Seen]:
        model = self.world.model()
        return {model.key: Seen(model=model, status=self.world.state.read_status(model.key))}

    def reach(self, key: str) -> Reach:
        place, runs = LocalPlace(self.world, key), self.world.state.runs(key)
        return Reach(key=key, place=place, store=self.world.store, registry=self.world.registry(), runs=runs)

    def close(self) -> None:
        self.world.close()


def namespaces_of(setting: str) -> Sequence[str]:
    """Return the namespaces that a setting such as `spam, market` names; `*` stands for all of them."""
    return tuple(name for name in (part.strip() for part in setting.split(",")) if name)
