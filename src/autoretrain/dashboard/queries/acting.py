"""What may a person do with a model and its versions now, what would come of it, and how is it asked for?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from autoretrain.app.fleet import Reach, Seen
from autoretrain.app.manual_verbs import Foreseen, Verb, changes_of, foresee
from autoretrain.dashboard.queries.versions import QUARANTINED, Version
from autoretrain.decide.storm import starts_within_day
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.status import ModelRef

ACTOR: Final = "dashboard"


def possible(seen: Seen, *, now: datetime) -> dict[Verb, Foreseen]:
    """Return the verbs that are about no version in particular, with what would come of each now."""
    switch = Verb.RESUME if seen.model.spec.suspend else Verb.SUSPEND
    verbs = (Verb.RETRAIN, Verb.ROLLBACK, Verb.APPROVE, switch)
    return {verb: foresee(verb, seen.model, seen.status, now=now) for verb in verbs}


def promotable(seen: Seen, version: Version, *, now: datetime) -> Foreseen:
    lineage = version.lineage
    known = RegistryVersion(version=lineage.version, digest=lineage.digest, alias="", run_id=lineage.run_id)
    return foresee(Verb.PROMOTE, seen.model, seen.status, now=now, version=lineage.version, registered=(known,))


def consequence(verb: Verb, seen: Seen, *, foreseen: Foreseen, version: Version | None, now: datetime) -> str:
    """Return in sentences what will happen."""
    status = seen.status
    number = version.number if version else ""
    guarded = "The guard watches it and puts the previous version back if it misbehaves."
    instead = f" in place of version {status.champion.version}" if status.champion else ""
    match verb:
        case Verb.RETRAIN:
            started, most = len(starts_within_day(status, now)), seen.model.spec.triggers.max_runs_per_day
            return (
                "A run trains on the data and the labels that are there now. Its candidate is compared with the "
                f"champion, as always. It is run {started + 1} of at most {most} within a day."
            )
        case Verb.ROLLBACK:
            champion = (status.rollout.to if status.rollout else status.champion) or ModelRef(version="", digest="")
            going = f"{foreseen.message[:1].upper()}{foreseen.message[1:]}."
            return f"{going} Version {champion.version} is quarantined: only a person can promote it again."
        case Verb.APPROVE:
            waiting = status.candidate.summary.version if status.candidate else ""
            return f"Version {waiting} passed the gates; it is served{instead}. {guarded}"
        case Verb.PROMOTE:
            freed = version is not None and QUARANTINED in version.role
            free = " It was rolled back before; this takes it out of quarantine." if freed else ""
            return f"Version {number} is served{instead}, without a comparison.{free} {guarded}"
        case Verb.SUSPEND:
            return "Nothing starts a run any more, a request by hand neither. Guard and rollback still act."
        case Verb.RESUME:
            return "Triggers start runs again."


def ask(reach: Reach, seen: Seen, verb: Verb, *, foreseen: Foreseen, version: str, reason: str) -> Mapping[str, Any]:
    """Leave the request for the next pass and return what it changed.

    Raises AutoRetrainError where it is not possible (any more) or can't be kept.
    """
    if not foreseen.allowed:
        raise AutoRetrainError(f"This is not possible now: {foreseen.message}.")
    changes = changes_of(verb, actor=ACTOR, reason=reason, status=seen.status, version=version)
    reach.place.request(**changes)
    return changes
