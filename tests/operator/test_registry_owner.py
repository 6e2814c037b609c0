"""Whose is the registered model? No run is started that would register into somebody else's."""

import pytest

from tests.operator.operator_world import OperatorWorld, settled

OTHER = "other-cluster/default/sms-spam"
EVERY_MINUTE = {"schedule": {"mode": "Act", "cron": "* * * * *", "timeZone": "Etc/UTC"}, "cooldownSeconds": 0}


def created(**spec) -> OperatorWorld:
    world = OperatorWorld()
    world.create_model(**spec)
    return world


def passed(world: OperatorWorld, *, passes: int = 3) -> OperatorWorld:
    for _ in range(passes):
        world.wait(90)
        world.make_pass()
    return world


def test_somebody_elses_model_is_not_trained_into_by_hand():
    world = created()
    world.registry.owned_by = OTHER
    world.annotate(retrain_requested="t1")
    passed(world)
    assert world.jobs == []
    assert world.condition("Stalled")[:2] == ("True", "RegistryOwned")
    assert world.condition("Retraining")[:2] == ("False", "RegistryOwned")


def test_somebody_elses_model_is_not_trained_into_by_schedule():
    world = created(triggers=EVERY_MINUTE)
    world.registry.owned_by = OTHER
    assert passed(world).jobs == []


def test_a_schedule_waits_while_nobody_knows_whether_there_is_a_champion():
    world = created(triggers=EVERY_MINUTE)
    world.registry.down = True
    assert passed(world).jobs == []
    world.registry.down = False
    assert len(passed(world).jobs) == 1


@pytest.mark.parametrize("request_run", [True, False])
def test_a_model_that_got_another_owner_is_not_trained_into_although_a_champion_is_served(request_run):
    world = settled(created())
    world.registry.owned_by, jobs = OTHER, len(world.jobs)
    if request_run:
        world.annotate(retrain_requested="t1")
    else:
        world.drift_score, world.labels = 0.5, 2000
    world.wait(3600)
    passed(world)
    assert len(world.jobs) == jobs
    assert world.condition("Stalled")[:2] == ("True", "RegistryOwned")
    assert world.served_version == "1"
    world.annotate(adopt_registered_model="yes")
    assert len(passed(world).running) == 1


def test_a_run_waits_for_a_registry_that_does_not_say_whose_the_model_is():
    world = settled(created())
    world.registry.down, jobs = True, len(world.jobs)
    world.annotate(retrain_requested="t1")
    passed(world)
    assert (len(world.jobs), world.condition("Retraining")[:2]) == (jobs, ("False", "EvidenceMissing"))
    world.registry.down = False
    assert len(passed(world).running) == 1


def test_the_owner_is_asked_for_only_when_a_run_is_about_to_start():
    world = settled(created())
    asked = []
    owner = world.registry.owner
    world.registry.owner = lambda: asked.append(1) or owner()
    passed(world)
    assert asked == []
    world.annotate(retrain_requested="t1")
    passed(world)
    assert asked == [1]


@pytest.mark.parametrize(("silent", "says"), [(False, "the registry can't be reached"), (True, "within 15 s")])
def test_a_run_whose_summary_only_the_registry_has_says_what_is_wrong_there(silent, says):
    world = created()
    world.make_pass()
    world.finish_jobs(summary_lost=True)
    world.registry.down = True
    if silent:

        def find_run(_name):
            raise TimeoutError

        world.registry.find_run = find_run
    world.make_pass()
    assert world.condition("Retraining")[2].endswith(says)
