"""How often is a model promoted that is no better, and how often one that is? The gates as they ship, on UCI messages.

No change: champion and candidate are fitted on two bootstrap resamples of the same rows, so that neither is better but
by luck, and judged on rows that neither saw. Bound: at most alpha is promoted.

Power: the same pairs, with new rows beside the recent ones that the champion gets wrong and the candidate right: the
wave that retraining fixed. The other columns judge the same fix on recent rows and holdout pooled, once with the gains
as they ship and once by the accuracy gain alone: there the wave drowns in rows on which both models agree.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from real_messages import data_dir
from scipy.special import expit
from scipy.stats import binomtest

from autoretrain.adapters.labelled_files import read_labelled_file
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.decide.promotion import judge
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.plan import Decision
from autoretrain.domain.spec import DataFormat, PromotionSpec
from autoretrain.domain.training import PairedComparison, TrainingSummary
from autoretrain.ml.comparison import compare
from autoretrain.ml.features import Corpus
from autoretrain.ml.fitting import fit_linear
from autoretrain.ml.text import canonical
from autoretrain.ml.variants import Algorithm, ClassWeight, Preprocessing, Profile, Variant

ROOT = Path(__file__).resolve().parents[1]
VARIANT = Variant(
    algorithm=Algorithm.LOGISTIC_REGRESSION,
    strength=30.0,
    class_weight=ClassWeight.BALANCED,
    preprocessing=Preprocessing.PLAIN,
)
POWER_CASES = ((200, 0.02), (200, 0.03), (200, 0.06), (400, 0.02), (400, 0.03), (400, 0.06))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows with the spam probabilities that candidate and champion give them."""

    rows: list[LabelledMessage]
    candidate: list[float]
    champion: list[float]

    def taken(self, numbers: Sequence[int]) -> "Scored":
        return Scored(
            rows=[self.rows[n] for n in numbers],
            candidate=[self.candidate[n] for n in numbers],
            champion=[self.champion[n] for n in numbers],
        )

    def with_(self, other: "Scored") -> "Scored":
        return Scored(
            rows=[*self.rows, *other.rows],
            candidate=[*self.candidate, *other.candidate],
            champion=[*self.champion, *other.champion],
        )

    def compared(self, *, seed: int) -> PairedComparison:
        return compare(
            self.rows, self.candidate, self.champion, candidate_threshold=0.5, champion_threshold=0.5, seed=seed
        )


class Pairs:
    """Pairs of models of one quality; of the rows 40 % train, 40 % are the holdout, the rest are recent traffic."""

    def __init__(self, rows: Sequence[LabelledMessage], *, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        order = self.rng.permutation(len(rows))
        train, judged = np.split(order, [len(rows) * 2 // 5])
        corpus = Corpus([row.text for row in rows], profile=Profile.WORD)
        self._train_matrix, self._matrix = corpus.word_fold(Preprocessing.PLAIN, train=train, test=judged)
        self._spam = np.array([rows[n].label is Label.SPAM for n in train])
        self._rows = [rows[n] for n in judged]
        self._holdout_size = len(rows) * 2 // 5

    def draw(self) -> tuple[Scored, Scored]:
        """Holdout and recent pool, scored by a fresh pair."""
        scored = Scored(rows=self._rows, candidate=self._scores(), champion=self._scores())
        numbers = range(len(self._rows))
        return scored.taken(numbers[: self._holdout_size]), scored.taken(numbers[self._holdout_size :])

    def pick(self, pool: Scored, size: int) -> Scored:
        return pool.taken(self.rng.choice(len(pool.rows), size=size, replace=False).tolist())

    def _scores(self) -> list[float]:
        size = len(self._spam)
        often = self.rng.multinomial(size, np.full(size, 1 / size)).astype(np.float64)
        drawn = np.flatnonzero(often)
        fit = fit_linear(VARIANT, self._train_matrix[drawn], spam=self._spam[drawn], weights=often[drawn], seed=0)
        scores: NDArray[np.float64] = expit(fit.decide(self._matrix))
        return scores.tolist()


def wave(size: int) -> Scored:
    """Spam of as many campaigns, all missed by the champion and caught by the candidate."""
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(size)]
    return Scored(
        rows=[LabelledMessage(text=f"new{word} offer{word} claim{word}", label=Label.SPAM) for word in words],
        candidate=[0.9] * size,
        champion=[0.1] * size,
    )


def summarise(holdout: PairedComparison, recent: PairedComparison) -> TrainingSummary:
    return TrainingSummary(
        run_name="run", run_id="", version="2", digest="candidate", algorithm=VARIANT.name, profile=Profile.WORD,
        data_hash="", training_rows=0, label_cutoff=0, seconds=0.0, holdout_metrics=holdout.candidate,
        champion_version="1", champion_digest="champion", holdout=holdout, recent=recent, recent_newest_at=None,
        expected=None,
    )  # fmt: skip


def decide(holdout: PairedComparison, recent: PairedComparison, *, spec: PromotionSpec) -> tuple[Decision, str]:
    judgement = judge(
        summarise(holdout, recent), spec=spec, alpha=spec.alpha, champion_digest="champion", quarantined=()
    )
    return judgement.decision, str(judgement.reason)


def no_change(pairs: Pairs, *, spec: PromotionSpec, runs: int, size: int) -> Iterator[tuple[Decision, str, float]]:
    for run in range(runs):
        holdout, pool = pairs.draw()
        recent = pairs.pick(pool, size).compared(seed=run)
        yield (*decide(holdout.compared(seed=run), recent, spec=spec), recent.p_value)


def power(pairs: Pairs, *, spec: PromotionSpec, runs: int, size: int, share: float) -> list[int]:
    """Promotions of `runs`: by the recent rows, pooled with the holdout, and so by the accuracy gain alone."""
    accuracy_only = replace(spec, min_f1_gain=1.0)
    promoted = [0, 0, 0]
    for run in range(runs):
        holdout, pool = pairs.draw()
        fixed = int(pairs.rng.binomial(size, share))
        recent = pairs.pick(pool, size - fixed).with_(wave(fixed))
        on_holdout, alone = holdout.compared(seed=run), recent.compared(seed=run)
        pooled = recent.with_(holdout).compared(seed=run)
        for column, (rows, gates) in enumerate(((alone, spec), (pooled, spec), (pooled, accuracy_only))):
            promoted[column] += decide(on_holdout, rows, spec=gates)[0] is Decision.PROMOTE
    return promoted


def interval(part: int, whole: int) -> str:
    exact = binomtest(part, whole).proportion_ci(method="exact")
    return f"{part / whole:6.1%}  [{exact.low:.1%}, {exact.high:.1%}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir() / "SMSSpamCollection")
    parser.add_argument("--runs", type=int, default=1000, help="runs without a change")
    parser.add_argument("--rows", type=int, default=300, help="recent rows of a run without a change")
    parser.add_argument("--power-runs", type=int, default=100, help="runs a line of the power table; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; --data names the UCI file, scripts/download_data.py fetches it")
    document = yaml.safe_load((ROOT / "examples" / "sms-spam.yaml").read_text(encoding="utf-8"))
    spec = parse_spam_model(document, uid="benchmark", generation=1).spec.promotion
    messages = read_labelled_file(options.data, format=DataFormat.TSV).messages
    rows = list({canonical(row.text): row for row in messages}.values())
    pairs = Pairs(rows, seed=options.seed)

    started = time.perf_counter()
    found = list(no_change(pairs, spec=spec, runs=options.runs, size=options.rows))
    promoted = sum(decision is Decision.PROMOTE for decision, _, _ in found)
    significant = sum(p <= spec.alpha for _, _, p in found)
    bound = binomtest(promoted, options.runs).proportion_ci(0.90, method="exact").high
    print(f"{len(rows)} distinct messages, seed {options.seed}; alpha {spec.alpha}, gains as in examples/sms-spam.yaml")
    print(f"\nNo change: {options.runs} pairs, {options.rows} recent rows each")
    print(f"  promoted         {interval(promoted, options.runs)}; 95 % upper bound {bound:.2%} (Clopper-Pearson)")
    print(f"  McNemar p alone  {interval(significant, options.runs)}")
    for (decision, reason), count in Counter((str(d), r) for d, r, _ in found).most_common():
        print(f"    {count:5d}  {decision} {reason}")
    print(f"  {time.perf_counter() - started:.0f} s", flush=True)

    if options.power_runs:
        print(f"\nPower: {options.power_runs} runs a line; share promoted with its 95 % interval")
        print(f"  {'rows':>5s} {'fixed':>6s}   {'recent rows':24s} {'pooled':24s} pooled, accuracy gain alone")
    for size, share in POWER_CASES if options.power_runs else ():
        counts = power(pairs, spec=spec, runs=options.power_runs, size=size, share=share)
        columns = " ".join(f"{interval(count, options.power_runs):24s}" for count in counts)
        print(f"  {size:5d} {share:6.0%}   {columns}", flush=True)
    met = bound <= spec.alpha
    print(f"\nbound: at most {spec.alpha:.0%} of unchanged models promoted: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
