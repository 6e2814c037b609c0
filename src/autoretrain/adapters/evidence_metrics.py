"""How does evidence travel through Prometheus? What the monitor measured becomes series; series become it again.

Both directions stand here, so that they can't disagree. Every series carries `spammodel` and `model_version`. No label
holds words of a message: what a window's new spam consists of stays behind. `autoretrain_evidence_series` says how many
series there are, so that an answer with a part missing is seen to be one.

What no decision and no status reads stays behind too, for a controller reads this of every model: of a metric its score
in the newest window travels, and of the label windows those that are looked at.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar, get_args, get_type_hints

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from autoretrain.decide.performance import DISJOINT_WINDOWS
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import GuardEvidence, LabelSupply, LabelWindow, Performance

T = TypeVar("T")

MAX_WINDOWS: Final = 10
"""More `consecutiveBreaches` than this the schema refuses."""
CALIBRATED_UPPER: Final = 0.15
TIME: Final = "autoretrain_evidence_timestamp_seconds"
SERIES: Final = "autoretrain_evidence_series"
DRIFT: Final = "autoretrain_evidence_drift"
PENDING: Final = "autoretrain_evidence_pending_messages"
LIVE: Final = "autoretrain_evidence_live"
SUPPLY: Final = "autoretrain_evidence_supply"
GUARD: Final = "autoretrain_evidence_guard"
FAMILIES: Final = {
    TIME: ("When this evidence was measured.", ()),
    SERIES: ("Series that belong to this evidence, this one too.", ()),
    DRIFT: (
        "The last windows, and the newest one's scores by `metric`, which is empty for figures of a window as a whole.",
        ("window_id", "regime", "metric", "quantity"),
    ),
    PENDING: ("Messages of the window that is not complete.", ()),
    LIVE: ("Quality by audit labels, of all labels and by disjoint windows.", ("window", "quantity")),
    SUPPLY: ("Labels that a run could learn from.", ("quantity",)),
    GUARD: ("What a fresh champion did since its promotion.", ("quantity",)),
}
"""Name -> what it shows, and its labels beside `spammodel` and `model_version`."""
WHOLE: Final = ""
OVERALL: Final = "overall"


class EvidenceProblem(AutoRetrainError):  # noqa: N818 - named for what it reports
    """The series can't be read as evidence; the message says why, and nothing may be concluded from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured of one version at `measured_at`; fields as in `Observation`. No champion: version ''."""

    model_version: str
    measured_at: datetime
    drift: tuple[DriftReport, ...] = ()
    pending_messages: int = 0
    performance: Performance | None = None
    supply: LabelSupply | None = None
    guard: GuardEvidence | None = None


class Sample(NamedTuple):
    """One series' value. `labels` may hold labels of the scrape besides ours."""

    name: str
    labels: Mapping[str, str]
    value: float


class EvidenceCollector(Collector):
    """Shows the evidence of one model at a time; a scrape sees all of one measurement or all of the next."""

    def __init__(self) -> None:
        self._samples: tuple[Sample, ...] = ()

    def show(self, key: str, evidence: Evidence) -> None:
        self._samples = render_evidence(key, evidence)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        samples = self._samples
        for name, (text, labels) in FAMILIES.items():
            names = ("spammodel", "model_version", *labels)
            family = GaugeMetricFamily(name, text, labels=names)
            for sample in samples:
                if sample.name == name:
                    family.add_metric([sample.labels[label] for label in names], sample.value)
            yield family


def render_evidence(key: str, evidence: Evidence) -> tuple[Sample, ...]:
    """Return the series of `evidence` about the model `<namespace>.<name>`."""
    base = {"spammodel": key, "model_version": version_label(evidence.model_version)}
    rows: list[tuple[str, dict[str, str], float]] = [
        (TIME, {}, evidence.measured_at.timestamp()),
        (PENDING, {}, float(evidence.pending_messages)),
    ]
    for report in evidence.drift[-MAX_WINDOWS:]:
        labels = {"window_id": report.window_id, "regime": report.regime}
        rows += [(DRIFT, {**labels, "metric": WHOLE, "quantity": name}, value) for name, value in _figures(report)]
        if report is evidence.drift[-1]:
            rows += [
                (DRIFT, {**labels, "metric": metric.name, "quantity": "score"}, metric.score)
                for metric in report.metrics
            ]
    if evidence.performance is not None:
        live = evidence.performance
        numbered = {str(number): window for number, window in enumerate(live.windows[-DISJOINT_WINDOWS:])}
        parts = {WHOLE: live, **({OVERALL: live.overall} if live.overall else {}), **numbered}
        rows += [
            (LIVE, {"window": window, "quantity": name}, value)
            for window, part in parts.items()
            for name, value in _figures(part)
            if not name.startswith(f"{OVERALL}_")
        ]
    for family, record in ((SUPPLY, evidence.supply), (GUARD, evidence.guard)):
        if record is not None:
            rows += [(family, {"quantity": name}, value) for name, value in _figures(record)]
    rows.append((SERIES, {}, float(len(rows) + 1)))
    return tuple(Sample(name, {**base, **labels}, value) for name, labels, value in rows)


def parse_evidence(samples: Iterable[Sample]) -> Evidence:
    """Return the evidence that the series of one model and one version hold.

    Raises EvidenceProblem where series are absent, double, incomplete or not numbers.
    """
    found = _by_own_labels(samples)
    if not found:
        raise EvidenceProblem("there are no series of this version")
    versions = {version for _, version, *_ in found}
    if len(versions) != 1:
        raise EvidenceProblem("series of several versions are mixed")
    version = versions.pop().removeprefix("v")
    figures: Figures = {(name, *labels): value for (name, _, *labels), value in found.items()}
    announced = _required(figures, (SERIES,))
    if announced < len(figures):
        figures = _without_passed_windows(figures, announced=announced)
    if announced != len(figures):
        raise EvidenceProblem(f"{len(figures)} of {announced:.0f} series are there")
    return Evidence(
        model_version=version,
        measured_at=_as_type(datetime, _required(figures, (TIME,)), name=TIME),
        drift=_parse_drift(figures, version=version),
        pending_messages=_as_type(int, _required(figures, (PENDING,)), name=PENDING),
        performance=_parse_performance(_group(figures, LIVE), version=version),
        supply=_optional(LabelSupply, _group(figures, SUPPLY)),
        guard=_optional(GuardEvidence, _group(figures, GUARD), model_version=version),
    )


def version_label(version: str) -> str:
    """Return a version as metric labels show it; '' for none."""
    return f"v{version}" if version else ""


Figures = Mapping[tuple[str, ...], float]
"""Values by name and our own labels, in the order of FAMILIES."""


def _by_own_labels(samples: Iterable[Sample]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for sample in samples:
        if sample.name not in FAMILIES:
            continue
        own = (sample.labels.get(label, "") for label in ("model_version", *FAMILIES[sample.name][1]))
        series = (sample.name, *own)
        if series in found:
            raise EvidenceProblem(f"{sample.name} is there more than once")
        if not math.isfinite(sample.value):
            raise EvidenceProblem(f"{sample.name} is not a number")
        found[series] = sample.value
    return found


def _group(figures: Figures, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (family, *rest), value in figures.items() if family == name for labels in [tuple(rest)]}


def _without_passed_windows(figures: Figures, *, announced: float) -> Figures:
    """Leave out windows that the monitor tells of no more, the oldest first, until as many series are there as it says.

    A Prometheus that was away when they passed never saw them end, and shows what it knew of them for minutes more.
    """

    def age(window: tuple[str, ...]) -> tuple[float, float, str]:
        start, end = (figures.get((DRIFT, *window, WHOLE, name), -math.inf) for name in ("started_at", "ended_at"))
        return start, end, window[0]

    windows = sorted({labels[1:3] for labels in figures if labels[0] == DRIFT}, key=age)
    # Only the newest window's scores by metric are published.
    kept = {
        labels: value
        for labels, value in figures.items()
        if labels[0] != DRIFT or labels[3] == WHOLE or labels[1:3] == windows[-1]
    }
    for window in windows:
        if len(kept) <= announced:
            break
        kept = {labels: value for labels, value in kept.items() if labels[0] != DRIFT or labels[1:3] != window}
    return kept


def _parse_drift(figures: Figures, *, version: str) -> tuple[DriftReport, ...]:
    windows: dict[tuple[str, str], dict[str, dict[tuple[str, ...], float]]] = {}
    for (window_id, regime, metric, quantity), value in _group(figures, DRIFT).items():
        windows.setdefault((window_id, regime), {}).setdefault(metric, {})[(quantity,)] = value
    reports = [
        _build(
            DriftReport,
            parts.get(WHOLE, {}),
            window_id=window_id,
            regime=regime,
            model_version=version,
            metrics=tuple(_calibrated(name, parts[name]) for name in sorted(parts) if name != WHOLE),
            new_spam_patterns=(),
        )
        for (window_id, regime), parts in windows.items()
    ]
    return tuple(sorted(reports, key=lambda report: (report.started_at, report.ended_at, report.window_id)))


def _calibrated(name: str, figures: Figures) -> MetricDrift:
    """Return the metric in the unit of its score: without drift its median is 0 there, and its upper quantile 0.15."""
    score = _required(figures, ("score",))
    return MetricDrift(name=name, raw=score, median=0.0, upper=CALIBRATED_UPPER, score=score)


def _parse_performance(figures: Figures, *, version: str) -> Performance | None:
    windows: dict[str, dict[tuple[str, ...], float]] = {}
    for (window, quantity), value in figures.items():
        windows.setdefault(window, {})[(quantity,)] = value
    if not windows:
        return None
    whole, overall = windows.pop(WHOLE, {}), windows.pop(OVERALL, None)
    numbers = [str(number) for number in range(len(windows))]
    if set(numbers) != set(windows):
        raise EvidenceProblem(f"{LIVE} has windows that nobody publishes")
    return _build(
        Performance,
        whole,
        model_version=version,
        overall=_build(LabelWindow, overall) if overall is not None else None,
        windows=tuple(_build(LabelWindow, windows[number]) for number in numbers),
    )


def _required(figures: Figures, labels: tuple[str, ...]) -> float:
    if labels not in figures:
        raise EvidenceProblem(f"{' '.join(label for label in labels if label)} is missing")
    return figures[labels]


def _optional(record_type: Callable[..., T], figures: Figures, **given: Any) -> T | None:
    return _build(record_type, figures, **given) if figures else None


# Records as figures: numbers, truths and times by the names of their fields; an estimate is three of them.


def _figures(record: Any, *, prefix: str = "") -> Iterator[tuple[str, float]]:
    for field in dataclasses.fields(record):
        name, value = f"{prefix}{field.name}", getattr(record, field.name)
        if isinstance(value, datetime):
            yield name, value.timestamp()
        elif isinstance(value, Estimate | LabelWindow):
            yield from _figures(value, prefix=f"{name}_")
        elif isinstance(value, int | float):
            yield name, float(value)


def _build(record_type: Callable[..., T], figures: Figures, *, prefix: str = "", **given: Any) -> T:
    """Return the record of `figures` and of what is `given`. Raises EvidenceProblem where a field has no figure."""
    values = dict(given)
    for name, (kind, optional) in _fields(record_type).items():
        if name in given:
            continue
        figure = f"{prefix}{name}"
        if kind in (Estimate, LabelWindow):
            inside = any((f"{figure}_{inner}",) in figures for inner in _fields(kind))
            values[name] = _build(kind, figures, prefix=f"{figure}_") if inside or not optional else None
        elif (figure,) in figures:
            values[name] = _as_type(kind, figures[(figure,)], name=figure)
        elif optional:
            values[name] = None
        else:
            raise EvidenceProblem(f"{figure} is missing")
    return record_type(**values)


@cache
def _fields(record_type: Any) -> dict[str, tuple[Any, bool]]:
    """Return the kind of each field, and whether it may be None."""
    fields = {}
    for name, hint in get_type_hints(record_type).items():
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
        fields[name] = kinds[0], NoneType in get_args(hint)
    return fields


def _as_type(kind: Any, value: float, *, name: str) -> Any:
    try:
        if kind is datetime:
            return datetime.fromtimestamp(value, UTC)
        if kind in (int, bool):
            if not value.is_integer():
                raise ValueError
            return kind(value)
    except (ValueError, OverflowError, OSError):
        raise EvidenceProblem(f"{name} has a value that it can't have") from None
    return value
