"""Is there a champion already, that an empty status does not know of? It is adopted before anything is trained.

What serving serves comes first, since it is the truth; then the registry's alias. A document that pins a version is
obeyed likewise: that version is to be served, whatever was promoted.
"""

from dataclasses import replace

from autoretrain.decide.rollout import promote
from autoretrain.decide.step import Step
from autoretrain.domain.observation import Observation, RegistryVersion
from autoretrain.domain.plan import Decision, Deploy
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import ModelRef


def adopt_champion(observation: Observation) -> Step | None:
    """Take over what is served or registered as champion while the status knows of none."""
    status, registered = observation.status, observation.registry or ()
    if status.champion is not None or status.rollout is not None:
        return None
    champion, where = _served(observation), "is served already"
    if champion is None:
        champion, where = _with_alias(registered, "champion"), "is registered as champion"
    if champion is None:
        return None
    previous = _with_alias(registered, "previous")
    after = replace(
        status,
        champion=replace(champion, promoted_at=observation.now),
        previous=previous if previous and previous.digest != champion.digest else None,
    )
    return Step(
        decision=Decision.NO_ACTION,
        reason=Reason.ADOPTED,
        message=f"version {champion.version} {where} and was adopted",
        status=after,
        actions=(Deploy(model=champion),),
    )


def follow_pin(observation: Observation) -> Step | None:
    """Serve the pinned version, unless the registry does not know it or it was rolled back (`pin_problem`)."""
    status, pinned = observation.status, observation.model.spec.serving.pinned_version
    wanted = status.rollout.to if status.rollout else status.champion
    if not pinned or (wanted is not None and wanted.version == pinned) or (status.rollout and status.rollout.rollback):
        return None
    found = find_version(observation.registry, pinned)
    if found is None or found.digest in status.quarantined:
        return None
    after, deploy = promote(status, found, reason=Reason.PINNED, now=observation.now, expected=None)
    return Step(
        decision=Decision.PROMOTE,
        reason=Reason.PINNED,
        message=f"spec.serving.pinnedVersion asks for version {pinned}",
        status=after,
        actions=(deploy,),
    )


def pin_problem(observation: Observation) -> tuple[Reason, str] | None:
    """Say why the pinned version can't be served; None where it can, or where the registry could not be read."""
    status, pinned = observation.status, observation.model.spec.serving.pinned_version
    if not pinned or (status.champion is not None and status.champion.version == pinned):
        return None
    if observation.registry is None:
        return None
    found = find_version(observation.registry, pinned)
    if found is None:
        return Reason.VERSION_UNKNOWN, f"spec.serving.pinnedVersion: the registry has no version {pinned}"
    if found.digest in status.quarantined:
        return Reason.QUARANTINED, f"spec.serving.pinnedVersion: version {pinned} was rolled back"
    return None


def find_version(registry: tuple[RegistryVersion, ...] | None, version: str) -> ModelRef | None:
    found = next((entry for entry in registry or () if entry.version == version), None)
    return _reference(found) if found else None


def _served(observation: Observation) -> ModelRef | None:
    served = observation.served
    if served is None or served.version is None:
        return None
    registered = find_version(observation.registry, served.version)
    digest = served.digest or (registered.digest if registered else None)
    if digest is None:
        return None
    same = registered is not None and registered.digest == digest
    return ModelRef(version=served.version, digest=digest, run_id=registered.run_id if registered and same else "")


def _with_alias(registry: tuple[RegistryVersion, ...], alias: str) -> ModelRef | None:
    found = next((entry for entry in registry if entry.alias == alias), None)
    return _reference(found) if found else None


def _reference(entry: RegistryVersion) -> ModelRef:
    return ModelRef(version=entry.version, digest=entry.digest, run_id=entry.run_id)
