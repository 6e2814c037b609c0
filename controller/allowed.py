"""What may a SpamModel name? The operator's own addresses, its namespace's names, and what the operator lists."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase

from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import SpamModel
from controller.cache import Key
from controller.cluster import Object, key_of
from controller.settings import ControllerSettings


class NotAllowed(AutoRetrainError):  # noqa: N818 - named for what it reports
    """A document names what the operator does not allow. The message says in which field."""


def prometheus_url(document: Object | None, settings: ControllerSettings) -> str:
    """Return the Prometheus to ask for a model: its own, else the operator's. Raises NotAllowed: never another one."""
    named = ((document or {}).get("spec", {}).get("monitoring", {}).get("prometheus") or {}).get("url", "")
    allowed = settings.allowed_prometheus
    return _allowed_url("spec.monitoring.prometheus.url", named, own=settings.prometheus_url, others=allowed)


def keys_at(url: str, documents: Iterable[Object], settings: ControllerSettings) -> Iterator[Key]:
    """Return the keys of the models whose Prometheus is at `url`."""
    for document in documents:
        with suppress(NotAllowed):
            if prometheus_url(document, settings) == url:
                yield key_of(document)


def registry_url(document: Object, settings: ControllerSettings) -> str:
    """Return the MLflow server to ask for a model: its own, else the operator's. Raises NotAllowed."""
    named = document["spec"].get("registry", {}).get("trackingURI", "")
    allowed = settings.allowed_registries
    return _allowed_url("spec.registry.trackingURI", named, own=settings.mlflow_tracking_uri, others=allowed)


def registered_model(model: SpamModel, settings: ControllerSettings) -> str:
    """Return the name of the registered model.

    Raises NotAllowed where that is outside the namespace and the operator has not consented: our login may write to it.
    """
    name = model.spec.registered_model_name or model.key
    consent = any(fnmatchcase(name, pattern) for pattern in settings.allowed_registered_models)
    if not (consent or name.startswith(f"{model.namespace}.")):
        raise NotAllowed(
            f"spec.registry.registeredModelName: {name} is outside {model.namespace}. and needs the operator's consent"
            " (AUTORETRAIN_CONTROLLER_REGISTERED_MODELS_ALLOWED)"
        )
    return name


def _allowed_url(field: str, named: object, *, own: str, others: Collection[str]) -> str:
    """Return the address that `field` names, without a slash at its end, or `own` where it names none."""
    url, own = str(named).rstrip("/"), own.rstrip("/")
    if url and url != own and url not in others:
        raise NotAllowed(f"{field} is not on the operator's allow-list")
    return url or own
