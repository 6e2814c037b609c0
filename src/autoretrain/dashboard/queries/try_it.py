"""What does each version that the store keeps say of one message, and by which words? Nothing of it is recorded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Experiment
from autoretrain.domain.errors import ArtefactRejected
from autoretrain.domain.messages import Label, LabelKind, NewLabel
from autoretrain.domain.status import Status
from autoretrain.ml.linear import LinearModel, digest_of

MOST_CHARACTERS: Final = 4096
"""As many as serving answers."""

MOST_WORDS: Final = 10
SOURCE: Final = "dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A version that can be asked here."""

    version: str
    digest: str
    role: str

    @property
    def name(self) -> str:
        return f"v{self.version} ({self.role})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one version says. `words` are those that weigh most, with their shares of the log-odds, heaviest first.

    A positive share speaks for spam. `without` is the probability of spam where no word is known; `others` the sum of
    the shares that are not among `words`.
    """

    label: Label
    confidence: float
    words: tuple[tuple[str, float], ...]
    others: float
    without: float


def kept_versions(status: Status, experiment: Experiment | None) -> list[Kept]:
    """Return the versions whose artefacts the store keeps, the champion first, each once."""
    refs = [("champion", status.champion), ("previous", status.previous)]
    refs.append(("on its way", status.rollout.to if status.rollout else None))
    found = [Kept(version=ref.version, digest=ref.digest, role=role) for role, ref in refs if ref]
    if status.candidate is not None:
        summary = status.candidate.summary
        role = f"candidate, {status.candidate.decision}"
        found.append(Kept(version=summary.version, digest=summary.digest, role=role))
    if experiment is not None:
        found.append(Kept(version=experiment.version, digest=experiment.digest, role=experiment.mode.value))
    first = {kept.digest: kept for kept in reversed(found)}
    return [kept for kept in found if first[kept.digest] is kept]


def open_model(store: Store, kept: Kept) -> LinearModel:
    """Return the model of exactly that digest, as serving would. Raises ArtefactRejected, StoreUnavailable."""
    artefact = store.artefact(kept.digest)
    if artefact is None:
        raise ArtefactRejected(f"the store does not keep version {kept.version}")
    if (found := digest_of(artefact.model)) != kept.digest:
        raise ArtefactRejected(f"version {kept.version} has digest {found}, wanted is {kept.digest}")
    return LinearModel.load(artefact.model)


def opinion_of(model: LinearModel, text: str) -> Opinion:
    label, confidence = model.predict(text)
    shares = sorted(model.contributions(text).items(), key=lambda share: (-abs(share[1]), share[0]))
    words = tuple((word, share) for word, share in shares[:MOST_WORDS] if share)
    return Opinion(
        label=label,
        confidence=confidence,
        words=words,
        others=sum(share for _, share in shares[len(words) :]),
        without=model.score(""),
    )


def word_rows(opinion: Opinion) -> list[dict[str, Any]]:
    """One row a word, heaviest first: its share of the log-odds and what it speaks for."""
    return [
        {"word": word, "weight": share, "speaks for": "spam" if share > 0 else "ham"} for word, share in opinion.words
    ]


def tell_label(store: Store, text: str, label: Label, *, now: datetime) -> None:
    """Keep what an operator says of a message, as a trusted report: it trains, and never measures."""
    given = NewLabel(label=label, kind=LabelKind.REPORT, source=SOURCE, trusted=True, received_at=now, text=text)
    store.add_labels([given])
