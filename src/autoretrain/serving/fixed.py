"""What is served where the Pod's own template says it: one version, from wherever its artefact can be had."""

import structlog
from pydantic import ValidationError

from autoretrain.adapters import records
from autoretrain.adapters.registry_rest import RestRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.ml.linear import digest_of
from autoretrain.serving.loading import ArtefactSource

log = structlog.get_logger(__name__)


class FixedDeployment:
    """A deployment that never changes: another one is another Pod. The store need not be there."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    @classmethod
    def from_settings(cls, settings: Settings) -> "FixedDeployment | None":
        """Return what the environment says is to be served; None where it leaves that to the store.

        Raises AutoRetrainError for half a deployment: serving something else instead would be wrong.
        """
        version, digest = settings.served_version, settings.served_digest
        if not version and not digest:
            return None
        if not version or not digest:
            raise AutoRetrainError("AUTORETRAIN_SERVED_VERSION and AUTORETRAIN_SERVED_DIGEST go together")
        return cls(Deployment(version=version, digest=digest, experiment=_parse_experiment(settings.served_experiment)))

    def check_schema(self) -> None:
        """Nothing is asked of the store."""

    def deployment(self) -> Deployment:
        return self._deployment


def _parse_experiment(text: str) -> Experiment | None:
    if not text:
        return None
    try:
        return records.load_json(Experiment, text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        raise AutoRetrainError(f"AUTORETRAIN_SERVED_EXPERIMENT: {where}: {error.errors()[0]['msg']}") from None


def keeping(registry: RestRegistry, store: Store) -> ArtefactSource:
    """The registry as a source; what it gives is kept in the store, so that the next Pod needs no registry."""

    def fetch(version: str, digest: str) -> ModelArtefact | None:
        artefact = registry.artefact(version, digest)
        if artefact is not None and digest_of(artefact.model) == digest:
            try:
                store.put_artefact(artefact)
            except AutoRetrainError as error:
                log.warning("the artefact is served, but not kept", version=version, reason=str(error))
        return artefact

    return fetch
