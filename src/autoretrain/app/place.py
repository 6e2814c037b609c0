"""Where is the model that a command speaks of, and what may be asked there? The port, and this machine's side of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.app.traffic import VersionTraffic, traffic_by_version
from autoretrain.domain.errors import ArtefactRejected, AutoRetrainError
from autoretrain.domain.observation import Performance
from autoretrain.domain.status import HistoryEntry, Status
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.performance import measure_performance

MOST_PREDICTIONS: Final = 10_000

Look = Callable[[], Status]


class Place(Protocol):
    """One model where it runs. Everything raises AutoRetrainError where it can't be read or asked."""

    @property
    def key(self) -> str:
        """`<namespace>.<name>`."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait between two looks."""

    def status(self) -> Status: ...

    def suspended(self) -> bool: ...

    def decisions(self, *, limit: int, after: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the newest `limit` records of the ledger, oldest first, each with its `sequence`.

        With `after` the first ones after that sequence.
        """

    def heads(self, *, limit: int) -> Sequence[tuple[int, HistoryEntry]]:
        """Return what the newest `limit` decisions were and why, each with its sequence, oldest first.

        A list of many needs no more, and a whole record is a hundred times as large.
        """

    def comparison(self) -> list[dict[str, Any]]:
        """Return a row a version, all with the same columns."""

    def request(self, *, suspend: bool | None = None, **changes: str) -> None:
        """Record a manual verb: fields of `Requests`, or the switch. The next pass acts on it, once."""

    def following(self, purpose: str) -> AbstractContextManager[Look]:
        """A way to look at the status again and again while something goes on."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """The document's model on this machine. Where no controller runs, following it makes the passes."""

    world: LocalWorld
    key: str
    pause_seconds: float = 0.5

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, *, name: str | None) -> Iterator["LocalPlace"]:
        """Open the document's model, which `name` has to be if it is given."""
        world = LocalWorld.open(settings, expect_serving=False)
        try:
            model = world.model()
            if name not in (None, model.name, model.key):
                raise AutoRetrainError(f"{world.document_path} describes {model.name}, not {name}")
            yield cls(world, model.key)
        finally:
            world.close()

    def status(self) -> Status:
        return self.world.state.read_status(self.key)

    def suspended(self) -> bool:
        return self.world.model().spec.suspend

    def decisions(self, *, limit: int, after: int | None = None) -> Sequence[Mapping[str, Any]]:
        return self.world.store.decisions(limit=limit, after=after)

    def heads(self, *, limit: int) -> Sequence[tuple[int, HistoryEntry]]:
        return self.world.store.decision_heads(limit=limit)

    def comparison(self) -> list[dict[str, Any]]:
        """Return traffic and audit quality of each version that answered within the window's age."""
        store, spec = self.world.store, self.world.model().spec
        since = utc_now() - timedelta(seconds=spec.monitoring.max_age_seconds)
        rows = []
        for entry in traffic_by_version(store.recent_predictions(version=None, since=since, limit=MOST_PREDICTIONS)):
            live = self._live(entry, since=since, window_labels=spec.triggers.performance.min_labels)
            overall = live.overall if live else None
            rows.append(
                {
                    "version": f"v{entry.version}",
                    "role": entry.role,
                    "messages": entry.messages,
                    "spam_share": entry.spam_share,
                    "disagreement": entry.disagreement,
                    "audit_labels": live.labels if live else None,
                    "accuracy": overall.accuracy.value if overall else None,
                    "f1": overall.f1.value if overall and overall.f1 else None,
                }
            )
        return rows

    def _live(self, entry: VersionTraffic, *, since: datetime, window_labels: int) -> Performance | None:
        """Measure an entry by the audit sample; None for a shadow whose artefact is gone, and its threshold with it."""
        store, version = self.world.store, entry.version
        if entry.role == "shadow":
            threshold = self._threshold(version)
            if threshold is None:
                return None
            audited, pending = store.audited_shadow(version=version, threshold=threshold, since=since)
        else:
            audited, pending = store.audited(version=version, since=since)
        return measure_performance(audited, model_version=version, pending=pending, window_labels=window_labels)

    def _threshold(self, version: str) -> float | None:
        artefact = self.world.store.artefact_by_version(version)
        try:
            return LinearModel.load(artefact.model).threshold if artefact else None
        except ArtefactRejected:
            return None

    def request(self, *, suspend: bool | None = None, **changes: str) -> None:
        self.world.state.request(self.key, suspend=suspend, **changes)

    @contextmanager
    def following(self, purpose: str) -> Iterator[Look]:
        state = self.world.state
        lock = None if state.controller_runs() else state.lock(purpose=purpose)

        def look() -> Status:
            if lock is not None:
                run_pass(self.world, utc_now())
            return self.status()

        try:
            yield look
        finally:
            if lock is not None:
                lock.release()
