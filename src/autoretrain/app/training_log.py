"""What of a training run is shown in MLflow? Its variants as nested runs with pictures, its result, its comparison."""

from collections.abc import Mapping
from dataclasses import asdict

from autoretrain.adapters.pictures import draw_confusion_matrix, draw_precision_recall, draw_top_terms
from autoretrain.adapters.tracking_mlflow import TrainingRun
from autoretrain.domain.messages import Label
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.training import PairedComparison, TrainingSummary
from autoretrain.ml.training import TrainedModel, VariantResult

SPREADS = ("accuracy", "precision", "recall", "f1", "false_positive_rate", "pr_auc")


class TrainingLog:
    """Writes one run. Every nested run carries the hash of the data, so that it can be found by it."""

    def __init__(self, run: TrainingRun, *, data_hash: str) -> None:
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
                files=_pictures(trained, result),
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
            files=_pictures(trained, trained.chosen),
        )


def metrics_of(metrics: ClassificationMetrics) -> dict[str, float]:
    """The figures by name, without those that could not be measured."""
    return {name: float(value) for name, value in asdict(metrics).items() if value is not None}


def _comparison_metrics(name: str, comparison: PairedComparison | None) -> Mapping[str, float]:
    if comparison is None:
        return {}
    figures = {key: float(value) for key, value in asdict(comparison).items() if isinstance(value, int | float)}
    for side in ("candidate", "champion"):
        figures |= {f"{side}_{key}": value for key, value in metrics_of(getattr(comparison, side)).items()}
    return {f"{name}_{key}": value for key, value in figures.items()}


def _pictures(trained: TrainedModel, result: VariantResult) -> dict[str, bytes]:
    """From cross-validation, where every row was scored by a model that had not seen it."""
    threshold = trained.model.threshold
    predictions = [Label.SPAM if score >= threshold else Label.HAM for score in result.scores]
    return {
        "confusion_matrix.png": draw_confusion_matrix(trained.labels, predictions, title=result.name),
        "precision_recall.png": draw_precision_recall(
            trained.labels, result.scores, predictions=predictions, title=result.name
        ),
        "top_terms.png": draw_top_terms(result.top_terms, title=result.name),
    }
