"""What is to be served, and the plain artefact that is served."""

from dataclasses import dataclass

from autoretrain.domain.spec import ExperimentMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A second version beside the champion; `percent` is the share of senders it answers in an A/B test."""

    mode: ExperimentMode
    version: str
    digest: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The exact version and digest that serving must serve. `revision` rises with every change."""

    version: str
    digest: str
    revision: int = 0
    experiment: Experiment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArtefact:
    """What a registered version is made of. `digest` is that of `model`, which serving loads.

    `reference` holds the version's drift reference sets with their noise floors and the golden ham set; `card` is a
    small JSON object (algorithm, metrics, data hash and source, trained at) that `/models/current` shows.
    """

    version: str
    digest: str
    run_id: str
    model: bytes
    reference: bytes
    card: str
