"""Small labelled corpora for the tests of this folder: seeded, both classes, words that overlap, no copies."""

import random

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec

_SPAM, _HAM, _BOTH = (
    words.split()
    for words in (
        "free prize win winner claim cash urgent call now text offer reply £500 £1000 award mobile guaranteed stop",
        "home dinner mum later sorry work bus love tomorrow meeting claims calling offered sleeping lunch movie",
        "you the to a your and i is for on are it me we have not will can now just call text free",
    )
)


def make_rows(spam: int = 60, ham: int = 180, *, seed: int = 0) -> list[LabelledMessage]:
    """Rows of both classes, shuffled; no two are near-duplicates."""
    draw = random.Random(seed)
    labels = [Label.SPAM] * spam + [Label.HAM] * ham
    draw.shuffle(labels)
    return [
        LabelledMessage(text=_make_text(label, number, draw=draw), label=label) for number, label in enumerate(labels)
    ]


def _make_text(label: Label, number: int, *, draw: random.Random) -> str:
    own, other = (_SPAM, _HAM) if label is Label.SPAM else (_HAM, _SPAM)
    words = draw.choices(own, k=draw.randint(2, 6)) + draw.choices(_BOTH, k=draw.randint(3, 8))
    words += [*draw.choices(other, k=draw.choice([0, 0, 0, 1, 2])), "".join(draw.choices("bcdfgaeiou", k=6))]
    draw.shuffle(words)
    ending = f" {draw.randint(10**9, 10**10)}!" if label is Label.SPAM and draw.random() < 0.5 else f" {number % 7}"
    return " ".join(words).capitalize() + ending


def make_spec(
    algorithms: dict[str, dict[str, object]] | None = None, *, profile: str = "Word", seed: int = 0
) -> TrainingSpec:
    """A specification of these algorithms and parameters; by default one quick variant."""
    named = {"NaiveBayes": {"alpha": "0.1", "preprocessing": "Plain"}} if algorithms is None else algorithms
    return TrainingSpec(
        profile=profile,
        seed=seed,
        algorithms=tuple(AlgorithmSpec(name=name, parameters=parameters) for name, parameters in named.items()),
        active_deadline_seconds=900,
        backoff_limit=1,
    )
