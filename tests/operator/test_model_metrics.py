"""What Prometheus is told of each SpamModel is what its status says, and of a model that is gone nothing."""

import pytest

from controller.cluster import SPAM_MODEL
from controller.metrics import ControllerMetrics
from controller.model_metrics import FAMILIES
from tests.operator.operator_world import KEY, OperatorWorld, settled

MODEL = ".".join(KEY)


@pytest.fixture
def world() -> OperatorWorld:
    made = OperatorWorld()
    made.create_model()
    return settled(made)


def let_drift_start_a_run(world: OperatorWorld) -> None:
    world.drift_score, world.labels = 0.6, 2000
    world.wait(3600)
    world.make_pass()  # The guard of the first champion ends.
    world.make_pass()
    assert world.running


def told(*documents: dict) -> dict[tuple[str, ...], float]:
    """Name and values of the labels, in the families' order, of every series about a model."""
    metrics = ControllerMetrics()
    metrics.show_models(documents)
    return {
        (sample.name.removeprefix("autoretrain_controller_"), *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        if family.name in FAMILIES
        for sample in family.samples
    }


def test_conditions_are_told_with_status_and_reason(world):
    found = told(world.resource)
    assert found["condition_info", MODEL, "Ready", "True", "ChampionServed"] == 1
    assert found["condition_info", MODEL, "Degraded", "False", "Steady"] == 1
    conditions = world.resource["status"]["conditions"]
    assert sum(name == "condition_info" for name, *_ in found) == len(conditions)


def test_a_rollback_is_told_with_its_time(world):
    let_drift_start_a_run(world)
    world.finish_jobs()
    world.make_pass()
    world.roll_out()
    world.make_pass()
    world.guard_is_good = False
    settled(world)
    (entry,) = [each for each in world.status.history if each.decision == "ROLLBACK"]
    assert told(world.resource)["last_decision_timestamp_seconds", MODEL, "ROLLBACK"] == entry.at.timestamp()


def test_of_a_decision_that_was_made_twice_the_later_time_is_told(world):
    history = [{"decision": "HOLD", "time": f"2026-03-01T0{hour}:00:00Z"} for hour in (1, 2)]
    document = world.resource | {"status": {"history": history}}
    assert told(document)["last_decision_timestamp_seconds", MODEL, "HOLD"] == 1772330400


def test_runs_that_failed_in_a_row_are_counted(world):
    assert told(world.resource)["failed_runs", MODEL] == 0
    let_drift_start_a_run(world)
    world.fail_jobs()
    world.make_pass()
    assert told(world.resource)["failed_runs", MODEL] == 1


def test_a_notice_is_told_while_it_stands(world):
    document = world.resource | {"status": {"notices": [{"event": "NoNewData", "reason": "NoNewData"}]}}
    assert told(document)["notice_info", MODEL, "NoNewData", "NoNewData"] == 1
    assert not [name for name, *_ in told(world.resource) if name == "notice_info"]


def test_a_model_without_a_status_has_not_failed_and_a_status_that_is_none_hides_no_other_model(world):
    new = {"metadata": {"namespace": "team", "name": "new"}}
    strange = {"metadata": {"namespace": "team", "name": "strange"}, "status": {"history": [{"time": "soon"}]}}
    found = told(strange, new, world.resource)
    assert found["failed_runs", "team.new"] == 0
    assert not [key for key in found if key[1] == "team.strange"]
    assert found["failed_runs", MODEL] == 0


def test_nothing_is_told_of_a_model_that_is_gone(world):
    assert {key[1] for key in told(world.resource)} == {MODEL}
    del world.cluster.objects[SPAM_MODEL.name, *KEY]
    assert told() == {}
