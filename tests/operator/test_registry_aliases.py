"""The registry's aliases follow the status, also where somebody moves them by hand while nothing else happens."""

from dataclasses import replace

from tests.operator.operator_world import OperatorWorld, settled

HOUR = 3600.0


def at_rest() -> OperatorWorld:
    world = OperatorWorld()
    world.create_model()
    settled(world)
    return world


def counted(world: OperatorWorld) -> list[str]:
    """The names of the calls from now on that read the registry."""
    calls: list[str] = []
    for name in ("owner", "versions"):
        call = getattr(world.registry, name)
        setattr(world.registry, name, lambda name=name, call=call: calls.append(name) or call())
    return calls


def move_alias(world: OperatorWorld) -> None:
    world.registry.known = {number: replace(entry, alias="") for number, entry in world.registry.known.items()}


def pass_hours(world: OperatorWorld, hours: int, *, every: float = 600.0) -> None:
    for _ in range(int(hours * HOUR / every)):
        world.wait(every)
        world.make_pass()


def aliases(world: OperatorWorld) -> dict[str, str]:
    return {entry.alias: number for number, entry in world.registry.known.items() if entry.alias}


def test_an_alias_that_was_moved_by_hand_is_put_right_within_the_hour():
    world = at_rest()
    before = aliases(world)
    assert before["champion"] == "1"
    move_alias(world)
    pass_hours(world, 1)
    world.make_pass()
    assert aliases(world) == before


def test_the_aliases_of_a_model_at_rest_are_read_once_in_an_hour():
    world = at_rest()
    calls = counted(world)
    pass_hours(world, 10)
    assert 9 <= calls.count("versions") <= 11


def test_a_registry_that_is_away_is_no_matter_for_a_model_at_rest():
    world = at_rest()
    before = world.status.conditions
    world.registry.down = True
    pass_hours(world, 2)
    assert world.status.conditions == before


def test_aliases_of_somebody_elses_model_stay_as_they_are():
    world = at_rest()
    world.registry.owned_by = "other-cluster/default/sms-spam"
    move_alias(world)
    pass_hours(world, 2)
    assert aliases(world) == {}
