"""How does a wanted version become a served one? Exact version and digest, verified, built and warm before use."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import ArtefactRejected, AutoRetrainError
from autoretrain.ml.linear import LinearModel, digest_of
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.metrics import ServingMetrics

ArtefactSource = Callable[[str, str], ModelArtefact | None]
"""(version, digest) -> the artefact, None where this source does not have it."""

WARM_UP_MESSAGES: Final = (
    "Ok, see you at 5 then :)",
    "URGENT! You have won a £900 prize. Call 09061701461 now or visit www.example.com to claim.",
    "你好, ça va? 😀 I'll b there l8r",
)


class VersionMissing(AutoRetrainError):  # noqa: N818 - named for what is missing
    """No source has the wanted version."""


class ModelLoader:
    """Builds line-ups from the first source that has the artefact. Blocking; call it off the event loop."""

    def __init__(
        self,
        sources: Sequence[ArtefactSource],
        metrics: ServingMetrics,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sources, self._metrics, self._now = sources, metrics, now

    def build(self, deployment: Deployment, *, loaded: Sequence[ServedModel]) -> tuple[Lineup, str | None]:
        """The line-up for `deployment`, and what kept the second version out of it.

        Models among `loaded` that are wanted again are taken over. Raises AutoRetrainError where the champion can't be
        loaded: no line-up is better than one without its champion.
        """
        champion = self._model(deployment.version, deployment.digest, loaded=loaded)
        lineup = Lineup(deployment=deployment, champion=champion)
        experiment = deployment.experiment
        if experiment is None:
            return lineup, None
        try:
            second = self._model(experiment.version, experiment.digest, loaded=loaded)
        except AutoRetrainError as error:
            return lineup, str(error)
        return replace(lineup, second=second), None

    def _model(self, version: str, digest: str, *, loaded: Sequence[ServedModel]) -> ServedModel:
        for present in loaded:
            if (present.version, present.digest) == (version, digest):
                return present
        artefact = self._find(version, digest)
        model = LinearModel.load(artefact.model)
        _warm_up(model)
        return ServedModel(
            version=version,
            digest=digest,
            run_id=artefact.run_id,
            model=model,
            artefact=artefact.model,
            reference=artefact.reference,
            card=_parse_card(artefact.card, version=version),
            loaded_at=self._now(),
            metrics=self._metrics.for_version(f"v{version}"),
        )

    def _find(self, version: str, digest: str) -> ModelArtefact:
        """Return the artefact of the first source whose bytes are the wanted ones: one copy may be damaged."""
        reasons, damaged = [], ""
        for source in self._sources:
            try:
                artefact = source(version, digest)
            except AutoRetrainError as error:
                reasons.append(str(error))
                continue
            if artefact is None:
                continue
            if (found := digest_of(artefact.model)) == digest:
                return artefact
            damaged = f"version {version} has digest {found}, wanted is {digest}"
        if damaged:
            raise ArtefactRejected(damaged)
        because = f": {'; '.join(reasons)}" if reasons else ""
        raise VersionMissing(f"version {version} ({digest}) is neither in the store nor in the registry{because}")


def _warm_up(model: LinearModel) -> None:
    for text in WARM_UP_MESSAGES:
        score = model.score(text)
        if not 0.0 <= score <= 1.0:
            raise ArtefactRejected(f"the model scores {score}, which is no probability")
        model.top_features(text)


def _parse_card(card: str, *, version: str) -> dict[str, object]:
    try:
        parsed = json.loads(card or "{}")
    except ValueError:
        raise ArtefactRejected(f"the card of version {version} is not JSON") from None
    if not isinstance(parsed, dict):
        raise ArtefactRejected(f"the card of version {version} is not an object")
    return parsed
