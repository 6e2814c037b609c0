"""Has this window drifted from every regime that the champion knows? One report per window; nothing is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.messages import AuditedPrediction
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.drift.calibration import calibrated
from autoretrain.ml.drift.corpus import Corpus, Ints, views_of
from autoretrain.ml.drift.labels import label_metrics
from autoretrain.ml.drift.metrics import METRICS, SPAM_SHARE, largest_value, metric_name
from autoretrain.ml.drift.patterns import new_spam_patterns
from autoretrain.ml.drift.reference import SMALLEST_VIEW
from autoretrain.ml.drift.references import GoldenHam, References, ReferenceSet, parse_references, rounded
from autoretrain.ml.drift.verdict import WindowVerdict, judge
from autoretrain.ml.linear import LinearModel


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """One window against one reference set."""

    reference: ReferenceSet
    metrics: tuple[MetricDrift, ...]
    verdict: WindowVerdict


class DriftDetector:
    """A champion's references, ready to compare windows with. Safe to share between threads: nothing changes."""

    def __init__(self, references: References, model: LinearModel) -> None:
        self._references, self._model = references, model

    @classmethod
    def load(cls, data: bytes, model: LinearModel) -> "DriftDetector":
        """From the bytes of `build_references`, made with the same `model`; raises `ArtefactRejected`."""
        return cls(parse_references(data, threshold=model.threshold), model)

    @property
    def golden_ham(self) -> GoldenHam:
        return self._references.golden_ham

    def evaluate(
        self,
        texts: Sequence[str],
        *,
        window_id: str,
        model_version: str,
        started_at: datetime,
        ended_at: datetime,
        scores: Sequence[float] | None = None,
        history: Sequence[DriftReport] = (),
        audited: Sequence[AuditedPrediction] = (),
    ) -> DriftReport:
        """The report of one window; the same arguments give the same report.

        `scores` are the model's own for `texts`, computed here when absent. `history` are earlier reports of
        consecutive windows, oldest first; those of another model version are ignored. `audited` are the audit labels
        that have matured, of this version, whether of this window or of one or two before it. Whether the window is
        large enough to act on is the caller's question: views of fewer than five messages are not measured, and an
        empty window scores 0.
        """
        kept = cap_per_cluster(cluster_ids(texts))
        known = rounded(self._model.scores(texts) if scores is None else scores)
        window = Corpus.of(
            [texts[index] for index in kept], [known[index] for index in kept], threshold=self._model.threshold
        )
        past = [report for report in history if report.model_version == model_version]
        labels = label_metrics(
            audited,
            scores=self._model.scores([row.text for row in audited]),
            reference=self._references.labelled,
        )
        comparisons = [_compare(window, reference, history=past, labels=labels) for reference in self._references.sets]
        best = min(comparisons, key=lambda comparison: comparison.verdict.score)
        return DriftReport(
            window_id=window_id,
            model_version=model_version,
            started_at=started_at,
            ended_at=ended_at,
            size=len(texts),
            score=best.verdict.score,
            metrics=best.metrics,
            regime=best.reference.name,
            prior_shift=best.verdict.prior_shift,
            accumulated=best.verdict.accumulated,
            new_spam_patterns=new_spam_patterns(window, best.reference),
        )


def _compare(
    window: Corpus, reference: ReferenceSet, *, history: Sequence[DriftReport], labels: Sequence[MetricDrift]
) -> _Comparison:
    views = views_of(window, level=reference.level)
    numbers = reference.numbers_of(window.terms)
    by_view = {
        view: _view_metrics(window, view, chosen, reference=reference, numbers=numbers)
        for view, chosen in views.items()
    }
    share = _share_metric(window, reference)
    found = judge(
        classes=[*by_view["spam"], *by_view["ham"], *labels],
        suspects=by_view["suspect"],
        whole=by_view["whole"],
        moved=max((metric.score for metric in share), default=0.0),
        history=[past for past in history if past.regime == reference.name],
    )
    return _Comparison(
        reference=reference,
        metrics=(*by_view["whole"], *share, *by_view["spam"], *by_view["ham"], *by_view["suspect"], *labels),
        verdict=found,
    )


def _view_metrics(
    window: Corpus, view: str, chosen: Ints, *, reference: ReferenceSet, numbers: Ints
) -> list[MetricDrift]:
    """A view larger than its floors were measured at is split evenly; parts are compared, and their values averaged."""
    floors = {metric: reference.floors.get(metric_name(metric, view)) for metric in METRICS}
    sizes = [floor.sizes[-1] for floor in floors.values() if floor is not None]
    if len(chosen) < SMALLEST_VIEW or not sizes:
        return []
    parts = -(-len(chosen) // min(sizes))
    against = reference.views[view]
    measured = [against.measure(window.select(chosen[part::parts]), numbers=numbers) for part in range(parts)]
    found = []
    for metric, floor in floors.items():
        if floor is not None:
            raw = float(np.mean([part[metric] for part in measured]))
            median, upper = floor.at(len(chosen) / parts)
            found.append(_metric(metric_name(metric, view), raw, median=median, upper=upper))
    return found


def _share_metric(window: Corpus, reference: ReferenceSet) -> list[MetricDrift]:
    floor = reference.floors.get(SPAM_SHARE)
    if floor is None or len(window) < SMALLEST_VIEW:
        return []
    median, upper = floor.at(len(window))
    raw = abs(float(window.spam.mean()) - reference.spam_share)
    return [_metric(SPAM_SHARE, raw, median=median, upper=upper)]


def _metric(name: str, raw: float, *, median: float, upper: float) -> MetricDrift:
    score = calibrated(raw, median=median, upper=upper, largest=largest_value(name))
    return MetricDrift(name=name, raw=raw, median=median, upper=upper, score=score)
