"""What would a policy have decided on recorded observations? Under the policy of then: the same, to the byte.

Each observation is decided by itself, from the status that was recorded with it. Once a changed policy decides
differently, the world would have gone another way, which no record shows; hence a decision that the changed policy
repeats on pass after pass counts as one episode.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from autoretrain.decide.transition import decide
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Plan
from autoretrain.domain.spec import SpamModelSpec

MAX_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    at: datetime
    recorded: str
    replayed: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """`passes` were replayed, `identical` of them gave a plan equal to the recorded one in every field.

    `recorded` and `replayed` count episodes: passes in a row with one decision for one reason are one. `differences`
    are the passes whose decision or reason differs.
    """

    passes: int
    identical: int
    recorded: tuple[tuple[str, int], ...]
    replayed: tuple[tuple[str, int], ...]
    differences: tuple[Difference, ...]

    def render(self) -> str:
        lines = [f"{self.passes} passes replayed, {self.identical} plans identical, {len(self.differences)} differ"]
        names = sorted({name for name, _ in (*self.recorded, *self.replayed)})
        recorded, replayed = dict(self.recorded), dict(self.replayed)
        width = max((len(name) for name in names), default=0)
        lines += [f"  {'episodes of':<{width}}  recorded  replayed"] if names else []
        lines += [f"  {name:<{width}}  {recorded.get(name, 0):>8}  {replayed.get(name, 0):>8}" for name in names]
        for each in self.differences[:MAX_SHOWN]:
            lines.append(f"  {each.at:%Y-%m-%d %H:%M:%S} {each.recorded} -> {each.replayed}: {each.message}")
        if len(self.differences) > MAX_SHOWN:
            lines.append(f"  and {len(self.differences) - MAX_SHOWN} more")
        return "\n".join(lines)


def replay(records: Iterable[tuple[Observation, Plan]], *, spec: SpamModelSpec | None = None) -> BacktestReport:
    """Decide every recorded observation again, under `spec` instead of the recorded one if given."""
    recorded_names: list[str] = []
    replayed_names: list[str] = []
    differences: list[Difference] = []
    identical = 0
    for observation, recorded in records:
        if spec is not None:
            observation = replace(observation, model=replace(observation.model, spec=spec))
        replayed = decide(observation)
        identical += replayed == recorded
        recorded_names.append(_name(recorded))
        replayed_names.append(_name(replayed))
        if recorded_names[-1] != replayed_names[-1]:
            differences.append(
                Difference(
                    at=observation.now,
                    recorded=recorded_names[-1],
                    replayed=replayed_names[-1],
                    message=replayed.message,
                )
            )
    return BacktestReport(
        passes=len(replayed_names),
        identical=identical,
        recorded=_episodes(recorded_names),
        replayed=_episodes(replayed_names),
        differences=tuple(differences),
    )


def _name(plan: Plan) -> str:
    return f"{plan.decision} ({plan.reason})"


def _episodes(names: list[str]) -> tuple[tuple[str, int], ...]:
    starts = [name for position, name in enumerate(names) if position == 0 or names[position - 1] != name]
    return tuple(sorted(Counter(starts).items()))
