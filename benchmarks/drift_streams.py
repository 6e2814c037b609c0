"""Is drift found on the streams, and how soon after it began to harm? What is true of each window is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bounds import Bounds, clopper_pearson
from drift_champion import Champion, Verdicts, Watch
from real_messages import read_stream, read_truth

MUST_FIND, AIM_BOTH, AIM_SPAM_ONLY, AIM_SPAM_ONLY_HELPED = 0.85, 0.95, 0.60, 0.90
SOON = 4  # windows
BOTH = {"abrupt", "gradual", "recurring", "replay"}
SPAM_ONLY = {"abrupt_spam_only", "gradual_spam_only"}


@dataclass(frozen=True)
class Judged:
    """One window of a stream: what is true of it, and what was said. `drift` is None where that is not to be judged."""

    kind: str
    stream: str
    index: int
    drift: bool | None
    harmful: bool
    said: Verdicts


Said = Callable[[Judged], bool]
WAYS: dict[str, Said] = {
    "this window alone": lambda window: window.said.alone,
    "with history": lambda window: window.said.with_history,
    "and 20 % audit labels, 1 late": lambda window: window.said.with_labels,
}
ALONE, WITH_HISTORY, WITH_LABELS = WAYS.values()


def judge_streams(champion: Champion, data: Path, *, rate: float, seed: int) -> list[Judged]:
    judged = []
    scores: dict[str, float] = {}
    for name, stream in sorted(read_truth(data).items()):
        watch = Watch(champion, scores, rate, np.random.default_rng(seed))
        rows = read_stream(data, name)
        for index, window in enumerate(stream["windows"]):
            said = watch.judge(rows[window["start"] : window["end"]])
            judged.append(Judged(stream["kind"], name, index, window["drift"], window["harmful"], said))
    return judged


def share(values: Sequence[bool]) -> str:
    if not values:
        return "-"
    hits, n = sum(values), len(values)
    low, high = clopper_pearson(hits, n)
    return f"{hits}/{n} = {hits / n:.3f} [{low:.3f}, {high:.3f}]"


def by_stream(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    return {name: [w for w in judged if w.stream == name] for name in dict.fromkeys(w.stream for w in judged)}


def delay(windows: Sequence[Judged], said: Said) -> float | None:
    """Windows from the first harmful one to the first alarm at or after it; 0 is the same window, infinity none.

    None where no window is harmful."""
    first = next((w.index for w in windows if w.harmful), None)
    if first is None:
        return None
    return next((float(w.index - first) for w in windows if w.index >= first and said(w)), float("inf"))


def describe_delay(windows: float | None) -> str:
    if windows is None:
        return "not harmful"
    return "never" if windows == float("inf") else f"{windows:.0f}"


def print_streams(judged: Sequence[Judged]) -> None:
    groups: dict[str, Said] = {
        "both classes drift": lambda w: w.kind in BOTH and bool(w.drift),
        "only spam drifts": lambda w: w.kind in SPAM_ONLY and bool(w.drift),
        "  of these, harmful": lambda w: w.kind in SPAM_ONLY and bool(w.drift) and w.harmful,
        "only ham drifts": lambda w: w.kind == "abrupt_ham_only" and bool(w.drift),
        "no drift: false alarms": lambda w: w.drift is False,
        "prior shift: alarms (not scored)": lambda w: w.kind == "prior_shift",
    }
    print(
        "\nStreams: share of windows with score > 0.15 [95 % Clopper-Pearson; windows of a stream are not independent]"
    )
    print(f"{'':36}" + "".join(f"{way:32}" for way in WAYS))
    for title, belongs in groups.items():
        rows = [w for w in judged if belongs(w)]
        cells = [share([said(w) for w in rows]) for said in WAYS.values()]
        print(f"{title:36}" + "".join(f"{cell:32}" for cell in cells))
    prior = [w for w in judged if w.kind == "prior_shift"]
    named = [w.index for w in prior if w.said.prior_shift]
    print(f"prior-shift stream: windows named PriorShift {named} of {len(prior)}")
    print(f"\n{'stream':34}{'kind':20}windows from the first harmful one to the alarm: alone / history / labels")
    for name, rows in by_stream(judged).items():
        cells = [describe_delay(delay(rows, said)) for said in WAYS.values()]
        print(f"{name:34}{rows[0].kind:20}{' / '.join(cells)}")


def bound_streams(bounds: Bounds, judged: Sequence[Judged]) -> None:
    """Shares are of what each window shows by itself, delays of the verdict with history, which is the product's."""
    drifting = [w for w in judged if w.drift]
    spam_only = [w for w in drifting if w.kind in SPAM_ONLY]

    def found(rows: Sequence[Judged], said: Said) -> float:
        return sum(map(said, rows)) / len(rows) if rows else 0.0

    every = found(drifting, ALONE)
    bounds.must(f"windows that drift: found > {MUST_FIND:.0%}", f"{every:.1%}", met=every > MUST_FIND)
    both = found([w for w in drifting if w.kind in BOTH], ALONE)
    bounds.aim(f"both classes drift: found >= {AIM_BOTH:.0%}", f"{both:.1%}", met=both >= AIM_BOTH)
    bare, labelled = found(spam_only, ALONE), found(spam_only, WITH_LABELS)
    bounds.aim(
        f"only spam drifts: found without labels >= {AIM_SPAM_ONLY:.0%}", f"{bare:.1%}", met=bare >= AIM_SPAM_ONLY
    )
    delays = [delay(rows, WITH_HISTORY) for rows in by_stream([w for w in judged if w.kind in SPAM_ONLY]).values()]
    harmful = [windows for windows in delays if windows is not None]
    soon = sum(windows < SOON for windows in harmful) / len(harmful) if harmful else 0.0
    bounds.aim(
        f"  within {SOON} windows, or with audit labels >= {AIM_SPAM_ONLY_HELPED:.0%}",
        f"{soon:.1%}, {labelled:.1%}",
        met=max(soon, labelled) >= AIM_SPAM_ONLY_HELPED,
    )
