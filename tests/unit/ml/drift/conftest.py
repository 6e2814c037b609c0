"""A small language with two senders, and a model that knows their words: undrifted and drifted windows by seed."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.references import build_references

START = datetime(2026, 1, 1, tzinfo=UTC)
SYLLABLES = ["ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "ve", "za"]


def language(name: str, size: int) -> list[str]:
    rng = random.Random(name)
    return ["".join(rng.choices(SYLLABLES, k=3)) + name for _ in range(size)]


HAM, SPAM, SCAM, OTHER_HAM = language("h", 900), language("s", 250), language("x", 200), language("o", 900)


def sentence(rng: random.Random, words: list[str]) -> str:
    ranks = [1.0 / (rank + 3) for rank in range(len(words))]
    return " ".join(rng.choices(words, ranks, k=rng.randint(8, 16)))


@dataclass(frozen=True)
class Traffic:
    """Messages drawn by seed: `spam_share` of them spam, of which `scam_share` are a campaign that is new."""

    ham: tuple[str, ...] = tuple(HAM)
    spam_share: float = 0.15
    scam_share: float = 0.0

    def draw(self, size: int, *, seed: int) -> list[LabelledMessage]:
        rng = random.Random(seed)
        rows = []
        for _ in range(size):
            spam = rng.random() < self.spam_share
            words = (SCAM if rng.random() < self.scam_share else SPAM) if spam else list(self.ham)
            rows.append(LabelledMessage(text=sentence(rng, words), label=Label.SPAM if spam else Label.HAM))
        return rows

    def texts(self, size: int, *, seed: int) -> list[str]:
        return [row.text for row in self.draw(size, seed=seed)]


class WordModel:
    """Spam by the share of known words that are spam's; a word it does not know says nothing. Deterministic."""

    threshold = 0.5

    def __init__(self) -> None:
        self._weights = dict.fromkeys(HAM, -1.0) | dict.fromkeys(SPAM, 1.0)

    def score(self, text: str) -> float:
        words = text.split()
        noise = random.Random(text).gauss(0.0, 1.0)
        evidence = 6.0 * sum(self._weights.get(word, 0.0) for word in words) / max(len(words), 1)
        return 1.0 / (1.0 + math.exp(-evidence - noise))

    def scores(self, texts: Sequence[str]) -> list[float]:
        return [self.score(text) for text in texts]


@pytest.fixture(scope="session")
def model() -> WordModel:
    return WordModel()


@pytest.fixture(scope="session")
def reference_bytes(model) -> bytes:
    return build_references(model, Traffic().draw(600, seed=1), seed=0)


@pytest.fixture(scope="session")
def detector(model, reference_bytes) -> DriftDetector:
    return DriftDetector.load(reference_bytes, model)


def _evaluate(detector: DriftDetector, texts: Sequence[str], **given) -> DriftReport:
    at = START + timedelta(hours=len(given.get("history", ())))
    values = {"window_id": "w", "model_version": "v1", "started_at": at, "ended_at": at} | given
    return detector.evaluate(texts, **values)


@pytest.fixture(scope="session")
def report_of() -> Callable[..., DriftReport]:
    """The report of a detector on texts; what is not given has defaults."""
    return _evaluate


@pytest.fixture(scope="session")
def report(detector) -> Callable[..., DriftReport]:
    """The report of the champion that knows the base regime only."""
    return lambda texts, **given: _evaluate(detector, texts, **given)


@pytest.fixture(scope="session")
def traffic() -> type[Traffic]:
    return Traffic


@pytest.fixture(scope="session")
def other_ham() -> tuple[str, ...]:
    return tuple(OTHER_HAM)
