"""What holds whatever happens in whatever order: runs, rollouts, missing evidence, the clock, crashes."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoretrain.decide.transition import decide
from autoretrain.domain.plan import CancelTraining, Decision, Deploy, StartTraining
from autoretrain.domain.spec import Requests
from tests.unit.decide.builders import but
from tests.unit.decide.world import World, settled

DAY = 86400.0
UNPROVEN_REASONS = {"FirstModel", "Forced", "Approved"}
"""Reasons for which a version may be promoted without a passed comparison."""


def with_champion() -> World:
    """A world with a champion that has stood its guard, and labels for one more run."""
    world = settled(World())
    for _ in range(40):
        world.wait(120)
        world.make_pass()
    assert world.status.champion is not None
    assert world.status.guard.ended == "Passed"
    world.labels += 400
    return world


# Scenarios.


def test_the_first_pass_of_an_empty_world_leads_to_a_served_model():
    world = settled(World())
    assert (world.status.champion.version, world.served.version, len(world.jobs)) == ("1", "1", 1)


def test_a_metric_above_its_threshold_for_a_day_gives_one_run_without_new_labels():
    world = with_champion()
    world.drift_score = 0.5
    before = len(world.jobs)
    for _ in range(24 * 12):
        world.wait(300)
        world.finish_jobs(good=False)
        world.make_pass()
    assert len(world.jobs) - before == 1
    assert world.make_pass().reason == "NoNewData"


def test_a_metric_above_its_threshold_for_a_day_keeps_to_the_budget_with_new_labels():
    world = with_champion()
    world.model = but(world.model, spec__triggers__cooldown_seconds=0)
    world.drift_score = 0.5
    before = len(world.jobs)
    for _ in range(12 * 12):
        world.wait(300)
        world.labels += 100
        world.finish_jobs(good=False)
        world.make_pass()
    assert len(world.jobs) - before == world.model.spec.triggers.max_runs_per_day - 1  # The first run counts, too.


def test_fifty_restarts_give_one_run():
    world = with_champion()
    world.drift_score = 0.5
    before = len(world.jobs)
    for _ in range(50):
        world.wait(60)
        assert world.make_pass(dies_after=1).decision is Decision.RETRAIN
    world.make_pass()
    assert len(world.jobs) - before == 1
    assert world.status.active_run is not None


def test_the_loop_closes_and_a_bad_champion_is_taken_back():
    world = with_champion()
    world.drift_score = 0.5
    world.wait(60)
    assert world.make_pass().decision is Decision.RETRAIN
    world.finish_jobs(good=True)
    assert world.make_pass().decision is Decision.PROMOTE
    world.serve()
    world.make_pass()
    assert (world.status.champion.version, world.status.previous.version) == ("2", "1")
    world.guard_is_good = False
    world.wait(60)
    assert world.make_pass().decision is Decision.ROLLBACK
    world.serve()
    world.make_pass()
    assert (world.status.champion.version, world.served.version, world.status.previous) == ("1", "1", None)
    assert world.status.quarantined == ("digest-2",)


def test_a_version_that_serving_can_not_load_is_taken_back_without_anybody():
    world = with_champion()
    world.drift_score = 0.5
    world.wait(60)
    world.make_pass()
    world.finish_jobs(good=True, version_breaks=True)
    world.make_pass()
    for _ in range(40):
        world.wait(15)
        world.serve()
        world.make_pass()
    assert (world.status.champion.version, world.served.version, world.served.ready) == ("1", "1", True)
    assert "digest-2" in world.status.quarantined


def test_a_failing_trainer_is_tried_ever_more_rarely():
    world = with_champion()
    world.model = but(world.model, spec__triggers__max_runs_per_day=24)
    world.drift_score = 0.5
    starts = []
    for step in range(3 * 24 * 6):
        world.wait(600)
        if world.make_pass().decision is Decision.RETRAIN:
            starts.append(step)
        world.fail_jobs(retriable=True)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 6 * gaps[0]


# Every interleaving.


class Interleavings(RuleBasedStateMachine):
    """Anything may happen between two passes; the invariants hold after each, and in the end calm returns."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.champions: list[str] = []
        self.token = 0

    @rule(seconds=st.sampled_from([1.0, 30.0, 300.0, 1800.0, 7200.0, DAY, -600.0]))
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(score=st.sampled_from([0.02, 0.5]))
    def traffic_changes(self, score):
        self.world.drift_score = score

    @rule(count=st.sampled_from([10, 200]))
    def labels_arrive(self, count):
        self.world.labels += count

    @rule(good=st.booleans(), broken=st.booleans())
    def jobs_finish(self, good, broken):
        self.world.finish_jobs(good=good, version_breaks=broken)

    @rule(retriable=st.booleans())
    def jobs_fail(self, retriable):
        self.world.fail_jobs(retriable=retriable)

    @rule()
    def serving_follows(self):
        self.world.serve()

    @rule(good=st.sampled_from([True, False, None]))
    def the_champion_behaves(self, good):
        self.world.guard_is_good = good

    @rule(field=st.sampled_from(["served", "drift", "performance", "supply", "run", "guard", "registry"]))
    def something_becomes_unreadable(self, field):
        self.world.blind ^= {field}

    @rule(verb=st.sampled_from(["retrain", "rollback", "promote", "approve"]), version=st.sampled_from("123"))
    def somebody_asks(self, verb, version):
        self.token += 1
        token = f"t{self.token}"
        changes = {
            "retrain": {"retrain": token},
            "rollback": {"rollback": token},
            "promote": {"promote_version": version, "promote_token": token},
            "approve": {"approve_version": version},
        }[verb]
        self.world.model = replace(self.world.model, requests=replace(self.world.model.requests, **changes))

    @rule(suspend=st.booleans())
    def somebody_suspends(self, suspend):
        self.world.model = but(self.world.model, spec__suspend=suspend)

    @rule()
    def a_pass(self):
        self.check(self.world.make_pass())

    @rule(fails=st.sampled_from([StartTraining, CancelTraining, Deploy]))
    def a_pass_whose_action_fails(self, fails):
        before = self.world.status
        plan = self.world.make_pass(fails=lambda action: isinstance(action, fails))
        if any(isinstance(action, fails) for action in plan.actions):
            assert replace(self.world.status, conditions=()) == replace(before, conditions=())
        else:
            self.check(plan)

    @rule(actions=st.integers(0, 2))
    def a_pass_that_is_killed(self, actions):
        self.world.make_pass(dies_after=actions)

    @precondition(lambda self: self.world.status.champion is not None)
    @rule()
    def a_pass_that_sees_nothing(self):
        """Without evidence and without anything begun or asked for, nothing is done."""
        observation = self.world.observe()
        idle = replace(
            observation.status, active_run=None, rollout=None, guard=None, candidate=None, last_schedule_at=None
        )
        blind = replace(
            observation,
            status=idle,
            model=replace(observation.model, requests=Requests()),
            served=None,
            drift=None,
            performance=None,
            supply=None,
            run=None,
            guard=None,
            registry=None,
        )
        assert decide(blind).actions == ()

    def check(self, plan):
        """What a pass that went through must have kept to."""
        status = self.world.status
        if plan.decision is Decision.PROMOTE and plan.reason not in UNPROVEN_REASONS:
            assert plan.reason == "BetterOnRecentRows"
            assert status.candidate.summary.recent.p_value <= self.world.model.spec.promotion.alpha
            assert status.candidate.summary.champion_digest == status.champion.digest
        if status.rollout is not None and plan.decision is Decision.PROMOTE:
            assert status.rollout.to.digest not in status.quarantined
        if status.previous is not None:
            assert status.previous.digest not in status.quarantined
            assert status.previous.digest != status.champion.digest
        if plan.decision is Decision.ROLLBACK:
            assert plan.intent.rollout.to.digest not in status.quarantined
        assert len(status.history) <= 10

    @invariant()
    def at_most_one_run_is_in_flight(self):
        assert len(self.world.running) <= 1

    @invariant()
    def the_budget_is_kept(self):
        """A run that was submitted by a killed pass is written down only later; it may be one more."""
        allowed = self.world.model.spec.triggers.max_runs_per_day
        assert len(self.world.status.run_starts) <= allowed
        day_ago = self.world.now - timedelta(days=1)
        assert sum(job.created_at > day_ago for job in self.world.jobs.values()) <= allowed + 1

    @invariant()
    def runs_do_not_share_a_name(self):
        assert len({job.run.ordinal for job in self.world.jobs.values()}) == len(self.world.jobs)

    def teardown(self):
        """Once all works and is quiet, the champion is served, nothing is under way and the status rests."""
        world = self.world
        world.blind, world.guard_is_good, world.drift_score = set(), True, 0.02
        world.broken_versions = set()
        world.model = but(world.model, spec__suspend=False)
        for _ in range(40):
            world.labels += 1  # Input that was refused is tried again once it has changed.
            world.finish_jobs(good=True)
            world.serve()
            world.make_pass()
            world.wait(3600)
        world.windows -= 1
        before = world.status
        plan = world.make_pass()
        champion = world.status.champion
        assert champion is not None
        assert (world.served.version, world.served.digest, world.served.ready) == (
            champion.version,
            champion.digest,
            True,
        )
        assert (world.status.rollout, world.status.active_run) == (None, None)
        assert plan.actions == ()
        assert world.status == before


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
