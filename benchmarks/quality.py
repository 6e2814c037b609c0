"""How good are the two profiles on the UCI SMS Spam Collection? Held out by seed, one copy of each message.

The default search chooses on the training part alone, by cross-validation; the held-out part is looked at once. The
bounds are those of the means over the seeds.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from benchmark_document import DEFAULT_SEARCH
from real_messages import data_dir, distinct, read_uci
from sklearn.model_selection import train_test_split

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.training import TrainedModel, search
from autoretrain.ml.variants import Algorithm, Preprocessing, Profile

BOUNDS = {
    Profile.WORD: ("F1 >= 0.93", 0.0, 0.93),
    Profile.WORD_AND_CHARACTER: ("accuracy >= 0.990, F1 >= 0.960", 0.99, 0.96),
}


def measure(
    rows: list[LabelledMessage], spec: TrainingSpec, *, seed: int
) -> tuple[ClassificationMetrics, TrainedModel]:
    labels = [row.label for row in rows]
    train, test = train_test_split(rows, test_size=0.2, random_state=seed, stratify=labels)
    trained = search(train, replace(spec, seed=seed), holdout_share=0.0)
    scores = trained.model.scores([row.text for row in test])
    predictions = [trained.model.label_of(score)[0] for score in scores]
    return evaluate([row.label for row in test], predictions, scores=scores), trained


def row_of(name: str, metrics: list[ClassificationMetrics], *, seconds: Iterable[float]) -> str:
    accuracies, f1s = [m.accuracy for m in metrics], [m.f1 for m in metrics]
    spread = stdev if len(metrics) > 1 else lambda values: 0.0
    return (
        f"{name:34s} {fmean(accuracies):.4f} ±{spread(accuracies):.4f}  {fmean(f1s):.4f} ±{spread(f1s):.4f} "
        f"{min(f1s):.4f}  {fmean(m.precision for m in metrics):.3f}/{fmean(m.recall for m in metrics):.3f} "
        f"{fmean(m.false_positive_rate for m in metrics):.4f}  {fmean(m.pr_auc or 0.0 for m in metrics):.4f} "
        f"{fmean(m.brier or 0.0 for m in metrics):.4f} {fmean(m.calibration_error or 0.0 for m in metrics):.4f}"
        f"  {fmean(seconds):6.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_dir() / "SMSSpamCollection")
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0 to this number less one")
    parser.add_argument("--profile", type=Profile, choices=list(Profile), action="append")
    parser.add_argument("--each", action="store_true", help="each algorithm and preprocessing by itself as well")
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; --data names the UCI file, scripts/download_data.py fetches it")
    rows = distinct(read_uci(options.data))
    spam = sum(row.label is Label.SPAM for row in rows)
    print(f"{len(rows)} distinct messages, {spam} spam; 20 % held out, stratified, seeds 0-{options.seeds - 1}")
    print(f"{'':34s} {'accuracy':15s} {'F1':15s} {'min':7s} {'P / R':11s} {'FPR':6s}  PR AUC Brier  ECE     search s")
    met = True
    for profile in options.profile or Profile:
        spec = replace(DEFAULT_SEARCH, profile=profile)
        bound, accuracy, f1 = BOUNDS[profile]
        chosen, metrics = report(rows, spec, name=f"{profile}: search", seeds=options.seeds)
        met = met and fmean(m.accuracy for m in metrics) >= accuracy and fmean(m.f1 for m in metrics) >= f1
        print(f"  bound {bound}; chosen: {', '.join(chosen)}")
        if options.each:
            for algorithm in Algorithm:
                for preprocessing in Preprocessing:
                    only = AlgorithmSpec(name=algorithm, parameters={"preprocessing": preprocessing})
                    name = f"  {algorithm} {preprocessing}"
                    report(rows, replace(spec, algorithms=(only,)), name=name, seeds=options.seeds)
    return 0 if met else 1


def report(
    rows: list[LabelledMessage], spec: TrainingSpec, *, name: str, seeds: int
) -> tuple[list[str], list[ClassificationMetrics]]:
    metrics, seconds, chosen = [], [], []
    for seed in range(seeds):
        started = time.perf_counter()
        figures, trained = measure(rows, spec, seed=seed)
        seconds.append(time.perf_counter() - started)
        metrics.append(figures)
        chosen.append(trained.chosen.name)
    print(row_of(name, metrics, seconds=seconds), flush=True)
    return sorted(set(chosen)), metrics


if __name__ == "__main__":
    raise SystemExit(main())
