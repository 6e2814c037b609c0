"""Which models can be looked at from here, and which of their parts? The port, and this machine's side of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.evidence import live_performance
from autoretrain.app.local import LocalWorld
from autoretrain.app.place import LocalPlace, Place
from autoretrain.domain.observation import Performance
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One model at one moment: what is asked of it, and what came of that."""

    model: SpamModel
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One model, and the parts of it that can be reached from here.

    `store` is None where the store of its namespace was not given to this process: messages, windows and labels are
    then out of reach, while status and decisions are not.
    """

    key: str
    place: Place
    store: Store | None
    registry: MlflowRegistry

    def performance(self, seen: Seen, *, now: datetime) -> Performance | None:
        """Return live figures with their intervals; None without a champion, a store or labels."""
        if self.store is None:
            return None
        return live_performance(self.store, seen.status.champion, spec=seen.model.spec, now=now)


class Fleet(Protocol):
    """The models that can be looked at. Everything raises AutoRetrainError where it can't be read."""

    def look(self) -> dict[str, Seen]:
        """Return every model as it is now, by `<namespace>.<name>`."""

    def reach(self, key: str) -> Reach:
        """Return the way to one model. Raises AutoRetrainError where there is none of that name."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LocalFleet:
    """The one model of this machine's document."""

    world: LocalWorld

    @classmethod
    def open(cls, settings: Settings) -> "LocalFleet":
        return cls(LocalWorld.open(settings, expect_serving=False))

    def look(self) -> dict[str, Seen]:
        model = self.world.model()
        return {model.key: Seen(model=model, status=self.world.state.read_status(model.key))}

    def reach(self, key: str) -> Reach:
        place = LocalPlace(self.world, key)
        return Reach(key=key, place=place, store=self.world.store, registry=self.world.registry())

    def close(self) -> None:
        self.world.close()


def namespaces_of(setting: str) -> Sequence[str]:
    """Return the namespaces that a setting such as `spam, market` names; `*` stands for all of them."""
    return tuple(name for name in (part.strip() for part in setting.split(",")) if name)
