"""An upgrade among whatever else happens: never more models at once than may be, nothing else waits, all get it."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.cluster import DEPLOYMENT, Unreachable
from tests.operator.fleet import NEW, NEWER, OLD, Fleet

MODELS, LIMIT = 4, 2
models = st.integers(0, MODELS - 1)


class Upgrading(RuleBasedStateMachine):
    """Passes in any order, with late watches, lost answers and crashes, while Pods and people do as they like."""

    def __init__(self):
        super().__init__()
        self.fleet = Fleet(models=MODELS, limit=LIMIT)
        self.edits = 0
        self.fleet.upgrade(NEW)

    @rule(which=models, deliver=st.booleans())
    def a_pass(self, which, deliver):
        self.fleet.pass_over(self.fleet.keys[which], deliver=deliver)

    @rule()
    def all_ask_at_once(self):
        self.fleet.pass_over_all_at_once()

    @rule(which=models)
    def an_answer_is_lost(self, which):
        fleet = self.fleet

        def lose(number):
            if fleet.cluster.calls[number - 1][:2] == ("apply", DEPLOYMENT.name):
                raise Unreachable("no answer")

        fleet.cluster.after = lose
        fleet.pass_over(fleet.keys[which], deliver=False)
        fleet.cluster.after = lambda _number: None

    @rule(which=models, at=st.integers(1, 6), after=st.booleans())
    def a_pass_is_killed(self, which, at, after):
        self.fleet.make_killed_pass(at=at, after=after, key=self.fleet.keys[which])

    @rule()
    def a_restart(self):
        self.fleet.start()

    @rule(image=st.sampled_from([OLD, NEW, NEWER]))
    def another_operator(self, image):
        self.fleet.upgrade(image)

    @rule(which=models, ready=st.booleans())
    def pods_follow(self, which, ready):
        self.fleet.let_pods_follow(self.fleet.keys[which], ready=ready)

    @rule(seconds=st.sampled_from([1, 40, 2000]))
    def time_passes(self, seconds):
        self.fleet.cluster.deliver(self.fleet.passes.cache)
        self.fleet.wait(seconds)

    @rule(which=models)
    def somebody_edits_a_document(self, which):
        key = self.fleet.keys[which]
        self.edits += 1
        self.fleet.edit(key, edit=str(self.edits))
        self.fleet.pass_over(key)
        assert self.fleet.template(key)["metadata"]["annotations"]["edit"] == str(self.edits)

    @rule(which=models)
    def somebody_promotes_a_version(self, which):
        fleet, key = self.fleet, self.fleet.keys[which]
        fleet.cluster.deliver(fleet.passes.cache)
        self.edits += 1
        version = str(self.edits + 1)
        fleet.register(key, version)
        status = fleet.model(key)["status"]
        fleet.ask(key, promote_requested=version, reason="t")
        fleet.pass_over(key)
        if "rollout" not in status:
            assert fleet.version(key) == version

    @invariant()
    def never_more_are_rolled_by_the_operator_than_may_be(self):
        assert len(self.fleet.rolled_by_the_operator()) <= LIMIT

    def teardown(self):
        """Once Pods become ready all models get what the operator wants, and a pass makes no call."""
        fleet = self.fleet
        for _ in range(12):
            for key in fleet.keys:
                fleet.let_pods_follow(key)
            fleet.pass_over_all()
            assert len(fleet.rolled_by_the_operator()) <= LIMIT
            fleet.wait(7200)
        fleet.windows -= 1
        assert fleet.having(fleet.defaults.serving_image) == fleet.keys
        assert {fleet.ready(key)[:2] for key in fleet.keys} == {("True", "ChampionServed")}
        calls = len(fleet.cluster.calls)
        fleet.pass_over_all()
        assert fleet.cluster.calls[calls:] == []


TestUpgrading = Upgrading.TestCase
TestUpgrading.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
