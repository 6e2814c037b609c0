"""Is drift detection quiet on windows drawn from held-out rows, and does it see a wave that is put into them?"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bounds import clopper_pearson
from drift_champion import WINDOW, Auditors, Champion, Watch

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.drift.calibration import THRESHOLD

RUN_LENGTH = 8  # false alarms: so many windows share one history, as in a stream
AUDIT_RATE = 0.2
WAVE_LENGTH = 4  # windows
WAVE_PARTS = (0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class FalseAlarms:
    """Of `windows`: those with an alarm, those of them that alarm by themselves, and those named a prior shift."""

    windows: int
    alarms: int
    alone: int
    named_prior: int

    @property
    def share(self) -> float:
        return self.alarms / self.windows

    @property
    def interval(self) -> tuple[float, float]:
        return clopper_pearson(self.alarms, self.windows)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.alarms}/{self.windows} = {self.share:.4f}, 95 % [{low:.4f}, {high:.4f}]; "
            f"{self.alone} by one window alone; PriorShift {self.named_prior}"
        )


def false_alarms(
    champion: Champion,
    rows: Sequence[LabelledMessage],
    *,
    windows: int,
    size: int,
    seed: int,
    audit_rate: float = AUDIT_RATE,
) -> FalseAlarms:
    """Windows drawn without replacement from rows that neither model nor reference saw, in runs with a history and
    audit labels."""
    rng = np.random.default_rng(seed)
    scores: dict[str, float] = {}
    alone = with_history = named_prior = 0
    history: list[DriftReport] = []
    auditors = Auditors(champion, audit_rate, rng)
    for index in range(windows):
        if index % RUN_LENGTH == 0:
            history, auditors = [], Auditors(champion, audit_rate, rng)
        drawn = [rows[row] for row in rng.choice(len(rows), size, replace=False)]
        report = champion.report([row.text for row in drawn], scores, history=history, audited=auditors.matured)
        auditors.label(drawn, scores)
        history.append(report)
        with_history += report.score > THRESHOLD
        alone += report.score > THRESHOLD and report.accumulated <= THRESHOLD
        named_prior += report.prior_shift
    return FalseAlarms(windows, int(with_history), int(alone), int(named_prior))


def print_other_splits(rows: Sequence[LabelledMessage], *, splits: int, windows: int, seed: int) -> None:
    print(
        f"\nOther champions: false alarms over {windows} windows each, 60 % of UCI to train and hold out, 40 % to draw"
    )
    for split in range(splits):
        order = np.random.default_rng(seed + 1 + split).permutation(len(rows))
        cut = int(0.6 * len(rows))
        champion = Champion.of([rows[i] for i in order[:cut]], seed=split)
        rest = [rows[i] for i in order[cut:]]
        print(f"  split {split}: {false_alarms(champion, rest, windows=windows, size=WINDOW, seed=split)}", flush=True)


def print_grafted(
    champion: Champion, data: Path, holdout: Sequence[LabelledMessage], *, runs: int, rate: float, seed: int
) -> None:
    """Waves of which a part of the spam is another corpus's, in held-out UCI traffic of its own spam share."""
    print(
        f"\nGrafted spam-only waves, {runs} runs of {WAVE_LENGTH} windows: windows found alone / with history / "
        "with labels"
    )
    scores: dict[str, float] = {}
    for name, new in {"india-telecom spam": india_spam(data), "youtube spam": youtube_spam(data)}.items():
        for part in WAVE_PARTS:
            rng = np.random.default_rng(seed)
            found = np.zeros((runs, WAVE_LENGTH, 3), dtype=bool)
            for run in range(runs):
                watch = Watch(champion, scores, rate, rng)
                for window in range(WAVE_LENGTH):
                    said = watch.judge(graft(holdout, new, part=part, rng=rng))
                    found[run, window] = said.alone, said.with_history, said.with_labels
            each = " / ".join(f"{value:.2f}" for value in found.mean(axis=(0, 1)))
            within = " / ".join(f"{value:.2f}" for value in found.any(axis=1).mean(axis=0))
            print(f"  {name:20} part {part:4.2f}: {each};  runs found within 4 windows: {within}", flush=True)


def graft(
    holdout: Sequence[LabelledMessage], new: Sequence[str], *, part: float, rng: np.random.Generator
) -> list[LabelledMessage]:
    """One window of held-out messages, the share `part` of its spam drawn from `new` instead."""
    ham = [row.text for row in holdout if row.label is Label.HAM]
    spam = [row.text for row in holdout if row.label is Label.SPAM]
    count = rng.binomial(WINDOW, len(spam) / len(holdout))
    changed = rng.binomial(count, part)
    spams = [*rng.choice(spam, count - changed, replace=False), *rng.choice(new, changed, replace=False)]
    hams = rng.choice(ham, WINDOW - count, replace=False)
    return [
        *(LabelledMessage(text=str(text), label=Label.SPAM) for text in spams),
        *(LabelledMessage(text=str(text), label=Label.HAM) for text in hams),
    ]


def india_spam(data: Path) -> list[str]:
    with (data / "india-telecom" / "spam_ham_india.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return sorted({row[0] for row in rows if row[1] == "spam"})


def youtube_spam(data: Path) -> list[str]:
    texts: set[str] = set()
    for path in sorted((data / "youtube-comments").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            texts |= {row["CONTENT"] for row in csv.DictReader(file) if row["CLASS"] == "1"}
    return sorted(texts)
