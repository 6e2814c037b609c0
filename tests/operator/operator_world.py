"""A whole operator without a cluster: API server in memory, Jobs and rollouts by hand, metrics, a registry, a clock."""

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from autoretrain.adapters import crd, records, spammodel
from autoretrain.domain.advice import Advice
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import GuardEvidence, LabelSupply, RegistryVersion
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status
from autoretrain.domain.training import TrainingSummary
from controller.apply import Applier
from controller.cache import Key, WatchCache
from controller.children.builder import Children
from controller.children.parent import Defaults
from controller.cluster import DEPLOYMENT, JOB, POD, SPAM_MODEL, Kind, Object, Refused
from controller.decisions import ORDINAL_ANNOTATION
from controller.gather import Gatherer
from controller.metrics import ControllerMetrics
from controller.passes import PassEnd, Passes
from controller.upgrades import Upgrades
from controller.watches import list_all
from tests.operator.memory_cluster import MemoryCluster
from tests.spec_cases import VALID
from tests.unit.decide.builders import (
    NOW,
    but,
    comparison,
    estimate,
    guard_evidence,
    performance,
    summary,
    window,
)

KEY = ("default", "sms-spam")
DEFAULTS = Defaults(
    serving_image="serving:1",
    training_image="trainer:1",
    monitor_image="trainer:1",
    agent_image="agent:1",
    mlflow_tracking_uri="http://mlflow:5000",
    store_secret_name="autoretrain-store",
    store_secret_key="url",
    log_level="INFO",
)


class Killed(BaseException):
    """The process ended here."""


def document(**spec: Any) -> Object:
    """A SpamModel as an API server has it; `spec` are changes of its top-level fields."""
    resource = copy.deepcopy(VALID)
    resource["metadata"] = {"name": KEY[1], "namespace": KEY[0], "uid": "uid-model"}
    resource["spec"] = {
        **resource["spec"],
        "data": {"volume": {"configMap": {"name": "messages"}, "path": "messages.tsv"}},
        "triggers": {"schedule": {"mode": "Disabled"}},
        **spec,
    }
    filled: Object = crd.apply_defaults(resource, crd.resource_schema())
    return filled


@dataclass
class Reading:
    """What metrics say."""

    drift: Any = None
    pending: int = 0
    performance: Any = None
    supply: Any = None
    guard: Any = None
    problem: str | None = None


@dataclass
class FakeRegistry:
    """Registered versions, by number, and what runs reported. `down` says that it does not answer."""

    known: dict[str, RegistryVersion] = field(default_factory=dict)
    summaries: dict[str, TrainingSummary] = field(default_factory=dict)
    owned_by: str | None = None
    down: bool = False

    def _answer(self) -> None:
        if self.down:
            raise AutoRetrainError("the registry can't be reached")

    def versions(self) -> tuple[RegistryVersion, ...]:
        self._answer()
        return tuple(self.known.values())

    def find_run(self, run_name: str) -> TrainingSummary | None:
        self._answer()
        return self.summaries.get(run_name)

    def owner(self) -> str | None:
        self._answer()
        return self.owned_by

    def claim(self, owner: str) -> None:
        self._answer()
        self.owned_by = owner

    def set_aliases(self, *, champion: str | None, candidate: str | None, previous: str | None) -> None:
        self._answer()
        roles = {candidate: "candidate", previous: "previous", champion: "champion"}
        self.known = {version: replace(entry, alias=roles.get(version, "")) for version, entry in self.known.items()}


@dataclass
class OperatorWorld:
    """What exists beside the controller, and the controller, which may be killed and started again."""

    now: datetime = NOW
    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    drift_score: float = 0.02
    windows: int = 2
    labels: int = 1000
    guard_is_good: bool | None = True
    problem: str | None = None
    broken: set[str] = field(default_factory=set)
    trained_against: dict[str, str | None] = field(default_factory=dict)
    defaults: Defaults = DEFAULTS
    limit: int = 5
    advice_of: Callable[[Key], Advice | None] = lambda _key: None
    passes: Passes = field(init=False)
    metrics: ControllerMetrics = field(default_factory=ControllerMetrics)

    def __post_init__(self) -> None:
        self.cluster.now = lambda: self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.start()

    # The controller.

    def start(self) -> None:
        """Start a controller that knows nothing but what the cluster shows."""
        cache = WatchCache()
        asyncio.run(list_all(self.cluster, cache, namespaces=()))
        self.cluster.events.clear()
        self.passes = Passes(
            cluster=self.cluster,
            cache=cache,
            gatherer=Gatherer(self.cluster, cache, self, self.registry_of, advice_of=lambda key: self.advice_of(key)),
            applier=Applier(
                self.cluster,
                cache,
                Children(defaults=self.defaults),
                self.registry_of,
                Upgrades(cache, self.limit),
            ),
            metrics=self.metrics,
            now=lambda: self.now,
        )

    def registry_of(self, _model: SpamModel, _document: Object) -> FakeRegistry:
        return self.registry

    def make_pass(self, *, deliver: bool = True) -> PassEnd:
        """Make one pass; the watches catch up before it."""
        if deliver:
            self.cluster.deliver(self.passes.cache)
        return asyncio.run(self.passes.make(KEY))

    def make_killed_pass(self, *, at: int, after: bool, key: Key = KEY) -> bool:
        """Kill the process at its `at`-th call from now, before or after the effect; start another. Was it killed?"""
        self.cluster.deliver(self.passes.cache)
        target = len(self.cluster.calls) + at

        def kill(number: int) -> None:
            if number == target:
                raise Killed

        moment = "after" if after else "before"
        setattr(self.cluster, moment, kill)
        try:
            asyncio.run(self.passes.make(key))
        except Killed:
            return True
        finally:
            setattr(self.cluster, moment, lambda _number: None)
            self.start()
        return False

    async def read(self, model: Any, status: Status, *, now: datetime) -> Reading:
        """The evidence port."""
        if self.problem is not None:
            return Reading(problem=self.problem)
        champion = status.champion
        version = champion.version if champion else ""
        reports = tuple(
            window(number, self.drift_score, model_version=version, ended_at=now)
            for number in range(self.windows - 1, self.windows + 1)
        )
        new = max(self.labels - status.trained_cutoff, 0)
        return Reading(
            drift=reports if champion and self.windows > 1 else (),
            performance=but(performance(), model_version=version) if champion else None,
            supply=LabelSupply(new_labels=new, new_spam_labels=new // 5, highest_sequence=self.labels),
            guard=self._guard(status),
        )

    def _guard(self, status: Status) -> GuardEvidence | None:
        guard = status.guard
        if guard is None or guard.ended or self.guard_is_good is None:
            return None
        share = estimate(0.14 if self.guard_is_good else 0.9)
        return guard_evidence(model_version=guard.version, spam_share=share)

    # What people do.

    def create_model(self, **spec: Any) -> None:
        self.cluster.put(document(**spec))
        self.cluster.deliver(self.passes.cache)

    def change(self, change: Callable[[Object], None]) -> None:
        """Let somebody edit the SpamModel."""
        thing = copy.deepcopy(self.resource)
        change(thing)
        self.cluster.put(thing)

    def annotate(self, **annotations: str) -> None:
        named = {f"autoretrain.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.change(lambda thing: thing["metadata"].setdefault("annotations", {}).update(named))

    def refuse(self, *kinds: Kind) -> None:
        """Let a quota or a webhook refuse to have objects of these kinds created or changed; of none: no more."""
        names = {kind.name for kind in kinds}

        def check(number: int) -> None:
            verb, kind, name = self.cluster.calls[number - 1]
            if verb in {"create", "apply"} and kind in names:
                raise Refused(f"{name} is forbidden: exceeded quota")

        self.cluster.before = check

    # What happens by itself.

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.windows += 1

    def roll_out(self) -> None:
        """Let every Deployment's Pods follow its template; those of a broken version never become ready."""
        for thing in self.cluster.of(DEPLOYMENT):
            version = thing["spec"]["template"]["metadata"].get("annotations", {}).get("autoretrain.dev/model-version")
            wanted = thing["spec"].get("replicas", 1)
            ready = wanted if version not in self.broken else 0
            status = {
                "observedGeneration": thing["metadata"]["generation"],
                "replicas": wanted,
                "updatedReplicas": wanted,
                "readyReplicas": ready,
                "availableReplicas": ready,
            }
            if thing.get("status") != status:
                self.cluster.put({**thing, "status": status})

    @property
    def jobs(self) -> list[Object]:
        return self.cluster.of(JOB)

    @property
    def running(self) -> list[Object]:
        return [job for job in self.jobs if not job.get("status", {}).get("conditions")]

    def finish_jobs(self, *, good: bool = True, breaks: bool = False, summary_lost: bool = False) -> None:
        """Let what trains now succeed."""
        for job in self.running:
            made = self._summary(job["metadata"]["name"], good=good)
            self.registry.summaries[made.run_name] = made
            self.registry.known[made.version] = RegistryVersion(
                version=made.version, digest=made.digest, alias="candidate", run_id=made.run_id
            )
            if breaks:
                self.broken.add(made.version)
            if not summary_lost:
                said = json.dumps(records.dump_record(made))
                self._end_pod(job, {"exitCode": 0, "reason": "Completed", "message": said})
            self._end_job(job, "Complete", "CompletionsReached")

    def fail_jobs(self, *, code: int = 1, reason: str = "Error", message: str = "it broke") -> None:
        for job in self.running:
            self._end_pod(job, {"exitCode": code, "reason": reason, "message": message})
            self._end_job(job, "Failed", "PodFailurePolicy" if code == 64 else "BackoffLimitExceeded")

    def _summary(self, name: str, *, good: bool) -> TrainingSummary:
        version = str(len(self.registry.known) + 1)
        champion = self.trained_against.setdefault(name, self.status.champion.digest if self.status.champion else None)
        first = champion is None
        return summary(
            version,
            run_name=name,
            label_cutoff=self.labels,
            champion_digest=champion,
            champion_version=None if first else "?",
            holdout=None if first else comparison(accuracy_gain=0.0),
            recent=None if first else comparison(p_value=0.001 if good else 0.9),
            recent_newest_at=self.now,
        )

    def _end_pod(self, job: Object, ended: dict[str, Any]) -> None:
        metadata = job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
        self.cluster.put(
            {
                "apiVersion": POD.api_version,
                "kind": POD.name,
                "metadata": {
                    "name": f"{metadata['name']}-abcde",
                    "namespace": metadata["namespace"],
                    "labels": metadata["labels"],
                    "ownerReferences": [owner],
                },
                "spec": {},
                "status": {"containerStatuses": [{"name": "trainer", "state": {"terminated": ended}}]},
            }
        )

    def _end_job(self, job: Object, kind: str, reason: str) -> None:
        self.cluster.put(
            {**job, "status": {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": ""}]}}
        )

    # What can be seen.

    @property
    def resource(self) -> Object:
        return self.cluster.objects[SPAM_MODEL.name, *KEY]

    @property
    def status(self) -> Status:
        return spammodel.parse_status(self.resource.get("status") or {})

    def condition(self, kind: str) -> tuple[str, str, str] | None:
        for each in self.resource.get("status", {}).get("conditions", ()):
            if each["type"] == kind:
                return each["status"], each["reason"], each["message"]
        return None

    @property
    def served_version(self) -> str | None:
        deployment = self.cluster.objects.get((DEPLOYMENT.name, KEY[0], "sms-spam-serving"))
        if deployment is None:
            return None
        version: str = deployment["spec"]["template"]["metadata"]["annotations"]["autoretrain.dev/model-version"]
        return version


def ordinals(world: OperatorWorld) -> list[str]:
    return [job["metadata"]["annotations"][ORDINAL_ANNOTATION] for job in world.jobs]


def settled(world: OperatorWorld, *, passes: int = 12) -> OperatorWorld:
    """Let everything work and be quiet until nothing is under way."""
    for _ in range(passes):
        world.finish_jobs()
        world.roll_out()
        world.make_pass()
        world.wait(60)
    return world
