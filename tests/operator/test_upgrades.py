"""A new default of the operator's reaches a few models at a time, and stops where their Pods don't become ready."""

import asyncio
import copy
from datetime import timedelta

import pytest

from controller.cluster import DEPLOYMENT, Refused, Unreachable
from controller.main import Controller
from controller.settings import ControllerSettings
from controller.watches import list_all
from tests.operator.fleet import NEW, NEWER, OLD, Fleet
from tests.operator.operator_world import Killed

WAITS = "what the operator changed for every model is not rolled out here"


@pytest.fixture
def fleet():
    return Fleet(models=6, limit=2)


def rolled(fleet, *, ready=True, rounds=12):
    """Let passes and Pods go on until nothing changes; return how many models were ever rolled at once."""
    most = 0
    for _ in range(rounds):
        fleet.pass_over_all()
        most = max(most, len(fleet.rolled_by_the_operator()))
        for key in fleet.rolled_by_the_operator():
            fleet.let_pods_follow(key, ready=ready)
        fleet.wait(30)
    return most


def failing(fleet, image):
    """Let an upgrade to `image` stop on its first models: on as many as it can reach, twice the limit less one."""
    fleet.upgrade(image)
    fleet.pass_over_all()
    fleet.let_pods_follow(fleet.keys[0], ready=False)
    rolled(fleet, ready=False)
    assert fleet.stuck == set(fleet.having(image))
    return fleet.having(image)


def promote(fleet, key):
    """Let somebody promote another version."""
    fleet.register(key, "2")
    fleet.ask(key, promote_requested="2", reason="t")


def test_a_new_default_is_rolled_a_few_models_at_a_time_in_the_order_of_asking(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:2]
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:2]
    fleet.let_pods_follow(fleet.keys[0])
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:3]


def test_in_the_end_all_have_it(fleet):
    fleet.upgrade(NEW)
    assert rolled(fleet) == 2
    assert fleet.having(NEW) == fleet.keys
    fleet.pass_over_all()
    calls = len(fleet.cluster.calls)
    fleet.pass_over_all()
    assert fleet.cluster.calls[calls:] == []


def test_a_model_that_waits_is_ready_and_says_so_until_its_turn(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    last = fleet.keys[-1]
    said = f"version 1 is served; {WAITS} until fewer than 2 models are being rolled"
    assert fleet.ready(last) == ("True", "UpgradeWaiting", said)
    rolled(fleet)
    assert fleet.ready(last)[:2] == ("True", "ChampionServed")


def test_a_model_that_waits_asks_again_soon_and_makes_no_call_meanwhile(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    calls = len(fleet.cluster.calls)
    end = fleet.pass_over(fleet.keys[-1])
    assert end.next_at <= fleet.now + timedelta(seconds=30)
    assert not end.failed
    assert fleet.cluster.calls[calls:] == []


def test_passes_that_ask_at_the_same_moment_are_counted(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all_at_once()
    assert len(fleet.having(NEW)) == 2


def test_a_call_without_an_answer_is_counted_until_the_watch_has_shown_what_it_did(fleet):
    fleet.upgrade(NEW)

    def lose_the_answer(number):
        if fleet.cluster.calls[number - 1][:2] == ("apply", DEPLOYMENT.name):
            raise Unreachable("no answer")

    fleet.cluster.after = lose_the_answer
    for key in fleet.keys:
        fleet.pass_over(key, deliver=False)
    assert len(fleet.having(NEW)) == 2


def test_it_is_counted_although_another_child_of_the_model_was_applied_after_it(fleet):
    fleet.upgrade(NEW)
    for namespace, name in fleet.keys:
        fleet.cluster.remove((DEPLOYMENT.name, namespace, f"{name}-monitor"))
    fleet.cluster.deliver(fleet.passes.cache)

    def lose_the_answer(number):
        if fleet.cluster.calls[number - 1] == ("apply", DEPLOYMENT.name, f"{fleet.keys[0][1]}-serving"):
            raise Unreachable("no answer")

    fleet.cluster.after = lose_the_answer
    for key in fleet.keys:
        fleet.pass_over(key, deliver=False)
    assert len(fleet.having(NEW)) == 2


def test_a_model_whose_deployment_is_refused_holds_no_other_up_for_long(fleet):
    fleet.upgrade(NEW)

    def refuse(number):
        if fleet.cluster.calls[number - 1][:2] == ("apply", DEPLOYMENT.name):
            raise Refused("a webhook says no")

    for key in fleet.keys[:2]:
        fleet.cluster.before = refuse
        fleet.pass_over(key)
    fleet.cluster.before = lambda _number: None
    fleet.wait(31)
    for key in fleet.keys[2:]:
        fleet.pass_over(key)
    assert fleet.having(NEW) == fleet.keys[2:4]


def test_a_controller_that_starts_anew_counts_the_same(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over(fleet.keys[3])
    fleet.pass_over(fleet.keys[4])
    fleet.start()
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[3:5]


def test_a_promotion_during_an_upgrade_is_not_delayed(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    promote(fleet, fleet.keys[4])
    fleet.pass_over(fleet.keys[4])
    assert fleet.version(fleet.keys[4]) == "2"
    assert fleet.rolled_by_the_operator() == fleet.keys[:2]


def test_a_change_of_the_document_during_an_upgrade_is_not_delayed(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    fleet.edit(fleet.keys[4], team="red")
    fleet.pass_over(fleet.keys[4])
    assert fleet.template(fleet.keys[4])["metadata"]["annotations"]["team"] == "red"


def test_a_change_that_asks_nothing_of_serving_is_no_rollout(fleet):
    """Another annotation of a Deployment is another generation of it, which its Pods would have to follow."""
    key = fleet.keys[4]
    before = fleet.serving(key)["metadata"]["generation"]
    changed = copy.deepcopy(fleet.model(key))
    changed["spec"]["guard"]["durationSeconds"] += 1
    fleet.cluster.put(changed)
    fleet.pass_over(key)
    fleet.pass_over(key)
    assert fleet.serving(key)["metadata"]["generation"] == before
    assert fleet.ready(key)[:2] == ("True", "ChampionServed")


def test_what_somebody_did_to_the_deployment_is_undone_at_once(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    first = fleet.serving(fleet.keys[0])
    first["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody:1"
    fleet.cluster.put(first)
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:2]


def test_a_version_that_is_being_rolled_out_is_upgraded_later(fleet):
    key = fleet.keys[0]
    promote(fleet, key)
    fleet.pass_over(key)
    fleet.upgrade(NEW)
    fleet.pass_over(key)
    assert (fleet.version(key), fleet.image(key)) == ("2", OLD)


def test_a_version_that_was_deployed_just_before_the_end_of_an_operator_is_taken_up_by_the_next(fleet):
    key = fleet.keys[0]
    promote(fleet, key)

    def end_after_the_deployment(number):
        if fleet.cluster.calls[number - 1][:2] == ("apply", DEPLOYMENT.name):
            raise Killed

    fleet.cluster.after = end_after_the_deployment
    with pytest.raises(Killed):
        fleet.pass_over(key)
    fleet.cluster.after = lambda _number: None
    fleet.upgrade(NEW)
    fleet.pass_over(key)
    assert fleet.model(key)["status"]["rollout"]["to"]["version"] == "2"
    assert (fleet.version(key), fleet.image(key)) == ("2", OLD)


def test_a_fresh_version_under_guard_is_upgraded_after_it(fleet):
    key = fleet.keys[0]
    promote(fleet, key)
    fleet.pass_over(key)
    fleet.let_pods_follow(key)
    fleet.pass_over(key)
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[1:3]
    assert fleet.ready(key)[2].endswith(f"{WAITS} until its fresh version has stood its guard")
    fleet.wait(90_000)
    for _ in range(2):
        rolled(fleet)
    assert fleet.having(NEW) == fleet.keys


def test_a_rollout_that_does_not_become_ready_gets_the_new_default(fleet):
    key = fleet.keys[0]
    promote(fleet, key)
    fleet.pass_over(key)
    for _ in range(60):
        fleet.wait(10)
        fleet.pass_over(key)
    assert fleet.model(key)["status"]["rollout"]["to"]["version"] == "1", "it went back, and that is not ready either"
    fleet.upgrade(NEW)
    fleet.pass_over(key)
    assert fleet.image(key) == NEW


def test_one_failed_model_does_not_hold_the_others_up(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    fleet.let_pods_follow(fleet.keys[0], ready=False)
    rolled(fleet)
    assert fleet.having(NEW) == fleet.keys
    assert fleet.stuck == {fleet.keys[0]}


def test_an_upgrade_whose_first_models_fail_stops(fleet):
    assert failing(fleet, NEW) == fleet.keys[:3]
    said = f"version 1 is served; {WAITS} since 2 models that have it did not become ready"
    assert fleet.ready(fleet.keys[-1]) == ("True", "UpgradeWaiting", said)


def test_a_stopped_upgrade_stays_so_after_a_restart(fleet):
    failing(fleet, NEW)
    fleet.start()
    rolled(fleet)
    assert fleet.having(OLD) == fleet.keys[3:]


@pytest.mark.parametrize("mended", [NEWER, OLD])
def test_the_upgrade_that_mends_a_stopped_one_begins_with_the_models_that_failed(fleet, mended):
    failed = failing(fleet, NEW)
    fleet.upgrade(mended)
    fleet.pass_over_all()
    assert fleet.having(NEW) == failed[2:]
    assert [fleet.image(key) for key in failed[:2]] == [mended] * 2
    for key in failed[:2]:
        fleet.let_pods_follow(key)
    rolled(fleet)
    assert fleet.having(mended) == fleet.keys


def test_a_stopped_upgrade_goes_on_once_somebody_takes_the_mark_from_failed_models(fleet):
    for failed in failing(fleet, NEW)[:2]:
        serving = fleet.serving(failed)
        del serving["metadata"]["annotations"]["autoretrain.dev/upgrade"]
        fleet.cluster.put(serving)
    rolled(fleet)
    assert fleet.having(NEW) == fleet.keys


def test_a_paused_deployment_holds_no_other_up(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    for key in fleet.keys[:2]:
        serving = fleet.serving(key)
        serving["spec"]["paused"] = True
        fleet.cluster.put(serving)
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:4]


def test_an_upgraded_model_whose_pods_fail_later_does_not_stop_the_next_upgrade(fleet):
    fleet.upgrade(NEW)
    rolled(fleet)
    for key in fleet.keys:
        serving = fleet.serving(key)
        serving["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": 2}
        fleet.cluster.put(serving)
    fleet.upgrade(NEWER)
    fleet.pass_over_all()
    assert fleet.having(NEWER) == fleet.keys[:2]


def test_a_deployment_of_an_operator_before_this_rule_waits_for_its_turn_too(fleet):
    for key in fleet.keys:
        serving = fleet.serving(key)
        del serving["metadata"]["annotations"]["autoretrain.dev/asked-hash"]
        fleet.cluster.put(serving)
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    assert fleet.having(NEW) == fleet.keys[:2]


def test_metrics_tell_how_far_an_upgrade_is(fleet):
    fleet.upgrade(NEW)
    fleet.pass_over_all()
    fleet.let_pods_follow(fleet.keys[0], ready=False)
    controller = Controller(ControllerSettings(), fleet.cluster, fleet, http=None)
    asyncio.run(list_all(fleet.cluster, controller.cache, namespaces=()))
    controller.refresh_metrics()
    told = controller.metrics.registry.get_sample_value
    states = ("waiting", "rolling", "failed")
    assert [told("autoretrain_controller_upgrades", {"state": state}) for state in states] == [4, 1, 1]
