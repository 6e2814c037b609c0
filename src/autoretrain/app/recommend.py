"""What does a model's own store tell of its past, as far as thresholds can be proposed from it?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from autoretrain.adapters.store import Store
from autoretrain.decide.chain import Kind, link_of
from autoretrain.decide.thresholds import Past, Span
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label
from autoretrain.domain.observation import LabelWindow
from autoretrain.domain.plan import Decision, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.ml.drift.references import parse_references
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.performance import measure_performance

MOST_WINDOWS: Final = 5000
PAGE: Final = 200
SIZES: Final = (250, 500, 1000)
FLOOR_METRIC: Final = "tfidf_drift"
HOUR: Final = timedelta(hours=1)

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that proposals rest on. Rates are of an hour, over the time that the windows cover.

    `floors` are the noise floors of FLOOR_METRIC by window size, as the champion measured them; empty where its
    references are somebody else's.
    """

    past: Past
    quiet_labels: tuple[LabelWindow, ...]
    other_labels: tuple[LabelWindow, ...]
    runs: tuple[datetime, ...]
    messages_per_hour: float
    labels_per_hour: float
    spam_labels_per_hour: float
    floors: Mapping[int, float]


def read_past(store: Store, *, min_labels: int) -> Known:
    """Read windows, decisions, audit labels and rates; page by page where there may be many."""
    windows = tuple(store.reports(version=None, limit=MOST_WINDOWS))
    runs = _Runs()
    for record in _decisions(store):
        runs.take(record)
    past = Past(windows=windows, drifts=tuple(runs.drifts), refuted=tuple(runs.refuted), doubtful=tuple(runs.doubtful))
    quiet, others = _label_windows(store, past, min_labels=min_labels)
    hours = _covered(windows) / HOUR
    labels = store.labels(predicted_since=windows[0].started_at) if windows else []
    spam = sum(row.label is Label.SPAM for row in labels)
    return Known(
        past=past,
        quiet_labels=tuple(quiet),
        other_labels=tuple(others),
        runs=tuple(runs.starts),
        messages_per_hour=sum(window.size for window in windows) / hours if hours else 0.0,
        labels_per_hour=len(labels) / hours if hours else 0.0,
        spam_labels_per_hour=spam / hours if hours else 0.0,
        floors=_noise_floors(store),
    )


@dataclass(slots=True)
class _Runs:
    """Follows runs through the ledger: when each began, since when traffic had changed, and what came of it."""

    starts: list[datetime] = field(default_factory=list)
    drifts: list[Span] = field(default_factory=list)
    refuted: list[Span] = field(default_factory=list)
    doubtful: list[Span] = field(default_factory=list)
    _changes: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _promoted: dict[str, Span] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        link, at = link_of(record), datetime.fromisoformat(record["at"])
        match link.kind:
            case Kind.START:
                self.starts.append(at)
                self._start(record, link.run)
            case Kind.VERDICT:
                self._judge(record, run=link.run, version=link.version, at=at)
            case Kind.ROLLBACK if link.version in self._promoted:
                # What was promoted for it did harm: whether the change was one is open again.
                span = self._promoted.pop(link.version)
                self.drifts.remove(span)
                self.doubtful.append(span)
        self._note_alarm(record, at=at)

    def _start(self, record: Record, run: str | None) -> None:
        started = next((action["run"] for action in record["plan"]["actions"] if "run" in action), None)
        champion = record["observation"]["status"]["champion"]
        if run and started and champion and started["changed_at"]:
            self._changes[run] = (champion["version"], datetime.fromisoformat(started["changed_at"]))

    def _judge(self, record: Record, *, run: str | None, version: str | None, at: datetime) -> None:
        if run not in self._changes:
            return
        champion, since = self._changes.pop(run)
        span = Span(version=champion, since=since, until=at)
        if record["decision"] == Decision.PROMOTE:
            self.drifts.append(span)
            if version is not None:
                self._promoted[version] = span
        elif record["reason"] == Reason.NO_GAIN:
            self.refuted.append(span)
        else:
            self.doubtful.append(span)

    def _note_alarm(self, record: Record, *, at: datetime) -> None:
        """Drift that asked for a run counts neither way until a run was judged."""
        found = record.get("plan", {}).get("findings", ())
        if not any(each["check"] == "drift" and each["verdict"] == Verdict.TRIGGERED for each in found):
            return
        seen = record["observation"]
        since = (seen["supply"] or {}).get("changed_at")
        champion = seen["status"]["champion"]
        if since and champion:
            self.doubtful.append(Span(version=champion["version"], since=datetime.fromisoformat(since), until=at))


def _decisions(store: Store) -> Iterator[Record]:
    after = 0
    while page := store.decisions(limit=PAGE, after=after):
        yield from page
        after = page[-1]["sequence"]


def _label_windows(store: Store, past: Past, *, min_labels: int) -> tuple[list[LabelWindow], list[LabelWindow]]:
    quiet: list[LabelWindow] = []
    others: list[LabelWindow] = []
    for version in dict.fromkeys(window.model_version for window in past.windows):
        audited, pending = store.audited(version=version, since=None)
        measured = measure_performance(audited, model_version=version, pending=pending, window_labels=min_labels)
        for window in measured.windows:
            (quiet if past.is_quiet(version, window.started_at) else others).append(window)
    return quiet, others


def _covered(windows: tuple[DriftReport, ...]) -> timedelta:
    return sum((window.ended_at - window.started_at for window in windows), timedelta())


def _noise_floors(store: Store) -> dict[int, float]:
    deployment = store.deployment()
    artefact = store.artefact(deployment.digest) if deployment else None
    if artefact is None:
        return {}
    try:
        threshold = LinearModel.load(artefact.model).threshold
        floor = parse_references(artefact.reference, threshold=threshold).sets[0].floors.get(FLOOR_METRIC)
    except ArtefactRejected:
        return {}
    return {size: floor.at(size)[1] for size in SIZES} if floor else {}
