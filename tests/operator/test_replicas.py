"""A service keeps its replicas while it changes who says how many there are."""

import pytest

from controller.cluster import AUTOSCALER, DEPLOYMENT, Unreachable, key_of
from tests.operator.operator_world import KEY, OperatorWorld, settled

NAME = "sms-spam-serving"
PLACE = (DEPLOYMENT.name, KEY[0], NAME)
BETWEEN_2_AND_6 = {"mode": "Autoscaling", "minReplicas": 2, "maxReplicas": 6, "targetCPUUtilizationPercentage": 70}
EXTERNAL = {"mode": "External"}


def fixed(replicas):
    return {"mode": "Fixed", "replicas": replicas}


def serving(scaling):
    world = OperatorWorld()
    world.create_model(serving={"scaling": scaling})
    settled(world)
    world.cluster.deliver(world.passes.cache)
    return world


def rescale(world, scaling):
    world.change(lambda thing: thing["spec"]["serving"].update(scaling=scaling))


def numbers(world):
    """Every number of replicas that was stored since the watches have caught up, without repetitions."""
    stored = [thing for thing, _ in world.cluster.events if (thing["kind"], *key_of(thing)) == PLACE]
    found = [thing["spec"]["replicas"] for thing in stored]
    return [number for at, number in enumerate(found) if at == 0 or number != found[at - 1]]


def stored_in_a_pass(world):
    world.cluster.deliver(world.passes.cache)
    world.make_pass(deliver=False)
    return numbers(world)


def replicas(world):
    return world.cluster.objects[PLACE]["spec"]["replicas"]


def managers(world):
    return [each["manager"] for each in world.cluster.objects[PLACE]["metadata"]["managedFields"]]


def calls_since(world, start):
    return [call for call in world.cluster.calls[start:] if call[2] == NAME and call[1] == DEPLOYMENT.name]


@pytest.mark.parametrize("scaling", [{**BETWEEN_2_AND_6, "maxReplicas": 10}, EXTERNAL], ids=lambda each: each["mode"])
def test_a_number_that_is_no_longer_ours_stays_as_it_is(scaling):
    world = serving(fixed(10))
    rescale(world, scaling)
    assert stored_in_a_pass(world) == [10]
    assert managers(world) == ["autoretrain-handover"]


@pytest.mark.parametrize(("before", "after"), [(10, 6), (1, 2), (4, 4)])
def test_an_autoscaler_is_handed_a_number_within_its_bounds(before, after):
    world = serving(fixed(before))
    rescale(world, BETWEEN_2_AND_6)
    assert stored_in_a_pass(world)[-1] == after
    assert min(numbers(world)) >= min(before, after)
    assert managers(world) == ["autoretrain-handover"]


def test_what_an_autoscaler_says_stays_when_another_version_is_served():
    world = serving(BETWEEN_2_AND_6)
    world.cluster.scale(KEY[0], NAME, 5)
    rescale(world, {**BETWEEN_2_AND_6, "maxReplicas": 5})
    world.change(lambda thing: thing["spec"]["serving"].update(image="serving:2"))
    start = len(world.cluster.calls)
    assert stored_in_a_pass(world) == [5]
    assert managers(world) == ["kube-controller-manager"]
    assert calls_since(world, start) == [("get", DEPLOYMENT.name, NAME), ("apply", DEPLOYMENT.name, NAME)]


@pytest.mark.parametrize("scaled_to", [None, 2, 3, 6])
@pytest.mark.parametrize("scaling", [BETWEEN_2_AND_6, EXTERNAL], ids=lambda each: each["mode"])
def test_a_fixed_number_is_taken_back_from_whoever_has_it(scaling, scaled_to):
    world = serving(fixed(4))
    rescale(world, scaling)
    world.make_pass()
    if scaled_to:
        world.cluster.scale(KEY[0], NAME, scaled_to)
    rescale(world, fixed(3))
    world.make_pass()
    assert (replicas(world), world.cluster.of(AUTOSCALER)) == (3, [])
    assert world.condition("Degraded")[0] == "False"


def test_the_number_may_change_hands_again_and_again():
    world = serving(fixed(4))
    for _ in range(3):
        for scaling in (BETWEEN_2_AND_6, fixed(4), EXTERNAL, fixed(4)):
            rescale(world, scaling)
            assert stored_in_a_pass(world) in ([], [4])
    assert replicas(world) == 4


def test_an_autoscaler_that_acts_once_more_before_it_is_gone_has_not_the_last_word():
    world = serving(BETWEEN_2_AND_6)
    rescale(world, fixed(4))

    def act(number):
        if world.cluster.calls[number - 1][:2] == ("delete", AUTOSCALER.name):
            world.cluster.scale(KEY[0], NAME, 2)

    world.cluster.before = act
    world.make_pass()
    assert replicas(world) == 2
    world.make_pass()
    assert (replicas(world), world.cluster.of(AUTOSCALER)) == (4, [])


def test_an_autoscaler_stays_until_the_fixed_number_is_accepted():
    world = serving(BETWEEN_2_AND_6)
    rescale(world, fixed(4))
    world.refuse(DEPLOYMENT)
    world.make_pass()
    assert len(world.cluster.of(AUTOSCALER)) == 1
    world.refuse()
    world.make_pass()
    assert (replicas(world), world.cluster.of(AUTOSCALER)) == (4, [])


def lose_the_first_apply(world):
    """The hand-over's answer, or the call itself, is lost; later calls are not."""

    def lose(number):
        if world.cluster.calls[number - 1] == ("apply", DEPLOYMENT.name, NAME):
            world.cluster.before = world.cluster.after = lambda _number: None
            raise Unreachable("no answer")

    return lose


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scaling", [BETWEEN_2_AND_6, EXTERNAL], ids=lambda each: each["mode"])
def test_a_hand_over_that_failed_is_told_and_tried_again_before_anything_else_is_applied(scaling, moment):
    world = serving(fixed(4))
    rescale(world, scaling)
    setattr(world.cluster, moment, lose_the_first_apply(world))
    start = len(world.cluster.calls)
    assert world.make_pass().failed
    assert calls_since(world, start) == [("get", DEPLOYMENT.name, NAME), ("apply", DEPLOYMENT.name, NAME)]
    assert world.condition("Degraded") == ("True", "ApplyFailed", f"Deployment {NAME}: no answer")
    assert "autoretrain" in managers(world)
    assert stored_in_a_pass(world) == [4]
    assert (managers(world), world.condition("Degraded")[0]) == (["autoretrain-handover"], "False")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
def test_killed_at_any_call_of_a_change_of_mode_no_replica_is_lost(at, after):
    world = serving(fixed(4))
    rescale(world, BETWEEN_2_AND_6)
    world.make_killed_pass(at=at, after=after)
    for _ in range(2):
        assert set(numbers(world)) <= {4}
        world.make_pass()
    assert (replicas(world), managers(world)) == (4, ["autoretrain-handover"])


def test_a_number_that_somebody_changed_just_now_is_not_handed_over_as_it_was():
    world = serving(fixed(4))
    rescale(world, EXTERNAL)
    world.cluster.deliver(world.passes.cache)
    live = world.cluster.objects[PLACE]
    world.cluster.put({**live, "spec": {**live["spec"], "replicas": 7}})  # No watch has shown it yet.
    world.make_pass(deliver=False)
    assert (replicas(world), managers(world)) == (7, ["somebody"])


def test_once_handed_over_a_steady_pass_makes_no_call():
    world = serving(fixed(4))
    rescale(world, BETWEEN_2_AND_6)
    settled(world, passes=3)
    world.windows -= 1
    world.make_pass()
    start = len(world.cluster.calls)
    world.cluster.scale(KEY[0], NAME, 6)
    world.roll_out()
    world.make_pass()
    assert world.cluster.calls[start:] == []
