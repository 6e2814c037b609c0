"""A second version beside the champion, and what becomes of it while another one is rolled out."""

from controller.cluster import DEPLOYMENT
from controller.serving_state import experiment_digest
from tests.operator.operator_world import KEY, OperatorWorld, settled
from tests.unit.decide.builders import registered


def experiment(world: OperatorWorld) -> str:
    """The digest of the second version that is served; '' without one."""
    return experiment_digest(world.cluster.objects[DEPLOYMENT.name, KEY[0], "sms-spam-serving"], "9")


def test_an_experiment_pauses_while_a_promotion_is_rolled_out_and_goes_on_after_it():
    world = OperatorWorld()
    world.create_model()
    settled(world)
    world.registry.known["9"] = registered("9")
    world.change(lambda thing: thing["spec"]["serving"].update(experiment={"mode": "Shadow", "version": "9"}))
    settled(world, passes=2)
    assert experiment(world) == "digest-9"
    world.registry.known["2"] = registered("2")
    world.annotate(promote_requested="2")
    world.make_pass()
    world.make_pass()
    assert world.status.rollout is not None
    assert experiment(world) == ""
    settled(world, passes=3)
    assert (world.status.champion.version, experiment(world)) == ("2", "digest-9")
