"""A tiny world in memory: jobs, serving, a registry, a clock, and passes that may be killed between two lines."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoretrain.decide.transition import decide, fold
from autoretrain.domain.observation import LabelSupply, Observation, RegistryVersion, Served
from autoretrain.domain.plan import Action, CancelTraining, Deploy, Outcome, Plan, SetAliases, StartTraining
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import ActiveRun, Status
from autoretrain.domain.training import RunObservation, RunState, TrainingSummary
from tests.unit.decide.builders import (
    NOW,
    but,
    comparison,
    estimate,
    guard_evidence,
    model,
    performance,
    registered,
    summary,
    window,
)


@dataclass
class Job:
    run: ActiveRun
    champion: str | None
    created_at: datetime
    state: RunState = RunState.RUNNING
    summary: TrainingSummary | None = None
    retriable: bool = True


@dataclass
class World:
    """What exists outside the status. A string in `blind` names a field of the observation that can't be read."""

    now: datetime = NOW
    status: Status = field(default_factory=Status)
    model: SpamModel = field(default_factory=model)
    jobs: dict[str, Job] = field(default_factory=dict)
    registry: dict[str, RegistryVersion] = field(default_factory=dict)
    deployed: Served = field(default_factory=lambda: Served(version=None, digest=None, ready=False))
    served: Served = field(default_factory=lambda: Served(version=None, digest=None, ready=False))
    broken_versions: set[str] = field(default_factory=set)
    drift_score: float = 0.02
    windows: int = 0
    labels: int = 0
    guard_is_good: bool | None = True
    blind: set[str] = field(default_factory=set)
    served_history: list[str] = field(default_factory=list)

    # What the shell does.

    def observe(self) -> Observation:
        status, champion = self.status, self.status.champion
        job = self.jobs.get(status.active_run.name) if status.active_run else None
        seen = None
        if job is not None and status.active_run is not None:
            seen = RunObservation(
                run_name=status.active_run.name, state=job.state, summary=job.summary, retriable=job.retriable
            )
        version = champion.version if champion else ""
        drift = tuple(
            window(number, self.drift_score, model_version=version, ended_at=self.now)
            for number in range(self.windows - 1, self.windows + 1)
        )
        new_labels = max(self.labels - status.trained_cutoff, 0)
        observation = Observation(
            now=self.now,
            model=self.model,
            status=status,
            served=self.served,
            drift=drift if champion and self.windows > 1 else (),
            pending_messages=0,
            performance=but(performance(), model_version=version) if champion else None,
            supply=LabelSupply(new_labels=new_labels, new_spam_labels=new_labels // 5, highest_sequence=self.labels),
            run=seen,
            guard=self._evidence(),
            registry=tuple(self.registry.values()),
            highest_ordinal=max((each.run.ordinal for each in self.jobs.values()), default=0),
        )
        return but(observation, **dict.fromkeys(self.blind))

    def _evidence(self):
        guard = self.status.guard
        if guard is None or guard.ended or self.guard_is_good is None:
            return None
        share = estimate(0.14 if self.guard_is_good else 0.9)
        return guard_evidence(model_version=guard.version, spam_share=share)

    def apply(self, action: Action) -> None:
        match action:
            case StartTraining(run=run):
                if run.name not in self.jobs:
                    champion = self.status.champion.digest if self.status.champion else None
                    self.jobs[run.name] = Job(run=run, champion=champion, created_at=self.now)
            case CancelTraining(run_name=name):
                if name in self.jobs and self.jobs[name].state is RunState.RUNNING:
                    self.jobs[name].state = RunState.FAILED
            case Deploy(model=wanted):
                self.deployed = Served(version=wanted.version, digest=wanted.digest, ready=True)
            case SetAliases(champion=champion, previous=previous):
                roles = {ref.version: role for role, ref in (("previous", previous), ("champion", champion)) if ref}
                self.registry = {
                    version: but(entry, alias=roles.get(version, "")) for version, entry in self.registry.items()
                }

    def make_pass(
        self, *, dies_after: int | None = None, fails: Callable[[Action], bool] = lambda _action: False
    ) -> Plan:
        """Make a pass; killed after `dies_after` actions it writes no status."""
        observation = self.observe()
        plan = decide(observation)
        assert plan == decide(observation), "deciding twice gave two plans"
        outcomes = []
        for action in plan.actions[:dies_after]:
            failed = fails(action)
            if not failed:
                self.apply(action)
            outcomes.append(Outcome(action=action, succeeded=not failed, message="refused" if failed else ""))
        if dies_after is None:
            self.status = fold(observation, plan, outcomes)
        return plan

    # What happens by itself.

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.windows += 1

    def serve(self) -> None:
        """Let serving follow its deployment; a broken version never becomes ready."""
        ready = self.deployed.version is not None and self.deployed.version not in self.broken_versions
        self.served = but(self.deployed, ready=ready)

    def finish_jobs(self, *, good: bool, version_breaks: bool = False) -> None:
        for job in self.jobs.values():
            if job.state is not RunState.RUNNING:
                continue
            version = str(len(self.registry) + 1)
            first = job.champion is None
            job.state = RunState.SUCCEEDED
            job.summary = summary(
                version,
                run_name=job.run.name,
                label_cutoff=job.run.label_cutoff,
                champion_digest=job.champion,
                champion_version=None if first else "?",
                holdout=None if first else comparison(accuracy_gain=0.0),
                recent=None if first else comparison(p_value=0.001 if good else 0.9),
                recent_newest_at=self.now,
            )
            self.registry[version] = registered(version)
            if version_breaks:
                self.broken_versions.add(version)

    def fail_jobs(self, *, retriable: bool) -> None:
        for job in self.jobs.values():
            if job.state is RunState.RUNNING:
                job.state, job.retriable = RunState.FAILED, retriable

    @property
    def running(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.state is RunState.RUNNING]


def settled(world: World, *, passes: int = 12) -> World:
    """Let everything work and be quiet until nothing is under way."""
    for _ in range(passes):
        world.finish_jobs(good=True)
        world.serve()
        world.make_pass()
        world.wait(60)
    return world
