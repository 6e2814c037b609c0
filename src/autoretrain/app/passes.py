"""One pass: gather, decide, apply, fold, and one write. Every shell runs this and nothing else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autoretrain.decide.transition import decide, fold
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Action, Outcome, Plan
from autoretrain.domain.status import Status


class World(Protocol):
    """What a pass needs of the place it runs in; one machine's is `local.LocalWorld`."""

    def gather(self, now: datetime) -> Observation: ...

    def apply(self, action: Action, observation: Observation) -> None:
        """Carry out one action; doing it twice is doing it once. Raises AutoRetrainError where it failed."""

    def save(self, result: "PassResult") -> None:
        """Write the decision record, then the status, if it changed; only after that tell anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    observation: Observation
    plan: Plan
    outcomes: tuple[Outcome, ...]
    status: Status

    @property
    def changed(self) -> bool:
        return self.status != self.observation.status


def run_pass(world: World, now: datetime) -> PassResult:
    """Make one pass. Killing the process anywhere in it and making the next pass leads to the same end."""
    observation = world.gather(now)
    plan = decide(observation)
    outcomes = tuple(_apply(world, action, observation) for action in plan.actions)
    status = fold(observation, plan, outcomes)
    result = PassResult(observation=observation, plan=plan, outcomes=outcomes, status=status)
    world.save(result)
    return result


def _apply(world: World, action: Action, observation: Observation) -> Outcome:
    try:
        world.apply(action, observation)
    except AutoRetrainError as error:
        return Outcome(action=action, succeeded=False, message=str(error))
    return Outcome(action=action, succeeded=True)
