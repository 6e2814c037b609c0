"""What of a training run is shown in MLflow? Its variants as nested runs with pictures, its result, its comparison."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from autoretrain.adapters import records
from autoretrain.adapters.pictures import draw_confusion_matrix, draw_precision_recall, draw_top_terms
from autoretrain.app.registry import RunLog
from autoretrain.app.training_rows import Champion, RunRows
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.training import PairedComparison, TrainingSummary
from autoretrain.ml.curves import CURVES_FILE, Curves, RunCurves, curves_of
from autoretrain.ml.training import TrainedModel, VariantResult

SPREADS = ("accuracy", "precision", "recall", "f1", "false_positive_rate", "pr_auc")


class TrainingLog:
    """Writes one run. Every nested run carries the hash of the data, so that it can be found by it."""

    def __init__(self, run: RunLog, *, data_hash: str) -> None:
        self._run, self._data_hash = run, data_hash

    def variants(self, trained: TrainedModel) -> None:
        for result in trained.variants:
            spreads = {name: getattr(result, name) for name in SPREADS}
            self._run.log_variant(
                result.name,
                parameters={"algorithm": result.algorithm, **result.parameters},
                metrics={
                    **{name: spread.mean for name, spread in spreads.items()},
                    **{f"{name}_sd": spread.sd for name, spread in spreads.items()},
                    "fit_seconds": result.fit_seconds,
                },
                files=self._pictures(trained, result),
                tags={"data_hash": self._data_hash, "chosen": str(result is trained.chosen).lower()},
            )

    def result(self, trained: TrainedModel, summary: TrainingSummary) -> None:
        compared = {"holdout": summary.holdout, "recent": summary.recent}
        metrics = metrics_of(summary.holdout_metrics)
        for name, comparison in compared.items():
            metrics |= _comparison_metrics(name, comparison)
        self._run.log(
            parameters={
                "algorithm": trained.chosen.algorithm,
                **trained.chosen.parameters,
                "profile": summary.profile,
                "champion_version": summary.champion_version or "",
                "champion_digest": summary.champion_digest or "",
                "digest": summary.digest,
            },
            metrics={**metrics, "training_rows": float(summary.training_rows)},
            files=self._pictures(trained, trained.chosen),
        )

    def curves(self, trained: TrainedModel, rows: RunRows, *, champion: Champion | None) -> None:
        """What the comparison would be at other thresholds, as a few KB of counts that the dashboard draws."""
        if not self._run.keeps_files:
            return
        found = RunCurves(
            holdout=_curves(trained, rows.holdout, champion=champion),
            recent=_curves(trained, rows.evaluation, champion=champion),
        )
        text = json.dumps(records.dump_record(found), separators=(",", ":"))
        self._run.log(files={CURVES_FILE: text.encode()})

    def _pictures(self, trained: TrainedModel, result: VariantResult) -> dict[str, bytes]:
        """From cross-validation, where every row was scored by a model that had not seen it."""
        if not self._run.keeps_files:
            return {}
        threshold = trained.model.threshold
        predictions = [Label.SPAM if score >= threshold else Label.HAM for score in result.scores]
        return {
            "confusion_matrix.png": draw_confusion_matrix(trained.labels, predictions, title=result.name),
            "precision_recall.png": draw_precision_recall(
                trained.labels, result.scores, predictions=predictions, title=result.name
            ),
            "top_terms.png": draw_top_terms(result.top_terms, title=result.name),
        }


def metrics_of(metrics: ClassificationMetrics) -> dict[str, float]:
    """The figures by name, without those that could not be measured."""
    return {name: float(value) for name, value in asdict(metrics).items() if value is not None}


def _curves(trained: TrainedModel, rows: Sequence[LabelledMessage], *, champion: Champion | None) -> Curves | None:
    texts = [row.text for row in rows]
    return curves_of(
        rows,
        (trained.model.scores(texts), trained.model.threshold),
        None if champion is None else (champion.model.scores(texts), champion.model.threshold),
    )


def _comparison_metrics(name: str, comparison: PairedComparison | None) -> Mapping[str, float]:
    if comparison is None:
        return {}
    figures = {key: float(value) for key, value in asdict(comparison).items() if isinstance(value, int | float)}
    for side in ("candidate", "champion"):
        figures |= {f"{side}_{key}": value for key, value in metrics_of(getattr(comparison, side)).items()}
    return {f"{name}_{key}": value for key, value in figures.items()}
