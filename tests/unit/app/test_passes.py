"""A pass decides on what was gathered, carries it out once, and writes once; a failed action is planned again."""

from dataclasses import dataclass, field, replace

from autoretrain.app.passes import run_pass
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision, StartTraining
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Status
from tests.unit.decide.builders import NOW, quiet


@dataclass
class RecordingWorld:
    """A world of one observation; `broken` lets every action fail."""

    seen: object
    broken: bool = False
    applied: list = field(default_factory=list)
    saved: list = field(default_factory=list)

    def gather(self, now):
        return replace(self.seen, now=now)

    def apply(self, action, observation):
        if self.broken:
            raise AutoRetrainError("no process could be started")
        self.applied.append(action)

    def save(self, result):
        self.saved.append(result)


def untrained():
    return replace(quiet(), status=Status(), registry=(), served=None, run=None, drift=None, performance=None)


def test_without_a_champion_a_run_is_submitted_and_remembered():
    world = RecordingWorld(untrained())
    result = run_pass(world, NOW)
    [action] = world.applied
    assert isinstance(action, StartTraining)
    assert result.plan.decision is Decision.RETRAIN
    assert result.status.active_run == action.run
    assert world.saved == [result]


def test_an_action_that_failed_leaves_the_run_unsubmitted_and_says_so():
    world = RecordingWorld(untrained(), broken=True)
    result = run_pass(world, NOW)
    assert result.status.active_run is None
    [degraded] = [c for c in result.status.conditions if c.type == "Degraded"]
    assert (degraded.status, degraded.reason) == (True, Reason.ACTION_FAILED)
    assert "no process could be started" in degraded.message


def test_a_pass_that_was_killed_before_its_write_submits_the_same_run_again():
    first, second = RecordingWorld(untrained()), RecordingWorld(untrained())
    run_pass(first, NOW)
    run_pass(second, NOW)
    assert first.applied == second.applied


def test_a_steady_world_is_not_written():
    first = run_pass(RecordingWorld(quiet()), NOW)
    again = run_pass(RecordingWorld(replace(quiet(), status=first.status)), NOW)
    assert not again.changed
