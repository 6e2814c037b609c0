"""What may a person ask of a model by hand, what would come of it now, and was it acted on? For commands and pages.

A request changes fields of `Requests`, or the switch; the next pass acts on it, once. What would come of it is not
guessed here: the decision core is asked, as the next pass will ask it.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from autoretrain.decide.requests import obey_requests
from autoretrain.decide.storm import holds
from autoretrain.decide.triggers import TriggerKind
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import LabelSupply, Observation, RegistryVersion
from autoretrain.domain.plan import Decision
from autoretrain.domain.spec import Requests, SpamModel
from autoretrain.domain.status import HandledRequests, Status


class Verb(StrEnum):
    RETRAIN = "retrain"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    PROMOTE = "promote"
    SUSPEND = "suspend"
    RESUME = "resume"


NOBODY_WAITS = "no candidate waits for an approval"
SWITCHES = frozenset({Verb.SUSPEND, Verb.RESUME})
"""These leave no request behind: they change the model itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Whether a verb would be followed now, and in the core's words what would come of it or what is in its way."""

    allowed: bool
    message: str


def changes_of(verb: Verb, *, actor: str, reason: str, status: Status, version: str = "") -> dict[str, Any]:
    """Return what the verb changes in the requests, with a token of its own. `version` may be written 7 or v7.

    Raises AutoRetrainError where it makes no sense: a promotion without a reason, an approval of nothing.
    """
    token = uuid.uuid4().hex[:12]
    who: dict[str, Any] = {"actor": actor, "reason": reason}
    version = version.removeprefix("v")
    match verb:
        case Verb.SUSPEND | Verb.RESUME:
            return {"suspend": verb is Verb.SUSPEND}
        case Verb.RETRAIN | Verb.ROLLBACK:
            return who | {verb.value: token}
        case Verb.APPROVE:
            version = version or (status.candidate.summary.version if status.candidate else "")
            if not version:
                raise AutoRetrainError(NOBODY_WAITS)
            return who | {"approve_version": version}
        case Verb.PROMOTE:
            if not reason:
                raise AutoRetrainError("a promotion round the comparison is recorded: say why")
            return who | {"promote_version": version, "promote_token": token}


def is_handled(handled: HandledRequests, changes: Mapping[str, Any]) -> bool:
    """Say whether the request of `changes` was acted on. A promotion is known by its token: versions may recur."""
    tokens = {
        "retrain": handled.retrain,
        "rollback": handled.rollback,
        "approve_version": handled.approve,
        "promote_token": handled.promote,
    }
    return all(changes[field] == token for field, token in tokens.items() if field in changes)


def foresee(
    verb: Verb,
    model: SpamModel,
    status: Status,
    *,
    now: datetime,
    version: str = "",
    registered: Sequence[RegistryVersion] = (),
) -> Foreseen:
    """Return what the core would do about `verb` if nothing but `model`, `status` and the registry's versions counted.

    A request that is under way already is left out of it. Evidence never decides about what a person asks for.
    """
    suspended = model.spec.suspend
    if verb is Verb.SUSPEND:
        return Foreseen(allowed=not suspended, message="it is suspended already" if suspended else "")
    if verb is Verb.RESUME:
        return Foreseen(allowed=suspended, message="" if suspended else "it is not suspended")
    try:
        changes = changes_of(verb, actor="", reason="by hand", status=status, version=version)
    except AutoRetrainError:
        return Foreseen(allowed=False, message=NOBODY_WAITS)
    observation = Observation(
        now=now,
        model=replace(model, requests=Requests(**(changes | {"reason": ""}))),
        status=status,
        served=None,
        drift=None,
        pending_messages=0,
        performance=None,
        supply=LabelSupply(new_labels=0, new_spam_labels=0, highest_sequence=0),
        run=None,
        guard=None,
        registry=tuple(registered),
    )
    if verb is Verb.RETRAIN:
        held = holds(observation, TriggerKind.MANUAL)
        return Foreseen(allowed=not held, message="; ".join(finding.message for finding in held))
    step = obey_requests(observation)
    if step is None:
        return Foreseen(allowed=False, message="the same was asked for before")
    message = step.message.removeprefix("asked for by hand; ")
    return Foreseen(allowed=step.decision in {Decision.PROMOTE, Decision.ROLLBACK}, message=message)
