"""Which versions answer, and which of them answers this message? Immutable: a change of model is a new line-up."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from autoretrain.domain.deployment import Deployment
from autoretrain.domain.spec import ExperimentMode
from autoretrain.ml.linear import LinearModel
from autoretrain.serving.metrics import VersionMetrics

CHAMPION = "champion"
CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One loaded, verified and warm version. `card` is what its training said of it; `artefact` is what was loaded."""

    version: str
    digest: str
    run_id: str
    model: LinearModel
    artefact: bytes
    reference: bytes
    card: dict[str, Any]
    loaded_at: datetime
    metrics: VersionMetrics

    @property
    def name(self) -> str:
        """The version as bodies, headers and metric labels show it."""
        return f"v{self.version}"

    @property
    def headers(self) -> dict[str, str]:
        """Which version gave an answer, for the answer's headers."""
        return {"x-model-version": self.name, "x-model-digest": self.digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """The champion, and the second version of an experiment where there is one."""

    deployment: Deployment
    champion: ServedModel
    second: ServedModel | None = None

    @property
    def shadow(self) -> ServedModel | None:
        """The version that scores along without answering."""
        experiment = self.deployment.experiment
        return self.second if experiment and experiment.mode is ExperimentMode.SHADOW else None

    def models(self) -> list[tuple[ServedModel, str]]:
        """Every loaded version with its role, the champion first."""
        return [(self.champion, CHAMPION)] + ([(self.second, CANDIDATE)] if self.second else [])

    def by_version(self, version: str) -> tuple[ServedModel, str] | None:
        """The loaded version of that number, with or without its `v`."""
        wanted = version.removeprefix("v")
        return next(((model, role) for model, role in self.models() if model.version == wanted), None)

    def answering(self, text: str, *, sender: str | None) -> tuple[ServedModel, str]:
        """Who answers: in an A/B test a stable share of the senders (of the texts, without one) meets the second."""
        experiment = self.deployment.experiment
        if self.second is None or experiment is None or experiment.mode is not ExperimentMode.AB:
            return self.champion, CHAMPION
        # The digest is in the hash so that the next experiment does not meet the same senders again. A larger percent
        # keeps the senders of the smaller one.
        key = blake2b(self.second.digest.encode(), digest_size=32).digest()
        subject = (text if sender is None else sender).encode("utf-8", "surrogatepass")
        bucket = int.from_bytes(blake2b(subject, digest_size=8, key=key).digest()) % 10_000
        return (self.second, CANDIDATE) if bucket < experiment.percent * 100 else (self.champion, CHAMPION)
