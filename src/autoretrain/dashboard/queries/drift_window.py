"""What is behind one window: its metrics, its terms then and now, its scores; and what other sizes would say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoretrain.adapters.store import Store
from autoretrain.dashboard.drawing import clock_time
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.training import SCORE_BINS
from autoretrain.ml.clusters import cap_per_cluster, cluster_ids
from autoretrain.ml.drift.corpus import Corpus
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.patterns import count_terms
from autoretrain.ml.drift.references import References, ReferenceSet, parse_references
from autoretrain.ml.guarding import score_histogram
from autoretrain.ml.linear import LinearModel

SIZES = (50, 100, 250, 500, 1000)

_METRICS = {
    "vocabulary_drift": "words never seen",
    "tfidf_drift": "mix of words",
    "score_drift": "doubtful scores",
    "term_drift": "words grown frequent",
    "spam_share": "share of spam",
    "label_errors": "errors that labels show",
}
_VIEWS = {"spam": "in predicted spam", "ham": "in predicted ham", "suspect": "in spam and the ham nearest to it"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a version was made to recognise, and the version itself."""

    references: References
    model: LinearModel

    def of(self, report: DriftReport) -> ReferenceSet | None:
        """The set that fitted `report` best."""
        return next((item for item in self.references.sets if item.name == report.regime), None)


def read_reference(store: Store, version: str) -> Reference | None:
    """Return what `version` compares windows with; None where its artefact is no longer kept. Takes 0.3 s.

    Raises ArtefactRejected.
    """
    artefact = store.artefact_by_version(version)
    if artefact is None:
        return None
    model = LinearModel.load(artefact.model)
    return Reference(references=parse_references(artefact.reference, threshold=model.threshold), model=model)


def metric_words(name: str) -> str:
    """
    >>> metric_words("tfidf_drift"), metric_words("term_drift_ham")
    ('mix of words', 'words grown frequent, in predicted ham')
    """
    if name in _METRICS:
        return _METRICS[name]
    metric, _, view = name.rpartition("_")
    return f"{_METRICS[metric]}, {_VIEWS[view]}" if metric in _METRICS and view in _VIEWS else name


def measured_rows(report: DriftReport) -> list[dict[str, Any]]:
    """Every metric of one window, highest score first."""
    return [
        {
            "what moved": metric_words(metric.name),
            "score": metric.score,
            "value": metric.raw,
            "usual": metric.median,
            "noise floor": metric.upper,
            "is": "above" if metric.raw > metric.upper else "noise",
            "metric": metric.name,
        }
        for metric in sorted(report.metrics, key=lambda metric: -metric.score)
    ]


def term_rows(store: Store, report: DriftReport, reference: Reference) -> list[dict[str, Any]]:
    """The terms that drive a window, then and now; none where its messages or its reference set are gone.

    Copies are capped on both sides, as they are where drift is measured.
    """
    before = reference.of(report)
    messages = store.window_messages(report.window_id) if before and report.new_spam_patterns else []
    if before is None or not messages:
        return []
    kept = cap_per_cluster(cluster_ids([message.text for message in messages]))
    window = Corpus.of(
        [messages[index].text for index in kept],
        [messages[index].score for index in kept],
        threshold=reference.model.threshold,
    )
    now_of, then_of = len(window), len(before.texts)
    return [
        {
            "term": count.term,
            f"now, of {now_of}": count.now,
            f"then, of {then_of}": count.then,
            "times as often": count.now / now_of / (count.then / then_of) if count.then else None,
            "called spam now": count.flagged,
        }
        for count in count_terms(report.new_spam_patterns, window=window, reference=before)
    ]


def distribution_rows(scores: Sequence[int], before: ReferenceSet | None) -> list[dict[str, Any]]:
    """The share of messages in each tenth of the spam score: the window's, and the reference's where it is kept."""
    sides = {"this window": [count / sum(scores) for count in scores]}
    if before is not None:
        sides["reference"] = list(score_histogram(before.scores))
    return [
        {"spam score": f"{number / SCORE_BINS:.1f} to {(number + 1) / SCORE_BINS:.1f}", "share": share, "of": side}
        for side, shares in sides.items()
        for number, share in enumerate(shares)
    ]


def size_rows(store: Store, version: str, reference: Reference) -> list[dict[str, Any]]:
    """The newest messages of `version` as a window of each size that there are enough of; nothing is recorded."""
    recent = store.recent_predictions(version=version, since=None, limit=SIZES[-1])
    messages = [message for message in recent if message.role == "champion"]
    detector = DriftDetector(reference.references, reference.model)
    rows = []
    for size in (size for size in SIZES if size <= len(messages)):
        newest = messages[-size:]
        report = detector.evaluate(
            [message.text for message in newest],
            window_id=f"newest {size}",
            model_version=version,
            started_at=newest[0].at,
            ended_at=newest[-1].at,
            scores=[message.score for message in newest],
        )
        highest = max(report.metrics, key=lambda metric: metric.score, default=None)
        rows.append(
            {
                "newest messages": size,
                "score": report.score,
                "highest": metric_words(highest.name) if highest else "nothing measured",
                "since (UTC)": clock_time(newest[0].at),
                "terms": ", ".join(report.new_spam_patterns),
            }
        )
    return rows
