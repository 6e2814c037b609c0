"""What does a pass ask of the registry, and when? What a decision needs, in bounded time, and aliases now and then.

Nothing of a registered model that belongs to somebody else is handed on, so nothing is decided on it.
"""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status
from autoretrain.domain.training import RunObservation, RunState, TrainingSummary
from controller.cache import Key

REGISTRY_SECONDS: Final = 15.0
NO_REGISTRY: Final = f"the registry does not answer within {REGISTRY_SECONDS:.0f} s"
ALIASES_EVERY: Final = timedelta(hours=1)
"""Aliases that were moved by hand are put right after so long at most. A decision never waits for that."""

T = TypeVar("T")
Registered = tuple[tuple[RegistryVersion, ...] | None, str | None, str]
"""Versions, None where they were not asked for or could not be read; the foreign owner; what went wrong."""


class Registry(Protocol):
    """The registered versions of one model. Calls block, and raise AutoRetrainError where there is no answer."""

    def versions(self) -> tuple[RegistryVersion, ...]: ...
    def find_run(self, run_name: str) -> TrainingSummary | None: ...
    def set_aliases(self, *, champion: str | None, candidate: str | None, previous: str | None) -> None: ...
    def owner(self) -> str | None: ...
    def claim(self, owner: str) -> None: ...


@dataclass(slots=True)
class RegistryReader:
    cluster_id: str = ""
    _aliases_due: dict[Key, datetime] = field(default_factory=dict)

    def owner_name(self, model: SpamModel) -> str:
        """Return who we are to a registry that others share. A resource that was re-created is the same owner."""
        return f"{self.cluster_id}/{model.namespace}/{model.name}"

    async def registered(
        self, model: SpamModel, status: Status, registry: Registry, *, adopts: bool, now: datetime
    ) -> Registered:
        """Ask where a decision needs it (nothing served yet, a pin, a version named by hand) or aliases are due."""
        if _is_needed(model, status):
            return await self._read(model, registry, adopts=adopts)
        if not self._are_aliases_due((model.namespace, model.name), now):
            return None, "", ""
        # Nothing depends on this answer, so that one that does not come is not worth a word.
        versions, _, _ = await self._read(model, registry, adopts=adopts)
        return versions, "", ""

    async def foreign_owner(self, model: SpamModel, registry: Registry, *, adopts: bool) -> tuple[str | None, str]:
        """Return who the registered model belongs to where that is somebody else, '' elsewhere; None: and why not."""
        try:
            owner = await _ask(registry.owner)
        except AutoRetrainError as error:
            return None, str(error)
        ours = adopts or owner in (None, self.owner_name(model))
        return "" if ours else owner, ""

    def forget(self, key: Key) -> None:
        self._aliases_due.pop(key, None)

    async def _read(self, model: SpamModel, registry: Registry, *, adopts: bool) -> Registered:
        foreign, unread = await self.foreign_owner(model, registry, adopts=adopts)
        if foreign != "":
            return None, foreign, unread
        try:
            return await _ask(registry.versions), "", ""
        except AutoRetrainError as error:
            return None, "", str(error)

    def _are_aliases_due(self, key: Key, now: datetime) -> bool:
        """Once in ALIASES_EVERY, and the models of one start not all at the same time."""
        due = self._aliases_due.get(key)
        if due is None:
            spread = zlib.crc32("/".join(key).encode()) % 1000 / 1000
            self._aliases_due[key] = now + ALIASES_EVERY * spread
        elif now >= due:
            self._aliases_due[key] = now + ALIASES_EVERY
            return True
        return False


async def read_digest(registry: Registry, version: str) -> str:
    """Return the digest of `version`, '' where that is not known."""
    try:
        versions = await _ask(registry.versions)
    except AutoRetrainError:
        return ""
    return next((entry.digest for entry in versions if entry.version == version), "")


async def read_run(name: str, registry: Registry, *, without_job: bool) -> RunObservation | None:
    """Return what a run reported whose Job or Pod is gone. While the registry can't tell, the run is not over."""
    try:
        summary = await _ask(lambda: registry.find_run(name))
    except AutoRetrainError as error:
        message = f"its Pod is gone, and its summary can't be had: {error}"
        return RunObservation(run_name=name, state=RunState.RUNNING, message=message)
    if summary is None and without_job:
        return None
    return RunObservation(run_name=name, state=RunState.SUCCEEDED, summary=summary)


def _is_needed(model: SpamModel, status: Status) -> bool:
    requests, pinned = model.requests, model.spec.serving.pinned_version
    if requests.promote_version and (requests.promote_token or requests.promote_version) != status.handled.promote:
        return True
    wanted = status.rollout.to if status.rollout else status.champion
    return wanted is None or (bool(pinned) and wanted.version != pinned)


async def _ask(call: Callable[[], T]) -> T:
    """Make a call that blocks. Raises AutoRetrainError, also where it takes too long."""
    try:
        async with asyncio.timeout(REGISTRY_SECONDS):
            return await asyncio.to_thread(call)
    except TimeoutError:
        raise AutoRetrainError(NO_REGISTRY) from None
