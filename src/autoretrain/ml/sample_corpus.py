"""Where do messages come from when none can be fetched? From templates of our own and a seed.

It is an honest stand-in: the classes overlap, people abbreviate and slip, some rows repeat, one label in a hundred of
the corpus is wrong. Figures measured on it say nothing about real messages.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml import sample_ham, sample_spam, sample_wave
from autoretrain.ml.sample_grammar import expand, sentences, thumbed
from autoretrain.ml.text import canonical

MESSAGES = 6000
"""Enough that a default training clears the default floors with room, whatever the seed: a fifth is the holdout."""
SPAM_SHARE = 0.17
WRONG_LABELS = 0.01
REPEATED = 0.06

_WORDS = {**sample_ham.WORDS, **sample_spam.WORDS}
_WAVE_WORDS = {**sample_ham.WORDS, **sample_wave.WORDS}
_TRAFFIC_SHARE = 0.3

# How ham and spam are mixed: so many in a hundred of each sort.
_HAM = {"chat": 56, "short": 9, "notice": 20, "promotion": 14, "undecided": 1}
_SPAM = {"campaign": 90, "quiet": 6, "undecided": 4}


def generate_corpus(*, seed: int = 0, messages: int = MESSAGES) -> list[LabelledMessage]:
    """Labelled base data: about one row in six is spam, one in sixteen repeats another, one label in a hundred lies."""
    random = Random(f"corpus {seed}")
    spam = round(messages * SPAM_SHARE)
    repeated = round(messages * REPEATED)
    rows = _distinct(random, count=messages - repeated, spam=spam - round(repeated * SPAM_SHARE), traffic=False)
    rows += random.choices(rows, k=repeated)
    for index in random.sample(range(messages), k=round(messages * WRONG_LABELS)):
        wrong = Label.HAM if rows[index].label is Label.SPAM else Label.SPAM
        rows[index] = replace(rows[index], label=wrong)
    random.shuffle(rows)
    return rows


def generate_traffic(*, seed: int, messages: int, spam_share: float = 0.15) -> list[LabelledMessage]:
    """Messages like the corpus's, none of which is in the corpus of any seed, with their true labels."""
    random = Random(f"traffic {seed}")
    rows = _distinct(random, count=messages, spam=round(messages * spam_share), traffic=True)
    random.shuffle(rows)
    return rows


def generate_wave(
    *, seed: int, messages: int, share_new: float = 0.8, spam_share: float = 0.15
) -> list[LabelledMessage]:
    """Traffic in which the share `share_new` of the spam belongs to campaigns that the corpus does not know.

    True labels; `source` is "wave" for the new campaigns, which are many-worded: copies seldom look alike.
    """
    random = Random(f"wave {seed}")
    spam = round(messages * spam_share)
    new = round(spam * share_new)
    rows = _distinct(random, count=messages - new, spam=spam - new, traffic=True)
    taken = {canonical(row.text) for row in rows}
    campaigns = list(sample_wave.CAMPAIGNS.values())
    make = _new(taken, traffic=True)
    for _ in range(new):
        text = make(lambda: sentences(random.choice(campaigns), random, words=_WAVE_WORDS))
        rows.append(LabelledMessage(text=text, label=Label.SPAM, source="wave"))
    random.shuffle(rows)
    return rows


def _distinct(random: Random, *, count: int, spam: int, traffic: bool) -> list[LabelledMessage]:
    make = _new(set(), traffic=traffic)
    rows = []
    for index in range(count):
        label, text = (Label.SPAM, _spam) if index < spam else (Label.HAM, _ham)
        rows.append(LabelledMessage(text=make(partial(text, random)), label=label))
    return rows


def _new(taken: set[str], *, traffic: bool) -> Callable[[Callable[[], str]], str]:
    """Draws until the text is new and on its side: a hash of the text parts all corpora from all traffic."""

    def make(draw: Callable[[], str]) -> str:
        while True:
            text = draw()
            key = canonical(text)
            if key and key not in taken and _is_traffic(key) is traffic:
                taken.add(key)
                return text

    return make


def _is_traffic(key: str) -> bool:
    # Keyed apart from the hash that chooses the holdout: else one side would hold all of it.
    digest = hashlib.blake2b(key.encode(), digest_size=2, person=b"sample traffic").digest()
    return int.from_bytes(digest) < _TRAFFIC_SHARE * 2**16


def _ham(random: Random) -> str:
    sort = _drawn(_HAM, random)
    if sort == "notice":
        return expand(random.choice(sample_ham.NOTICES), random, words=_WORDS)
    if sort == "undecided":
        return expand(random.choice(sample_spam.UNDECIDED), random, words=_WORDS)
    if sort == "promotion":
        return expand(random.choice(sample_ham.PROMOTION), random, words=_WORDS)
    if sort == "short":
        return thumbed(expand(random.choice(sample_ham.SHORT), random, words=_WORDS), random, haste=0.5)
    parts: list[Sequence[str]] = [["{hi}"], *[sample_ham.CHAT] * random.choice((1, 1, 1, 2, 2, 3)), ["{bye}"]]
    return thumbed(sentences(parts, random, words=_WORDS), random, haste=random.choice((0.0, 0.2, 0.5, 0.8)))


def _spam(random: Random) -> str:
    sort = _drawn(_SPAM, random)
    if sort == "undecided":
        return expand(random.choice(sample_spam.UNDECIDED), random, words=_WORDS)
    if sort == "quiet":
        return thumbed(expand(random.choice(sample_spam.QUIET), random, words=_WORDS), random, haste=0.4)
    campaign = random.choice(list(sample_spam.CAMPAIGNS.values()))
    return expand(random.choice(campaign), random, words=_WORDS)


def _drawn(mixture: dict[str, int], random: Random) -> str:
    return random.choices(list(mixture), weights=list(mixture.values()))[0]
