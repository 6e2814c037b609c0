"""What can one reporter do to a model? Poisoned labels against the rules that choose training rows, on UCI messages.

Attacks of one source, sized as a share of the training rows:

- flipped: ham of its own, reported as spam;
- dictionary: long messages of the commonest ham words, reported as spam (Nelson et al., USENIX LEET 2008: 1 % of the
  training mail made SpamBayes useless);
- campaign: one such message over and over with another number.

`bare` trains on all that was sent, `chosen` on what `select_trusted` lets through, both beside honest audit labels. The
figures are points of held-out ham flagged and of held-out spam missed, over the model that never met the reporter.
Bound, at 1 %: the chosen rows flag no more ham than the promotion gate's `maxHamFalsePositiveIncrease`, on the mean of
the seeds; and with the source dropped, the same model comes out, to the digest.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TypeAlias

import yaml
from real_messages import data_dir
from sklearn.model_selection import train_test_split

from autoretrain.adapters.labelled_files import read_labelled_file
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.domain.spec import DataFormat, SpamModelSpec
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.text import canonical, words
from autoretrain.ml.training import TrainedModel, search
from autoretrain.ml.trust import prior_weights, select_trusted
from autoretrain.ml.variants import Profile

ROOT = Path(__file__).resolve().parents[1]
DOSES = (0.01, 0.05, 0.30)
REPORTER = "reporter"
WORDS_A_MESSAGE = 25
HONEST_LABELS = 150

Rows: TypeAlias = Sequence[LabelledMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """Of one attack: rows sent and let through, and what each training set adds to (ham flagged, spam missed)."""

    sent: int
    let_through: int
    bare: tuple[float, float]
    chosen: tuple[float, float]


def flipped(ham: Sequence[str], size: int, *, rng: Random) -> list[str]:
    return rng.sample(ham, size)


def dictionary(ham: Sequence[str], size: int, *, rng: Random) -> list[str]:
    counts = Counter(word for text in ham for word in words(canonical(text)))
    common = [word for word, _ in counts.most_common(1000)]
    return [" ".join(rng.sample(common, WORDS_A_MESSAGE)) for _ in range(size)]


def campaign(ham: Sequence[str], size: int, *, rng: Random) -> list[str]:
    template = dictionary(ham, 1, rng=rng)[0]
    return [f"{template} {rng.randrange(10**6)}" for _ in range(size)]


ATTACKS: tuple[Callable[..., list[str]], ...] = (flipped, dictionary, campaign)


class Seed:
    """One split: 40 % of the rows are held out, 35 % are base data, the rest is what reporter and auditors saw."""

    def __init__(self, rows: Rows, spec: SpamModelSpec, *, seed: int) -> None:
        def halves(of: Rows, size: float) -> list[list[LabelledMessage]]:
            parts = train_test_split(of, test_size=size, random_state=seed, stratify=[row.label for row in of])
            return [list(part) for part in parts]

        known, held_out = halves(rows, 0.4)
        self.base, spare = halves(known, 0.42)
        theirs, self._honest = halves(spare, HONEST_LABELS)
        self.ham = [row.text for row in held_out if row.label is Label.HAM]
        self.spam = [row.text for row in held_out if row.label is Label.SPAM]
        self._their_ham = [row.text for row in theirs if row.label is Label.HAM]
        self._spec, self._seed = spec, seed
        self._spam_share = sum(row.label is Label.SPAM for row in self.base) / len(self.base)
        self._clean = self._fit(self._chosen(self._labels([])))
        self.errors = self._errors(self._clean.model)

    def harm(self, attack: Callable[..., list[str]], dose: float) -> Harm:
        size = round(dose * len(self.base) / (1 - dose))
        labels = self._labels(attack(self._their_ham, size, rng=Random(self._seed)))
        chosen = self._chosen(labels)
        bare = self._added(labels)
        through = sum(row.source == REPORTER for row in chosen)
        return Harm(sent=size, let_through=through, bare=bare, chosen=bare if through == size else self._added(chosen))

    def is_restored(self) -> bool:
        """Does the model come out unharmed when the reporter's labels are dropped from all that arrived?"""
        labels = self._labels(dictionary(self._their_ham, 50, rng=Random(self._seed)))
        without = [row for row in labels if row.source != REPORTER]
        return self._fit(self._chosen(without)).digest == self._clean.digest

    def _labels(self, poison: Sequence[str]) -> list[LabelledMessage]:
        """Reports and audit labels as they arrive, among each other; the honest ones always in the same order."""
        rng = Random(self._seed)
        arrivals = [replace(row, source="desk", kind=LabelKind.AUDIT) for row in self._honest]
        for text in poison:
            report = LabelledMessage(text=text, label=Label.SPAM, source=REPORTER, kind=LabelKind.REPORT)
            arrivals.insert(rng.randrange(len(arrivals) + 1), report)
        return [replace(row, sequence=number) for number, row in enumerate(arrivals, start=1)]

    def _chosen(self, labels: Rows) -> Rows:
        share = self._spec.feedback.max_source_share
        return select_trusted(labels, max_source_share=share, base_rows=len(self.base)).rows

    def _fit(self, labels: Rows) -> TrainedModel:
        rows = [*self.base, *labels]
        weights = prior_weights([row.label for row in rows], spam_share=self._spam_share)
        return search(rows, replace(self._spec.training, seed=self._seed), weights=weights, holdout_share=0.0)

    def _errors(self, model: LinearModel) -> tuple[float, float]:
        """The share of held-out ham flagged, and of held-out spam missed."""
        flagged = sum(model.predict(text)[0] is Label.SPAM for text in self.ham) / len(self.ham)
        missed = sum(model.predict(text)[0] is Label.HAM for text in self.spam) / len(self.spam)
        return flagged, missed

    def _added(self, labels: Rows) -> tuple[float, float]:
        flagged, missed = self._errors(self._fit(labels).model)
        return flagged - self.errors[0], missed - self.errors[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir() / "SMSSpamCollection")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to this number less one")
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.WORD)
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; --data names the UCI file, scripts/download_data.py fetches it")
    document = yaml.safe_load((ROOT / "examples" / "sms-spam.yaml").read_text(encoding="utf-8"))
    spec = parse_spam_model(document, uid="benchmark", generation=1).spec
    spec = replace(spec, training=replace(spec.training, profile=options.profile))
    messages = read_labelled_file(options.data, format=DataFormat.TSV).messages
    distinct = list({canonical(row.text): row for row in messages}.values())

    harms: dict[tuple[str, float], list[Harm]] = defaultdict(list)
    restored = []
    for seed in range(options.seeds):
        split = Seed(distinct, spec, seed=seed)
        flagged, missed = split.errors
        print(f"seed {seed}: {len(split.base)} base rows; {flagged:.2%} of {len(split.ham)} ham flagged, ", end="")
        print(f"{missed:.2%} of {len(split.spam)} spam missed", flush=True)
        for attack in ATTACKS:
            for dose in DOSES:
                harms[attack.__name__, dose].append(split.harm(attack, dose))
        restored.append(split.is_restored())

    print("\nPoints added, mean of the seeds (worst seed): ham flagged, spam missed")
    print(f"  {'attack':12s} {'dose':>5s} {'sent':>5s} {'let through':>11s}   {'bare':34s} chosen")
    for (name, dose), found in harms.items():
        sent, through = fmean(harm.sent for harm in found), fmean(harm.let_through for harm in found)
        columns = [
            "  ".join(f"{100 * fmean(side):+6.2f} ({100 * max(side):+6.2f})" for side in zip(*pairs, strict=True))
            for pairs in ([harm.bare for harm in found], [harm.chosen for harm in found])
        ]
        print(f"  {name:12s} {dose:5.0%} {sent:5.0f} {through:11.0f}   {columns[0]:34s} {columns[1]}")
    bound = spec.promotion.max_ham_false_positive_increase
    worst = max(fmean(harm.chosen[0] for harm in found) for (_, dose), found in harms.items() if dose == DOSES[0])
    met = worst <= bound and all(restored)
    print(f"\nham flagged, worst mean at {DOSES[0]:.0%}: {100 * worst:+.2f} points, bound {100 * bound:+.2f}; ", end="")
    print(f"source dropped: {sum(restored)} of {len(restored)} digests restored; {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
