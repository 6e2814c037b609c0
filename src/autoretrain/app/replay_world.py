"""A place for passes without a process, a server or a clock: what is deployed is served, runs end at once.

Store, evidence, training run and decision core are the product's own. Left out is what they would call: HTTP, MLflow
and the trainer's process. Time is what the caller says it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from autoretrain.adapters.live_figures import LiveFigures
from autoretrain.adapters.store import Store
from autoretrain.app.evidence import EvidenceReader
from autoretrain.app.passes import PassResult
from autoretrain.app.training import Progress, TrainingRequest, run_training
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import ArtefactRejected, AutoRetrainError, BadData, InvalidSpec
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.observation import Observation, RegistryVersion, Served
from autoretrain.domain.plan import Action, CancelTraining, Deploy, SetAliases, StartTraining
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import ActiveRun, Status
from autoretrain.domain.training import RunObservation, RunState, TrainingSummary
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.linear import LinearModel


@dataclass(frozen=True, slots=True)
class NoLog:
    """A run of which nothing is kept."""

    run_id: str
    keeps_files: bool = False

    def log(
        self,
        *,
        parameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        pass

    def log_variant(
        self,
        name: str,
        *,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        files: Mapping[str, bytes],
        tags: Mapping[str, str],
    ) -> None:
        pass

    def finish(self, status: str = "FINISHED") -> str:
        return self.run_id


@dataclass(slots=True)
class ReplayRegistry:
    """Registered versions in a list, numbered from 1; their artefacts lie in the store."""

    store: Store
    registered: list[RegistryVersion] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)

    def find_run(self, run_name: str) -> TrainingSummary | None:
        return None

    def start_run(self, experiment: str, *, run_name: str, tags: Mapping[str, str] | None = None) -> NoLog:
        return NoLog(run_name)

    def register_artefact(
        self,
        *,
        model: bytes,
        reference: bytes,
        card: str,
        run_name: str,
        run_id: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> RegistryVersion:
        version, digest = str(len(self.registered) + 1), digest_of(model)
        self.store.put_artefact(
            ModelArtefact(version=version, digest=digest, run_id=run_id, model=model, reference=reference, card=card)
        )
        self.registered.append(RegistryVersion(version=version, digest=digest, alias="", run_id=run_id))
        self.aliases["candidate"] = version
        return replace(self.registered[-1], alias="candidate")

    def fetch_artefact(self, version: str) -> ModelArtefact:
        artefact = self.store.artefact_by_version(version)
        if artefact is None:
            raise ArtefactRejected(f"there is no version {version}")
        return artefact

    def versions(self) -> tuple[RegistryVersion, ...]:
        role_of = {version: role for role, version in self.aliases.items()}
        return tuple(replace(entry, alias=role_of.get(entry.version, "")) for entry in self.registered)

    def set_aliases(self, **wanted: str | None) -> None:
        self.aliases = {role: version for role, version in wanted.items() if version is not None}


@dataclass(slots=True)
class ServedHere:
    """The deployed model, asked in this process. Nothing fails or is slow here, so there are no figures of that."""

    store: Store
    _digest: str = ""
    _model: LinearModel | None = None

    def deployed(self) -> tuple[str, LinearModel] | None:
        """Return version and model of what is to be served; None where nothing is."""
        deployment = self.store.deployment()
        if deployment is None:
            return None
        if self._model is None or self._digest != deployment.digest:
            artefact = self.store.artefact(deployment.digest)
            if artefact is None:
                return None
            self._digest, self._model = deployment.digest, LinearModel.load(artefact.model)
        return deployment.version, self._model

    def labels_of(self, messages: Sequence[str], *, version: str) -> list[Label] | None:
        served = self.deployed()
        if served is None or served[0] != version:
            return None
        return [served[1].label_of(score)[0] for score in served[1].scores(messages)]

    def figures(self) -> dict[str, LiveFigures]:
        return {}


FIRST_RUN: Final = 1


@dataclass(slots=True)
class FirstModels:
    """First models that were trained already. Of equal base data and training spec they are equal, and take longest."""

    known: list[tuple[SpamModel, TrainingSummary, ModelArtefact]] = field(default_factory=list)

    def find(self, model: SpamModel) -> tuple[TrainingSummary, ModelArtefact] | None:
        same = (each for each in self.known if each[0].spec.training == model.spec.training)
        return next(((summary, artefact) for _, summary, artefact in same), None)


@dataclass(slots=True)
class ReplayWorld:
    """One model under one document. Its runs train on `base` and the store's labels, in this process, at once."""

    model: SpamModel
    store: Store
    base: Sequence[LabelledMessage]
    firsts: FirstModels = field(default_factory=FirstModels)
    status: Status = field(default_factory=Status)
    progress: Progress | None = None
    registry: ReplayRegistry = field(init=False)
    serving: ServedHere = field(init=False)
    _evidence: EvidenceReader = field(init=False)
    _ended: RunObservation | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.registry = ReplayRegistry(self.store)
        self.serving = ServedHere(self.store)
        self._evidence = EvidenceReader(self.store, self.serving)

    def gather(self, now: datetime) -> Observation:
        measured = self._evidence.read(self.model, self.status, now=now)
        deployment = self.store.deployment()
        return Observation(
            now=now,
            model=self.model,
            status=self.status,
            served=Served(
                version=deployment.version if deployment else None,
                digest=deployment.digest if deployment else None,
                ready=deployment is not None,
            ),
            drift=measured.drift,
            pending_messages=measured.pending_messages,
            performance=measured.performance,
            supply=measured.supply,
            run=self._ended,
            guard=measured.guard,
            registry=self.registry.versions(),
        )

    def apply(self, action: Action, observation: Observation) -> None:
        match action:
            case StartTraining(run=run):
                self._ended = self._train(run)
            case CancelTraining():
                pass  # a run that is submitted has ended
            case Deploy(model=model):
                self.store.deploy(Deployment(version=model.version, digest=model.digest), at=observation.now)
            case SetAliases(champion=champion, candidate=candidate, previous=previous):
                self.registry.set_aliases(
                    champion=champion.version if champion else None,
                    candidate=candidate,
                    previous=previous.version if previous else None,
                )

    def save(self, result: PassResult) -> None:
        self.status = result.status

    def _train(self, run: ActiveRun) -> RunObservation:
        first = self.firsts.find(self.model) if run.ordinal == FIRST_RUN else None
        if first is not None:
            summary, artefact = first
            self.registry.register_artefact(
                model=artefact.model,
                reference=artefact.reference,
                card=artefact.card,
                run_name=run.name,
                run_id=artefact.run_id,
            )
            return RunObservation(run_name=run.name, state=RunState.SUCCEEDED, summary=summary)
        request = TrainingRequest(
            run_name=run.name,
            experiment="replay",
            trigger=run.trigger,
            uid=self.model.uid,
            label_cutoff=run.label_cutoff,
            changed_at=run.changed_at,
            data_source="replay",
            generated_sample=False,
        )
        try:
            summary = run_training(
                request,
                store=self.store,
                registry=self.registry,
                base=self.base,
                spec=self.model.spec,
                now=run.started_at,
                progress=self.progress,
            )
        except AutoRetrainError as error:
            retriable = not isinstance(error, BadData | InvalidSpec)
            return RunObservation(run_name=run.name, state=RunState.FAILED, message=str(error), retriable=retriable)
        if run.ordinal == FIRST_RUN:
            self.firsts.known.append((self.model, summary, self.registry.fetch_artefact(summary.version)))
        return RunObservation(run_name=run.name, state=RunState.SUCCEEDED, summary=summary)
