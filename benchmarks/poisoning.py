"""What can one reporter do to a model? Poisoned labels against the rules that choose training rows, on UCI messages.

Attacks of one source, sized as a share of the training rows:

- flipped: ham of its own, reported as spam;
- dictionary: long messages of the commonest ham words, reported as spam (Nelson et al., USENIX LEET 2008: 1 % of the
  training mail made SpamBayes useless);
- campaign: one such message over and over with another number.

`bare` trains on all of it, `chosen` on what `select_trusted` lets through; both against the model without any of it, on
the same held-out ham. Bound, at 1 %: the chosen rows raise ham false positives by at most the promotion gate's
`maxHamFalsePositiveIncrease` on the mean of the seeds. Dropping the source must give the clean model's digest.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean

import yaml
from sklearn.model_selection import train_test_split

from autoretrain.adapters.labelled_files import read_labelled_file
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.domain.spec import DataFormat, TrainingSpec
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.text import canonical, words
from autoretrain.ml.training import TrainedModel, search
from autoretrain.ml.trust import prior_weights, select_trusted
from autoretrain.ml.variants import Profile

ROOT = Path(__file__).resolve().parents[1]
DOSES = (0.01, 0.05, 0.20)
REPORTER = "reporter"
WORDS_A_MESSAGE = 25


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


def reported(texts: Sequence[str]) -> list[LabelledMessage]:
    return [
        LabelledMessage(text=text, label=Label.SPAM, source=REPORTER, kind=LabelKind.REPORT, sequence=number)
        for number, text in enumerate(texts, start=1)
    ]


def fit(rows: Sequence[LabelledMessage], spec: TrainingSpec, *, spam_share: float) -> TrainedModel:
    weights = prior_weights([row.label for row in rows], spam_share=spam_share)
    return search(rows, spec, weights=weights, holdout_share=0.0)


def flagged(model: LinearModel, ham: Sequence[str]) -> float:
    return sum(model.predict(text)[0] is Label.SPAM for text in ham) / len(ham)


def missed(model: LinearModel, spam: Sequence[str]) -> float:
    return sum(model.predict(text)[0] is Label.HAM for text in spam) / len(spam)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("AUTORETRAIN_DATA_DIR", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data / "SMSSpamCollection")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to this number less one")
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.WORD)
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"{options.data} is not there; --data names the UCI file, scripts/download_data.py fetches it")
    document = yaml.safe_load((ROOT / "examples" / "sms-spam.yaml").read_text(encoding="utf-8"))
    spec = parse_spam_model(document, uid="benchmark", generation=1).spec
    training = replace(spec.training, profile=options.profile)
    bound, most = spec.promotion.max_ham_false_positive_increase, spec.feedback.max_source_share
    messages = read_labelled_file(options.data, format=DataFormat.TSV).messages
    distinct = list({canonical(row.text): row for row in messages}.values())

    increases: dict[tuple[str, float, str], list[float]] = {}
    admitted: dict[tuple[str, float], list[int]] = {}
    restored = True
    started = time.perf_counter()
    for seed in range(options.seeds):
        labels = [row.label for row in distinct]
        base, test = train_test_split(distinct, test_size=0.4, random_state=seed, stratify=labels)
        # The reporter's own ham is neither in the base data nor in the held-out part.
        base, spare = train_test_split(base, test_size=0.25, random_state=seed, stratify=[row.label for row in base])
        theirs = [row.text for row in spare if row.label is Label.HAM]
        held_out = [row.text for row in test if row.label is Label.HAM]
        share = sum(row.label is Label.SPAM for row in base) / len(base)
        of_seed = replace(training, seed=seed)
        clean = fit(base, of_seed, spam_share=share)
        before = flagged(clean.model, held_out)
        print(f"seed {seed}: {len(base)} base rows, {len(held_out)} held-out ham, {before:.2%} flagged", flush=True)
        for attack in ATTACKS:
            for dose in DOSES:
                texts = attack(theirs, round(dose * len(base) / (1 - dose)), rng=Random(seed))
                labels_sent = reported(texts)
                chosen = select_trusted(labels_sent, max_source_share=most, base_rows=len(base)).rows
                for name, poison in (("bare", labels_sent), ("chosen", chosen)):
                    model = fit([*base, *poison], of_seed, spam_share=share).model
                    increases.setdefault((attack.__name__, dose, name), []).append(flagged(model, held_out) - before)
                admitted.setdefault((attack.__name__, dose), []).append(len(chosen))
        without = select_trusted([], max_source_share=most, base_rows=len(base)).rows
        restored = restored and fit([*base, *without], of_seed, spam_share=share).digest == clean.digest
