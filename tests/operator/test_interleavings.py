"""What holds whatever happens in whatever order: Jobs, rollouts, metrics, the clock, people, crashes at any call."""

import json

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.cluster import DECISION
from tests.operator.operator_world import KEY, OperatorWorld

ROUND_THE_GATES = {"FirstModel", "Forced", "Approved", "Pinned"}


class Interleavings(RuleBasedStateMachine):
    """Anything may happen between two calls of the controller; in the end calm returns."""

    def __init__(self) -> None:
        super().__init__()
        self.world = OperatorWorld()
        self.world.create_model()
        self.token = 0

    @rule(seconds=st.sampled_from([1.0, 60.0, 1800.0, 7200.0, 86400.0, -600.0]))
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(score=st.sampled_from([0.02, 0.5]), labels=st.sampled_from([0, 200]))
    def traffic_changes(self, score, labels):
        self.world.drift_score = score
        self.world.labels += labels

    @rule(good=st.booleans(), breaks=st.booleans(), lost=st.booleans())
    def jobs_finish(self, good, breaks, lost):
        self.world.finish_jobs(good=good, breaks=breaks, summary_lost=lost)

    @rule(code=st.sampled_from([1, 64, 137]))
    def jobs_fail(self, code):
        self.world.fail_jobs(code=code)

    @rule()
    def a_job_vanishes(self):
        for job in self.world.jobs[-1:]:
            if job.get("status", {}).get("conditions"):
                self.world.cluster.remove(("Job", KEY[0], job["metadata"]["name"]))

    @rule()
    def pods_follow(self):
        self.world.roll_out()

    @rule(good=st.sampled_from([True, False, None]))
    def the_champion_behaves(self, good):
        self.world.guard_is_good = good

    @rule(gone=st.booleans())
    def metrics_come_and_go(self, gone):
        self.world.problem = "Prometheus can't be reached" if gone else None

    @rule(down=st.booleans())
    def the_registry_comes_and_goes(self, down):
        self.world.registry.down = down

    @rule(verb=st.sampled_from(["retrain_requested", "rollback_requested"]))
    def somebody_asks(self, verb):
        self.token += 1
        self.world.annotate(**{verb: f"t{self.token}"})

    @rule()
    def somebody_deletes_serving(self):
        place = ("Deployment", KEY[0], "sms-spam-serving")
        if place in self.world.cluster.objects:
            self.world.cluster.remove(place)

    @rule()
    def somebody_touches_the_model_unseen(self):
        self.world.cluster.put(self.world.resource)
        self.pass_and_check(deliver=False)

    @rule()
    def a_pass(self):
        self.pass_and_check()

    @rule()
    def a_restart(self):
        self.world.start()

    @rule(at=st.integers(1, 12), after=st.booleans())
    def a_pass_that_is_killed(self, at, after):
        self.world.make_killed_pass(at=at, after=after)

    def pass_and_check(self, *, deliver=True):
        world = self.world
        before = world.status
        jobs = len(world.jobs)
        world.make_pass(deliver=deliver)
        after = world.status
        new = [entry for entry in after.history if entry not in before.history]
        for entry in new:
            if entry.decision == "PROMOTE" and entry.reason not in ROUND_THE_GATES:
                assert entry.reason == "BetterOnRecentRows"
                assert after.candidate.summary.recent.p_value <= 0.05
                assert after.candidate.summary.champion_digest == before.champion.digest
            if entry.decision == "RETRAIN" and before.champion is not None:
                assert world.problem is None, "a run was started on missing evidence"
        if world.problem is not None and before.champion is not None and before.active_run is None:
            assert len(world.jobs) <= jobs
        if after.rollout is not None:
            assert after.rollout.to.digest not in after.quarantined
        if after.champion is not None and after.previous is not None:
            assert after.previous.digest not in (after.champion.digest, *after.quarantined)

    @invariant()
    def at_most_one_run_is_in_flight(self):
        assert len(self.world.running) <= 1

    @invariant()
    def decisions_have_names_of_their_own(self):
        specs = [each["spec"] for each in self.world.cluster.of(DECISION)]
        ends = [[end["succeeded"] for end in json.loads(spec["record"])["outcomes"]] for spec in specs]
        decided = [(spec["sequence"], spec["decision"], *end) for spec, end in zip(specs, ends, strict=True)]
        assert len(decided) == len(set(decided))

    def teardown(self):
        """Once all works and is quiet, the champion is served, nothing is under way, and a pass makes no call."""
        world = self.world
        world.problem, world.guard_is_good, world.drift_score = None, True, 0.02
        world.broken, world.registry.down = set(), False
        for _ in range(30):
            world.labels += 1  # Input that was refused is tried again once it has changed.
            world.finish_jobs()
            world.roll_out()
            world.make_pass()
            world.wait(3600)
        status = world.status
        assert status.champion is not None
        assert world.served_version == status.champion.version
        assert (status.rollout, status.active_run) == (None, None)
        assert world.condition("Ready")[0] == "True"
        world.windows -= 1
        calls = len(world.cluster.calls)
        world.make_pass()
        assert world.cluster.calls[calls:] == []


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
