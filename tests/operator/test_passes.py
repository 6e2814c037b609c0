"""What one pass does to a cluster: the children it makes, what it writes, and what it leaves alone."""

import json

import pytest

from controller.apply import mounted_config_maps
from controller.cluster import CONFIG_MAP, DECISION, DEPLOYMENT, EVENT, INGRESS, JOB, ROUTE, SPAM_MODEL, Unreachable
from tests.operator.operator_world import KEY, OperatorWorld, ordinals, settled


def created(**spec):
    world = OperatorWorld()
    world.create_model(**spec)
    return world


def with_champion(**spec):
    return settled(created(**spec))


def test_the_first_pass_starts_the_first_run_and_says_so():
    world = created()
    world.make_pass()
    (job,) = world.jobs
    assert job["metadata"]["ownerReferences"][0]["uid"] == world.resource["metadata"]["uid"]
    assert ordinals(world) == ["1"]
    assert world.status.active_run.name == job["metadata"]["name"]
    (decision,) = world.cluster.of(DECISION)
    assert (decision["spec"]["decision"], decision["spec"]["reason"]) == ("RETRAIN", "NoChampion")
    assert next(event["reason"] for event in world.cluster.of(EVENT)) == "NoChampion"


def test_the_loop_ends_with_a_served_champion():
    world = with_champion()
    assert (world.status.champion.version, world.served_version) == ("1", "1")
    assert world.condition("Ready")[:2] == ("True", "ChampionServed")
    assert world.registry.known["1"].alias == "champion"


def test_a_steady_pass_makes_no_call():
    world = with_champion()
    world.windows -= 1  # No window has ended since the last pass.
    world.make_pass()
    before = len(world.cluster.calls)
    for _ in range(5):
        world.make_pass()
    assert world.cluster.calls[before:] == []


def test_a_steady_pass_makes_no_call_after_a_restart_either():
    world = with_champion()
    world.windows -= 1
    world.make_pass()
    world.start()
    before = len(world.cluster.calls)
    world.make_pass()
    assert world.cluster.calls[before:] == []


def test_a_child_that_somebody_deleted_comes_back():
    world = with_champion()
    world.cluster.remove((DEPLOYMENT.name, KEY[0], "sms-spam-serving"))
    world.make_pass()
    assert world.served_version == "1"


def test_a_child_that_somebody_changed_is_put_right():
    world = with_champion()
    live = world.cluster.objects[DEPLOYMENT.name, KEY[0], "sms-spam-serving"]
    edited = {**live, "spec": {**live["spec"], "replicas": 7}}
    world.cluster.put(edited)
    world.make_pass()
    assert world.cluster.objects[DEPLOYMENT.name, KEY[0], "sms-spam-serving"]["spec"]["replicas"] == 2


def test_a_stranger_of_the_same_name_is_left_alone_and_named():
    world = created()
    stranger = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sms-spam-serving", "namespace": KEY[0]},
        "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": []}}},
    }
    world.cluster.put(stranger)
    settled(world)
    assert "annotations" not in world.cluster.objects[DEPLOYMENT.name, KEY[0], "sms-spam-serving"]["metadata"]
    assert world.condition("Stalled")[:2] == ("True", "NameConflict")
    assert "Deployment sms-spam-serving" in world.condition("Stalled")[2]
    assert world.status.champion is None


def test_a_job_of_the_same_name_that_is_not_ours_is_no_run_of_ours():
    world = created()
    world.make_pass()
    name = world.jobs[0]["metadata"]["name"]
    other = OperatorWorld()
    other.create_model()
    other.cluster.put(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": KEY[0]}, "spec": {}}
    )
    other.make_pass()
    assert other.status.active_run is None
    assert other.condition("Stalled") == (
        "True",
        "NameConflict",
        f"Job {name} exists and does not belong to this SpamModel",
    )


def test_a_job_that_exists_already_is_the_run():
    world = created()
    assert world.make_killed_pass(at=1, after=True)
    assert world.status.active_run is None
    world.make_pass()
    assert (len(world.jobs), ordinals(world)) == (1, ["1"])
    assert world.status.active_run.name == world.jobs[0]["metadata"]["name"]


def test_a_registered_model_of_somebody_else_is_not_touched_until_it_is_adopted():
    world = OperatorWorld()
    world.registry.owned_by = "other-cluster/default/sms-spam"
    world.create_model()
    world.make_pass()
    assert world.jobs == []
    assert world.condition("Stalled")[:2] == ("True", "RegistryOwned")
    world.annotate(adopt_registered_model="yes")
    settled(world)
    assert world.condition("Stalled") is None
    assert world.registry.owned_by == "/default/sms-spam"


def test_drift_starts_one_run_and_a_better_candidate_is_served():
    world = with_champion()
    world.drift_score, world.labels = 0.5, 2000
    world.wait(3600)
    for _ in range(5):
        world.make_pass()
        world.wait(60)
    assert len(world.running) == 1
    world.finish_jobs()
    world.make_pass()
    assert world.served_version == "2"
    assert world.status.champion.version == "1"
    world.roll_out()
    world.make_pass()
    assert (world.status.champion.version, world.status.previous.version) == ("2", "1")


def test_a_champion_that_misbehaves_is_taken_back():
    world = with_champion()
    world.drift_score, world.labels = 0.5, 2000
    world.wait(3600)
    world.make_pass()  # The guard of the first champion ends.
    world.make_pass()
    world.finish_jobs()
    world.make_pass()
    world.roll_out()
    world.make_pass()
    world.guard_is_good = False
    world.wait(60)
    world.make_pass()
    assert world.served_version == "1"
    world.roll_out()
    world.make_pass()
    assert world.status.champion.version == "1"
    assert world.condition("Degraded")[0] == "True"


def test_without_metrics_nothing_is_started_and_the_reason_is_shown():
    world = with_champion()
    world.drift_score, world.problem = 0.5, "Prometheus did not answer within 5 s"
    jobs = len(world.jobs)
    for _ in range(5):
        world.wait(3600)
        world.make_pass()
    assert len(world.jobs) == jobs
    status, reason, message = world.condition("MetricsAvailable")
    assert (status, reason) == ("False", "EvidenceMissing")
    assert message.endswith("Prometheus did not answer within 5 s")


def test_the_manual_verbs_are_obeyed_once():
    world = with_champion()
    world.wait(60)
    world.annotate(retrain_requested="t1", actor="Ada", reason="new campaign")
    world.make_pass()
    assert world.status.active_run.trigger == "manual"
    (newest,) = [each for each in world.cluster.of(DECISION) if each["spec"]["reason"] == "ManualRequest"]
    assert newest["spec"]["actor"] == "Ada"
    world.finish_jobs(good=False)
    for _ in range(3):
        world.wait(60)
        world.make_pass()
    assert len(world.jobs) == 2


def test_a_broken_document_stalls_and_the_last_good_one_holds():
    world = with_champion()
    world.change(lambda thing: thing["spec"]["triggers"]["schedule"].update(mode="Act", cron="61 * * * *"))
    world.make_pass()
    assert world.condition("Stalled")[:2] == ("True", "InvalidSpec")
    assert "spec.triggers.schedule.cron" in world.condition("Stalled")[2]
    world.start()  # A controller that never saw the good one finds it in the settings of the children.
    world.cluster.remove((DEPLOYMENT.name, KEY[0], "sms-spam-serving"))
    world.start()
    world.make_pass()
    assert world.served_version == "1"


def test_a_document_that_was_never_good_stalls_and_starts_nothing():
    world = created(triggers={"schedule": {"mode": "Act", "cron": "61 * * * *"}})
    end = world.make_pass()
    assert (end.next_at, world.jobs) == (None, [])
    assert world.condition("Stalled")[:2] == ("True", "InvalidSpec")
    assert world.condition("Ready")[:2] == ("False", "InvalidSpec")
    before = len(world.cluster.calls)
    world.make_pass()
    assert world.cluster.calls[before:] == []


def test_a_status_that_was_changed_meanwhile_is_read_again():
    world = created()
    world.cluster.put(world.resource)  # A write that no watch has shown yet.
    world.make_pass(deliver=False)
    assert world.status.active_run is not None
    assert ("get", SPAM_MODEL.name, KEY[1]) in world.cluster.calls


def test_a_deleted_model_is_let_go_and_takes_its_children_along():
    world = with_champion()
    world.cluster.remove((SPAM_MODEL.name, *KEY))
    assert world.make_pass().next_at is None
    assert [thing["kind"] for thing in world.cluster.objects.values() if thing["kind"] != EVENT.name] == []


def test_a_lost_status_is_adopted_from_what_is_served():
    world = with_champion()
    world.change(lambda thing: thing.pop("status"))
    jobs = len(world.jobs)
    world.start()
    settled(world, passes=3)
    assert (world.status.champion.version, len(world.jobs)) == ("1", jobs)


def test_settings_that_nothing_mounts_any_more_are_deleted():
    world = with_champion()
    before = {each["metadata"]["name"] for each in world.cluster.of(CONFIG_MAP)}
    world.change(lambda thing: thing["spec"]["monitoring"].update(intervalSeconds=30))
    settled(world, passes=2)
    after = {each["metadata"]["name"] for each in world.cluster.of(CONFIG_MAP)}
    assert len(after) == len(before)
    assert after.isdisjoint(before)


def with_candidate(**spec):
    """A champion, and a better version that the next pass promotes."""
    world = with_champion(**spec)
    world.drift_score, world.labels = 0.5, 2000
    world.wait(3600)
    while not world.running:
        world.make_pass()
        world.wait(60)
    world.finish_jobs()
    return world


def serving_applies(world):
    return [call for call in world.cluster.calls if call == ("apply", DEPLOYMENT.name, "sms-spam-serving")]


def settings_of_the_monitor(world):
    monitor = world.cluster.objects[DEPLOYMENT.name, KEY[0], "sms-spam-monitor"]
    (name,) = mounted_config_maps(monitor)
    return world.cluster.objects.get((CONFIG_MAP.name, KEY[0], name))


INGRESS_SPEC = {"ingress": {"host": "spam.test"}}
ROUTE_SPEC = {"httpRoute": {"parentRefs": [{"name": "gateway"}], "hostnames": ["spam.test"]}}


@pytest.mark.parametrize("refused", [CONFIG_MAP, INGRESS])
def test_a_refused_child_neither_flips_what_is_served_nor_holds_a_promotion_up(refused):
    world = with_candidate(serving=INGRESS_SPEC)
    world.cluster.remove((INGRESS.name, KEY[0], KEY[1]))
    before = len(serving_applies(world))
    world.refuse(refused)
    served = []
    for _ in range(10):
        world.make_pass()
        served.append(world.served_version)
        world.roll_out()
        world.wait(5)
    assert (served, len(serving_applies(world)) - before) == (["2"] * 10, 1)
    assert world.status.champion.version == "2"
    status, reason, message = world.condition("Degraded")
    assert (status, reason) == ("True", "ApplyFailed")
    assert f"{refused.name} sms-spam" in message
    assert "exceeded quota" in message


def test_a_refused_child_does_not_hold_a_rollback_up():
    world = with_candidate()
    for _ in range(2):
        world.make_pass()
        world.roll_out()
        world.wait(60)
    assert world.status.champion.version == "2"
    world.refuse(CONFIG_MAP)
    world.guard_is_good = False
    world.make_pass()
    assert world.served_version == "1"


def test_a_refused_child_keeps_no_later_one_from_being_applied():
    world = created(serving=INGRESS_SPEC)
    world.refuse(INGRESS)
    settled(world)
    assert (DEPLOYMENT.name, KEY[0], "sms-spam-monitor") in world.cluster.objects
    assert world.status.champion.version == "1"
    assert world.condition("Degraded") == (
        "True",
        "ApplyFailed",
        "Ingress sms-spam: sms-spam is forbidden: exceeded quota",
    )
    world.refuse()
    settled(world, passes=2)
    assert (INGRESS.name, *KEY) in world.cluster.objects
    assert world.condition("Degraded")[0] == "False"


def test_a_monitor_never_mounts_settings_that_were_refused():
    world = with_champion()
    world.refuse(CONFIG_MAP)
    world.change(lambda thing: thing["spec"]["monitoring"].update(intervalSeconds=30))
    world.make_pass()
    assert "intervalSeconds: 60" in settings_of_the_monitor(world)["data"]["spammodel.yaml"].replace('"', "")


def test_a_way_in_stays_until_the_one_that_replaces_it_is_there():
    world = with_champion(serving=INGRESS_SPEC)
    world.refuse(ROUTE)
    world.change(lambda thing: (thing["spec"]["serving"].pop("ingress"), thing["spec"]["serving"].update(ROUTE_SPEC)))
    world.make_pass()
    assert (INGRESS.name, *KEY) in world.cluster.objects
    world.refuse()
    world.make_pass()
    assert (INGRESS.name, *KEY) not in world.cluster.objects
    assert (ROUTE.name, *KEY) in world.cluster.objects


def test_a_deployment_that_was_applied_without_an_answer_is_not_put_back():
    world = with_candidate()

    def lose_the_answer(number):
        if world.cluster.calls[number - 1] == serving_applies(world)[0]:
            world.cluster.after = lambda _number: None
            world.cluster.deliver(world.passes.cache)  # The watch shows it all the same.
            raise Unreachable("no answer")

    world.cluster.after = lose_the_answer
    assert world.make_pass().failed
    assert (world.served_version, world.status.rollout) == ("2", None)
    assert world.condition("Degraded")[:2] == ("True", "ActionFailed")
    world.make_pass()
    assert (world.served_version, world.status.rollout.to.version) == ("2", "2")


def test_a_kind_that_is_not_installed_is_named_and_taken_for_no_conflict():
    world = OperatorWorld()
    world.cluster.missing_kinds = frozenset({ROUTE.name})
    world.create_model(serving=ROUTE_SPEC)
    settled(world)
    assert world.condition("Stalled") == (
        "True",
        "KindNotInstalled",
        "HTTPRoute sms-spam: the cluster has no HTTPRoute of gateway.networking.k8s.io/v1; install its definition",
    )
    assert world.status.champion.version == "1"
    world.cluster.missing_kinds = frozenset()
    settled(world, passes=2)
    assert world.condition("Stalled") is None
    assert (ROUTE.name, *KEY) in world.cluster.objects


def test_a_decision_that_failed_and_then_succeeded_has_a_record_of_each():
    world = created()
    world.refuse(JOB)
    for _ in range(3):
        assert world.make_pass().failed
    world.refuse()
    world.make_pass()
    recorded = [json.loads(each["spec"]["record"])["outcomes"] for each in world.cluster.of(DECISION)]
    # Of the failures, the first was recorded over the empty status, the others over the one that says Degraded.
    assert [[outcome["succeeded"] for outcome in outcomes] for outcomes in recorded] == [[False], [False], [True]]
