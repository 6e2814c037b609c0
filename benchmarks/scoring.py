"""What does one score cost, against the scikit-learn pipeline of the same model? And loading, memory and the search.

Both score the same held-out messages in turn, in one process and on one core, so the ratio is what to look at. Every
message is timed by itself; the figure of a message is its median over the repetitions, and p50 and p99 are over the
messages. "cold" is the first repetition, where no piece of a message was seen before. Searches and loading are judged
by processor time, which other work on the machine moves less.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from benchmark_document import DEFAULT_SEARCH
from real_messages import data_dir, read_uci
from scipy.special import expit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from stock_features import stock_features

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.spec import AlgorithmSpec
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import TrainedModel, search
from autoretrain.ml.variants import Profile

MICROSECONDS = {Profile.WORD: 60.0, Profile.WORD_AND_CHARACTER: 250.0}
SEARCH_SECONDS = {Profile.WORD: 5.0, Profile.WORD_AND_CHARACTER: 20.0}
LOAD_MILLISECONDS = 35.0
AGREEMENT = 1e-9

LOADING = """
import statistics, sys, time
import psutil
from autoretrain.ml.linear import LinearModel
data, seconds = open(sys.argv[1], "rb").read(), []
before = psutil.Process().memory_info().rss
for _ in range(int(sys.argv[2])):
    model = None  # or freeing the one before would be counted as loading
    started = time.process_time()
    model = LinearModel.load(data)
    seconds.append(time.process_time() - started)
    if len(seconds) == 1:
        grown = psutil.Process().memory_info().rss - before
print(seconds[0] * 1e3, statistics.median(seconds) * 1e3, grown / 2**20)
"""


def stock_pipeline(trained: TrainedModel, rows: list[LabelledMessage], *, profile: Profile) -> Pipeline:
    """Scikit-learn's own vectorisers and classifier, fitted on the raw texts of the same rows."""
    spam = np.array([label is Label.SPAM for label in trained.labels])
    classifier = LinearSVC(C=1, class_weight="balanced", random_state=DEFAULT_SEARCH.seed)
    return make_pipeline(stock_features(profile), classifier).fit([rows[row].text for row in trained.used], spam)


def calibrated(pipeline: Pipeline, model: LinearModel) -> Callable[[str], float]:
    """The pipeline's probability of spam for one message, by the model's calibration."""
    slope, offset = model.parts.slope, model.parts.offset - model.parts.slope * float(pipeline[-1].intercept_[0])
    return lambda text: float(expit(slope * pipeline.decision_function([text])[0] + offset))


def time_each(score: Callable[[str], float], texts: list[str]) -> list[float]:
    seconds = []
    for text in texts:
        started = time.perf_counter()
        score(text)
        seconds.append(time.perf_counter() - started)
    return seconds


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e6
    return float(p50), float(p99)


def compare(profile: Profile, rows: list[LabelledMessage], *, messages: int, repetitions: int) -> bool:
    spec = replace(
        DEFAULT_SEARCH,
        profile=profile,
        algorithms=(AlgorithmSpec(name="LinearSVM", parameters={"C": "1", "preprocessing": "Plain"}),),
    )
    trained = search(rows, spec)
    pipeline = stock_pipeline(trained, rows, profile=profile)
    stock = calibrated(pipeline, trained.model)
    texts = list(dict.fromkeys(row.text for row in rows if in_holdout(row.text)))[:messages]
    apart = max(abs(stock(text) - trained.model.score(text)) for text in texts)

    model = LinearModel.load(trained.artefact)
    cold = percentiles(time_each(model.score, texts))
    ours, theirs = [], []
    for _ in range(repetitions):
        theirs.append(time_each(stock, texts))
        ours.append(time_each(model.score, texts))
    warm = percentiles([median(times) for times in zip(*ours, strict=True)])
    sklearn = percentiles([median(times) for times in zip(*theirs, strict=True)])
    top = percentiles(time_each(lambda text: model.top_features(text)[0:0] or 0.0, texts))

    first, again, mebibytes = measure_loading(trained.artefact)
    met = [warm[0] <= MICROSECONDS[profile], apart <= AGREEMENT, again <= LOAD_MILLISECONDS]
    terms = len(trained.model.parts.word.terms)
    if trained.model.parts.character is not None:
        terms += len(trained.model.parts.character.terms)
    print(f"{profile}: {terms} terms, artefact {len(trained.artefact) / 2**20:.2f} MiB, {len(texts)} messages")
    print(f"  one message, us p50/p99   plain {warm[0]:7.1f} {warm[1]:7.1f}   bound p50 <= {MICROSECONDS[profile]:g}")
    print(f"                     cold         {cold[0]:7.1f} {cold[1]:7.1f}")
    print(f"                  scikit-learn    {sklearn[0]:7.1f} {sklearn[1]:7.1f}   ratio {sklearn[0] / warm[0]:.0f}x")
    print(f"              top_features too    {top[0]:7.1f} {top[1]:7.1f}")
    print(f"  largest difference {apart:.1e}   bound {AGREEMENT:.0e}")
    print(f"  load, ms of processor time: first {first:.1f}, median {again:.1f}   bound {LOAD_MILLISECONDS:g}")
    print(f"  memory of the loaded model +{mebibytes:.1f} MiB")
    return all(met)


def measure_loading(artefact: bytes) -> tuple[float, float, float]:
    """Milliseconds of the first load and the median of more, and MiB, in a process that imports nothing heavy."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(artefact)
        file.flush()
        command = [sys.executable, "-c", LOADING, file.name, "9"]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    first, again, mebibytes = map(float, found.stdout.split())
    return first, again, mebibytes


def time_search(profile: Profile, rows: list[LabelledMessage]) -> bool:
    wall, cpu = time.perf_counter(), time.process_time()
    trained = search(rows, replace(DEFAULT_SEARCH, profile=profile))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{profile}: default search of {len(trained.variants)} variants on {trained.training_rows} rows: "
        f"{wall:.1f} s, {cpu:.1f} s of processor time   bound {SEARCH_SECONDS[profile]:g}"
    )
    return cpu <= SEARCH_SECONDS[profile]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_dir() / "SMSSpamCollection")
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; --data names the UCI file, scripts/download_data.py fetches it")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = read_uci(options.data)
    met = [time_search(profile, rows) for profile in Profile]
    met += [compare(profile, rows, messages=options.messages, repetitions=options.repetitions) for profile in Profile]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
