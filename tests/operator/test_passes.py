"""What one pass does to a cluster: the children it makes, what it writes, and what it leaves alone."""

from controller.cluster import CONFIG_MAP, DECISION, DEPLOYMENT, EVENT, SPAM_MODEL
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
