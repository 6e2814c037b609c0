"""Tiny models and artefacts for the serving tests: a handful of words, so that each score can be followed by eye."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.artefact import LinearParts, TermBlock, digest_of, render_artefact
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.linear import LinearModel

SPAM = "win a free prize now"
HAM = "see you at home later"
MODEL = "default.sms-spam"


def make_artefact(
    version: str = "1",
    weights: Mapping[str, float] | None = None,
    *,
    card: str | None = None,
    reference: bytes = b"{}",
    rows: Mapping[str, int] | None = None,
) -> ModelArtefact:
    """A word model of `weights`; by default it calls SPAM spam and HAM ham. `rows` had a word, or ten."""
    known = dict(weights or {"free": 4.0, "prize": 4.0, "win": 3.0, "home": -3.0, "later": -3.0})
    parts = LinearParts(
        algorithm="LogisticRegression",
        profile="Word",
        rows=100,
        threshold=0.5,
        slope=1.0,
        # The version is in the offset, so that two versions of the same words have different digests.
        offset=-0.5 - int(version) / 1000,
        word=TermBlock(
            lengths=(1, 1),
            terms=tuple(known),
            document_counts=tuple((rows or {}).get(term, 10) for term in known),
            weights=tuple(known.values()),
        ),
    )
    model = render_artefact(parts)
    default_card = json.dumps(
        {"algorithm": "LogisticRegression", "metrics": {"accuracy": 0.99}, "data": "made for tests"}
    )
    return ModelArtefact(
        version=version,
        digest=digest_of(model),
        run_id=f"run-{version}",
        model=model,
        reference=reference,
        card=default_card if card is None else card,
    )


EVERYTHING_SPAM = {"free": 4.0, "prize": 4.0, "win": 3.0, "home": 9.0, "later": 9.0, "see": 9.0}


SMALL_TALK = ["".join(pair) for pair in product("bdfgklmnprst", ("ap", "en", "ill", "ot", "uff", "im", "ar"))]
OFFERS = ["".join(pair) for pair in product("bcdfglmprst", ("ash", "one", "icket", "aw"))]


def make_ordinary(count: int, *, seed: int) -> list[LabelledMessage]:
    """Old messages of two small vocabularies: talk, and one in five a prize."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        if rng.random() < 0.2:
            words = ["win", "a", "free", "prize", *rng.choices(OFFERS, k=12)]
            rows.append(LabelledMessage(text=" ".join(words), label=Label.SPAM))
        else:
            words = ["home", "later", *rng.choices(SMALL_TALK, k=10)]
            rows.append(LabelledMessage(text=" ".join(words), label=Label.HAM))
    return rows


def make_drift_artefact(*, rows: int) -> ModelArtefact:
    """A model with real references made of ordinary messages."""
    weights = {"win": 3.0, "free": 4.0, "prize": 4.0, "home": -3.0, "later": -3.0}
    weights |= {word: 0.05 * number for number, word in enumerate(OFFERS)}
    weights |= {word: -0.02 * number for number, word in enumerate(SMALL_TALK)}
    plain = make_artefact("1", weights)
    return replace(
        plain, reference=build_references(LinearModel.load(plain.model), make_ordinary(rows, seed=1), seed=1)
    )
