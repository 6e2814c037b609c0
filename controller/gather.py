"""What does one pass see? The resource, its children, its run and its evidence become one observation.

Everything of the cluster is read from the watch cache, but for the decisions on a model whose status knows of no run;
the registry is asked only where a decision needs it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from autoretrain.adapters import spammodel
from autoretrain.decide.runs import start_run
from autoretrain.domain.advice import Advice, AdviceOutcome
from autoretrain.domain.deployment import Experiment
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import InvalidSpec, Problem
from autoretrain.domain.observation import (
    GuardEvidence,
    LabelSupply,
    Observation,
    Performance,
    Served,
)
from autoretrain.domain.spec import ExperimentMode, SpamModel
from autoretrain.domain.status import Status
from autoretrain.domain.training import RunObservation, RunState
from controller.cache import Key, WatchCache
from controller.cluster import CONFIG_MAP, DEPLOYMENT, JOB, POD, ClusterPort, Object, is_owned_by
from controller.decisions import highest_recorded_ordinal, run_ordinal
from controller.documents import last_good_document
from controller.registries import RefusedRegistry
from controller.registry_reader import Registry, RegistryReader, read_digest, read_run
from controller.requests import adopts_registry, parse_requests
from controller.runs import observe_run, pod_trouble
from controller.serving_state import NOTHING, experiment_digest, read_served

NO_LABELS: Final = LabelSupply(new_labels=0, new_spam_labels=0, highest_sequence=0)


class Reading(Protocol):
    """What metrics say of one model. A part that is None could not be read; `problem` says why."""

    @property
    def drift(self) -> tuple[DriftReport, ...] | None: ...
    @property
    def pending(self) -> int: ...
    @property
    def performance(self) -> Performance | None: ...
    @property
    def supply(self) -> LabelSupply | None: ...
    @property
    def guard(self) -> GuardEvidence | None: ...
    @property
    def problem(self) -> str | None: ...


class Evidence(Protocol):
    async def read(self, model: SpamModel, status: Status, *, now: datetime) -> Reading:
        """Return what metrics say. Never raises: what can't be read is None, with a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One observation with what the shell alone needs, and what people should be told.

    `document` is the resource as it was read, `in_force` the one that children are built by: the last good one.
    """

    document: Object
    in_force: Object
    observation: Observation
    evidence_problem: str = ""
    serving_trouble: str = ""
    agent_trouble: str = ""
    registry_owner: str = ""
    registry_problem: str = ""
    registry_refusal: str = ""
    owner_name: str
    experiment: Experiment | None = None

    @property
    def key(self) -> Key:
        return self.observation.model.namespace, self.observation.model.name


@dataclass(slots=True)
class Gatherer:
    cluster: ClusterPort
    cache: WatchCache
    evidence: Evidence
    registry_of: Callable[[SpamModel, Object], Registry]
    registries: RegistryReader = field(default_factory=RegistryReader)
    advice_of: Callable[[Key], Advice | None] = lambda _key: None
    _good: dict[Key, tuple[SpamModel, Object]] = field(default_factory=dict)
    _statuses: dict[Key, tuple[str, Status]] = field(default_factory=dict)
    _recorded_ordinals: dict[Key, int] = field(default_factory=dict)

    async def gather(self, document: Object, *, now: datetime) -> Seen:
        """Return what is known now. Raises InvalidSpec where no document, this or one before, can be followed."""
        key = document["metadata"]["namespace"], document["metadata"]["name"]
        model, in_force, problems = self._model(document, key)
        status = self._status(document, key)
        registry = self.registry_of(model, document)
        reading = await self.evidence.read(model, status, now=now)
        adopts = adopts_registry(document)
        versions, foreign, unread = await self.registries.registered(model, status, registry, adopts=adopts, now=now)
        serving = self._serving(model)
        advice = self.advice_of(key)
        supply = reading.supply
        if supply is None and status.champion is None:
            supply = NO_LABELS  # Nothing is published before there is a champion; the first model needs base data only.
        observation = Observation(
            now=now,
            model=model,
            status=status,
            served=self._served(serving, uid=model.uid),
            drift=reading.drift,
            pending_messages=reading.pending,
            performance=reading.performance,
            supply=supply,
            run=await self._run(model, status, registry),
            guard=reading.guard,
            registry=versions,
            registry_owner=foreign,
            highest_ordinal=await self._highest_ordinal(status, key, uid=model.uid),
            document_problems=problems,
            advice=replace(advice, reason="") if advice is not None else None,
        )
        if versions is None and start_run(observation) is not None:
            # Beside a champion nobody asked whose the registered model is: it may have got another owner since.
            foreign, unread = await self.registries.foreign_owner(model, registry, adopts=adopts)
            observation = replace(observation, registry_owner=foreign)
        return Seen(
            document=document,
            in_force=in_force,
            observation=observation,
            evidence_problem=(reading.problem or "") if status.champion is not None else "",
            serving_trouble=self._serving_trouble(key),
            agent_trouble=advice.reason if advice is not None and advice.outcome is not AdviceOutcome.ANSWERED else "",
            registry_owner=foreign or "",
            registry_problem=unread,
            registry_refusal=registry.why if isinstance(registry, RefusedRegistry) else "",
            owner_name=self.registries.owner_name(model),
            experiment=await self._experiment(model, status, serving=serving, registry=registry),
        )

    def forget(self, key: Key) -> None:
        self._good.pop(key, None)
        self._statuses.pop(key, None)
        self._recorded_ordinals.pop(key, None)
        self.registries.forget(key)

    def _status(self, document: Object, key: Key) -> Status:
        """Return the status as it was read; reading the same one again would be most of a steady pass."""
        version = document["metadata"]["resourceVersion"]
        known = self._statuses.get(key)
        if known is None or known[0] != version:
            known = self._statuses[key] = version, spammodel.parse_status(document.get("status") or {})
        return known[1]

    def _model(self, document: Object, key: Key) -> tuple[SpamModel, Object, tuple[Problem, ...]]:
        """Return the model in force, its document, and what is wrong with the present one.

        While that can't be followed the last good one holds, from memory or from the settings of the children.
        """
        metadata, requests = document["metadata"], parse_requests(document)
        uid, generation = metadata["uid"], metadata.get("generation", 1)
        known = self._good.get(key)
        if known is not None and (known[0].uid, known[0].generation) == (uid, generation):
            model = known[0] if known[0].requests == requests else replace(known[0], requests=requests)
            self._good[key] = model, document
            return model, document, ()
        try:
            model = spammodel.parse_spam_model(document, uid=uid, generation=generation, requests=requests)
        except InvalidSpec as invalid:
            good, in_force = self._last_good(key, uid) or (None, None)
            if good is None or in_force is None:
                raise
            return (
                replace(good, generation=generation, requests=requests),
                {**in_force, "metadata": metadata},
                invalid.problems,
            )
        self._good[key] = model, document
        return model, document, ()

    def _last_good(self, key: Key, uid: str) -> tuple[SpamModel, Object] | None:
        known = self._good.get(key)
        if known is not None and known[0].uid == uid:
            return known
        document = last_good_document(self.cache.of_model(CONFIG_MAP, key), uid=uid)
        if document is None:
            return None
        return spammodel.parse_spam_model(document, uid=uid, generation=0), document

    def _serving(self, model: SpamModel) -> Object | None:
        return self.cache.get(DEPLOYMENT, model.namespace, f"{model.name}-serving")

    def _served(self, deployment: Object | None, *, uid: str) -> Served:
        """Only an owned Deployment tells what is served; another one of that name is a conflict."""
        if deployment is None or not is_owned_by(deployment, uid):
            return NOTHING
        return read_served(deployment)

    def _serving_trouble(self, key: Key) -> str:
        pods = [pod for pod in self.cache.of_model(POD, key) if _component(pod) == "serving"]
        return next((trouble for pod in pods if (trouble := pod_trouble(pod))), "")

    async def _experiment(
        self, model: SpamModel, status: Status, *, serving: Object | None, registry: Registry
    ) -> Experiment | None:
        """Return the second version that is to be served; None also where its digest is not known yet.

        While a version is rolled out there is none: serving is watched for that version alone.
        """
        wanted, champion = model.spec.serving.experiment, status.champion
        if wanted.mode is ExperimentMode.DISABLED or status.rollout is not None:
            return None
        if champion is not None and champion.version == wanted.version:
            return None
        digest = experiment_digest(serving, wanted.version) or await read_digest(registry, wanted.version)
        if not digest:
            return None
        return Experiment(mode=wanted.mode, version=wanted.version, digest=digest, percent=wanted.percent)

    async def _run(self, model: SpamModel, status: Status, registry: Registry) -> RunObservation | None:
        active = status.active_run
        if active is None:
            return None
        job = self.cache.get(JOB, model.namespace, active.name)
        if job is not None and not is_owned_by(job, model.uid):
            return None
        seen = None
        if job is not None:
            uid = job["metadata"]["uid"]
            pods = [pod for pod in self.cache.of_model(POD, (model.namespace, model.name)) if is_owned_by(pod, uid)]
            seen = observe_run(active.name, job=job, pods=pods)
            if seen.state is not RunState.SUCCEEDED or seen.summary is not None:
                return seen
        return await read_run(active.name, registry, without_job=seen is None)

    async def _highest_ordinal(self, status: Status, key: Key, *, uid: str) -> int:
        """Return the highest run ordinal that Jobs know of, and decisions where the status knows of none: it was lost.

        Decisions are asked for once: until the status knows of a run there is none to be decided on.
        """
        jobs = max((run_ordinal(job) for job in self.cache.of_model(JOB, key) if is_owned_by(job, uid)), default=0)
        if status.run_ordinal:
            self._recorded_ordinals.pop(key, None)
            return jobs
        if key not in self._recorded_ordinals:
            self._recorded_ordinals[key] = await highest_recorded_ordinal(self.cluster, key, uid=uid)
        return max(jobs, self._recorded_ordinals[key])


def _component(thing: Object) -> str:
    return str(thing["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))
