"""What may a pass find, and what should be done about it? 200 situations, each drawn from a world whose truth is known.

A world says whether traffic has changed, how good the champion really is, and what is in the way of a run. Windows and
labels are then drawn from that truth, with the chance that they really have: one undrifted window in 200 is above the
threshold, and accuracy is a sample of audit labels. What should be done follows from the world, not from the figures
and not from what the rules say of them; so a wave that is too weak to be seen still should have been answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from bounds import clopper_pearson

from autoretrain.domain.advice import AdviceChoice
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.observation import LabelWindow, Observation
from autoretrain.domain.status import GuardState
from tests.unit.decide.builders import NOW, but, minutes, performance, quiet, run, window

RETRAIN, ALERT, NO_ACTION = AdviceChoice.RETRAIN, AdviceChoice.ALERT, AdviceChoice.NO_ACTION
CHANCE = 1 / 200
SPAM_SHARE = 0.13


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A situation, the kind of world that it is from, and what should be done."""

    kind: str
    observation: Observation
    right: AdviceChoice


def quiet_score(random: Random) -> float:
    """A window that has not drifted: seldom above the threshold, and then little."""
    return random.uniform(0.15, 0.2) if random.random() < CHANCE else random.uniform(0.0, 0.14)


def strong_score(random: Random) -> float:
    return random.uniform(0.2, 0.9)


def weak_score(random: Random) -> float:
    """A wave in a small part of the traffic: its windows lie on both sides of the threshold."""
    return random.uniform(0.1, 0.25)


def windows(random: Random, *draws: Callable[[Random], float], **changes: Any) -> tuple[DriftReport, ...]:
    return tuple(window(number, draw(random), **changes) for number, draw in enumerate(draws, start=1))


def measured(random: Random, truth: float, *, labels: int) -> LabelWindow:
    """Audit labels of a champion with this accuracy; its errors are half of spam, as far as there is spam."""
    right = sum(random.random() < truth for _ in range(labels))
    spam = max(1, round(labels * SPAM_SHARE))
    caught = sum(random.random() < 1 - (1 - truth) / 2 / SPAM_SHARE for _ in range(spam))
    recall = share(caught, spam)
    return LabelWindow(
        started_at=NOW - minutes(30), labels=labels, accuracy=share(right, labels), spam_recall=recall, f1=recall
    )


def share(hits: int, n: int) -> Estimate:
    low, high = clopper_pearson(hits, n)
    return Estimate(value=hits / n, low=low, high=high)


def live(random: Random, observation: Observation, truth: float, *, labels: int) -> Observation:
    """Two disjoint label windows as the core gets them, and both together."""
    halves = tuple(measured(random, truth, labels=labels // 2) for _ in range(2))
    return but(observation, performance=performance(measured(random, truth, labels=labels), windows=halves))


def ordinary(random: Random) -> Observation:
    """A champion of some days that is as good as it was, enough labels, nothing in the way."""
    observation = but(
        quiet(),
        drift=windows(random, quiet_score, quiet_score),
        status__champion__promoted_at=NOW - timedelta(hours=random.uniform(30, 200)),
        status__last_run_ended_at=NOW - timedelta(hours=random.uniform(25, 200)),
        supply__new_labels=random.randint(150, 900),
        supply__new_spam_labels=random.randint(25, 120),
    )
    return live(random, observation, random.uniform(0.975, 0.995), labels=random.randint(150, 400))


def changed(random: Random) -> Observation:
    """Traffic has changed strongly for two windows; what the champion gets wrong is labelled."""
    observation = but(ordinary(random), drift=windows(random, strong_score, strong_score))
    return live(random, observation, random.uniform(0.9, 0.97), labels=random.randint(150, 400))


def few_labels(random: Random) -> Observation:
    few = random.randint(0, 60)
    return but(changed(random), supply__new_labels=few, supply__new_spam_labels=min(few, random.randint(0, 8)))


def weak_wave(random: Random) -> Observation:
    observation = but(ordinary(random), drift=windows(random, weak_score, weak_score))
    return live(random, observation, random.uniform(0.93, 0.96), labels=random.randint(150, 400))


def got_worse(random: Random) -> Observation:
    """The same words mean something else: no drift to be seen, and many errors."""
    return live(random, ordinary(random), random.uniform(0.8, 0.89), labels=random.randint(150, 300))


def somewhat_worse(random: Random) -> Observation:
    return live(random, ordinary(random), random.uniform(0.89, 0.92), labels=random.randint(150, 300))


def more_spam(random: Random) -> Observation:
    return but(ordinary(random), drift=windows(random, strong_score, strong_score, prior_shift=True))


def one_odd_window(random: Random) -> Observation:
    return but(ordinary(random), drift=windows(random, quiet_score, lambda r: r.uniform(0.15, 0.25)))


def blind(random: Random) -> Observation:
    """Windows ended days ago and nobody labels: something that measures is broken."""
    return but(
        ordinary(random),
        drift=windows(random, quiet_score, quiet_score, ended_at=NOW - minutes(5000)),
        performance=None,
    )


def waiting(random: Random) -> Observation:
    """Changed, but a run has just ended: what it has learnt is not known yet."""
    return but(changed(random), status__last_run_ended_at=NOW - minutes(random.uniform(2, 50)))


def running(random: Random) -> Observation:
    observation = changed(random)
    return replace(observation, status=replace(observation.status, active_run=run()))


def suspended(random: Random) -> Observation:
    return but(changed(random), model__spec__suspend=True)


def spent(random: Random) -> Observation:
    starts = tuple(NOW - timedelta(hours=random.uniform(2, 23)) for _ in range(4))
    return but(changed(random), status__run_starts=starts)


def guarded(random: Random) -> Observation:
    guard = GuardState(version="3", started_at=NOW - minutes(random.uniform(1, 25)), expected=None)
    return but(changed(random), status__guard=guard)


def broken_off(random: Random) -> Observation:
    """Candidate after candidate was rejected, and traffic is still different."""
    return but(changed(random), status__breaker_open=True, status__rejections=3)


KINDS: tuple[tuple[Callable[[Random], Observation], AdviceChoice, int], ...] = (
    (ordinary, NO_ACTION, 45),
    (one_odd_window, NO_ACTION, 10),
    (changed, RETRAIN, 40),
    (weak_wave, RETRAIN, 10),
    (got_worse, RETRAIN, 20),
    (somewhat_worse, RETRAIN, 10),
    (few_labels, ALERT, 15),
    (more_spam, ALERT, 15),
    (blind, ALERT, 5),
    (broken_off, ALERT, 5),
    (waiting, NO_ACTION, 5),
    (running, NO_ACTION, 5),
    (suspended, NO_ACTION, 5),
    (spent, NO_ACTION, 5),
    (guarded, NO_ACTION, 5),
)


def situations(seed: int) -> list[Labelled]:
    """Return the 200, in an order of their own."""
    made = [
        Labelled(kind=kind.replace("_", " "), observation=draw(Random(f"{seed} {kind} {number}")), right=right)
        for draw, right, count in KINDS
        for kind in (draw.__name__,)
        for number in range(count)
    ]
    Random(seed).shuffle(made)
    return made
