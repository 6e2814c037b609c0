"""The world of one machine: a document, files, a store, processes. The shell around the core without a cluster."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autoretrain.adapters import spammodel
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.document_in_force import DocumentInForce
from autoretrain.app.evidence import EvidenceReader
from autoretrain.app.ledger_record import decision_record, matters
from autoretrain.app.passes import PassResult
from autoretrain.app.serving_client import ServingClient
from autoretrain.app.state import StateDirectory
from autoretrain.app.trainer import LocalTrainer
from autoretrain.decide.alerts import TOLD_AGAIN, Pointer, alerts_between, as_of
from autoretrain.domain.deployment import Deployment, Experiment
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.observation import Observation, RegistryVersion, Served
from autoretrain.domain.plan import Action, Alert, CancelTraining, Deploy, SetAliases, StartTraining
from autoretrain.domain.spec import ExperimentMode, SpamModel
from autoretrain.domain.status import Status

TIDY_EVERY = timedelta(hours=1)
ALIASES_EVERY = timedelta(hours=1)
ALIASES_AGAIN = timedelta(minutes=1)
"""After a change of them; after that, and where nothing changes, they are looked at every ALIASES_EVERY."""


@dataclass(slots=True)
class LocalWorld:
    """One model on one machine. `expect_serving` says that a server must be there: silence is then no answer.

    `keep_last_document` is for the process that decides: a document that breaks does not stop it.
    """

    settings: Settings
    state: StateDirectory
    store: Store
    expect_serving: bool
    notify: Callable[[str, Alert], None] = lambda _key, _alert: None
    keep_last_document: bool = False
    dashboard_url: str = ""
    _told_before: bool = field(init=False, default=False)
    _document: DocumentInForce = field(init=False)
    _serving: ServingClient = field(init=False)
    evidence: EvidenceReader = field(init=False)
    _registry: MlflowRegistry | None = field(init=False, default=None)
    _trainer: LocalTrainer | None = field(init=False, default=None)
    _tidy_at: datetime | None = field(init=False, default=None)
    _aliases_due: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        copy_of = self.state.document if self.keep_last_document else None
        self._document = DocumentInForce(self.settings.spec, copy_of)
        self._serving = ServingClient(self.settings.resolved_serving_url(), keys_file=self.settings.api_keys_file)
        self.evidence = EvidenceReader(self.store, self._serving, counts_requests=self.settings.status_file is None)

    @classmethod
    def open(cls, settings: Settings, *, expect_serving: bool, **options: Any) -> "LocalWorld":
        """Open the store that the document's model uses, bringing its schema up to date."""
        document = spammodel.load_document(settings.spec)
        model = spammodel.parse_spam_model(document, uid="", generation=0)
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        store = Store(settings.resolved_store_url(), model=model.key)
        store.migrate()
        state = StateDirectory(settings.state_dir)
        return cls(settings, state, store, expect_serving, **options)

    @property
    def document_path(self) -> Path:
        """The file of the document in force, for other processes."""
        return self._document.file

    def model(self) -> SpamModel:
        """Read the document and the manual requests as they are now. Raises InvalidSpec."""
        document, model = self._document.read()
        uid, generation = self.state.identity(model.key, document=document)
        requests, suspended = self.state.read_requests(model.key)
        spec = replace(model.spec, suspend=model.spec.suspend or suspended)
        return replace(model, uid=uid, generation=generation, requests=requests, spec=spec)

    def status(self, model: SpamModel) -> Status:
        """Read what the last pass left: this machine's, or on a cluster what the controller gave us of the resource."""
        if self.settings.status_file is None:
            return self.state.read_status(model.key)
        try:
            fields = json.loads(self.settings.status_file.read_text())
        except (OSError, ValueError) as error:
            raise AutoRetrainError(f"{self.settings.status_file} can't be read: {error}") from None
        if not isinstance(fields, dict):
            raise AutoRetrainError(f"{self.settings.status_file} can't be read: it holds no status")
        return spammodel.parse_status(fields)

    def deployed(self, status: Status) -> Deployment | None:
        """Return what is measured: what the store says is to be served, or on a cluster the champion."""
        if self.settings.status_file is None:
            return self.store.deployment()
        champion = status.champion
        return Deployment(version=champion.version, digest=champion.digest) if champion else None

    def card(self, digest: str) -> dict[str, Any]:
        """Return what is written on a version: how, when and on what it was trained; empty where it is not known."""
        artefact = self.store.artefact(digest)
        card: dict[str, Any] = json.loads(artefact.card) if artefact and artefact.card else {}
        return card

    def trainer(self, model: SpamModel) -> LocalTrainer:
        if self._trainer is None:
            self._trainer = LocalTrainer(
                self.state.runs(model.key), arguments=("--file", str(self.document_path), "--quiet")
            )
        self._trainer.backoff_limit = model.spec.training.backoff_limit
        return self._trainer

    # The four steps' IO.

    def gather(self, now: datetime) -> Observation:
        model = self.model()
        status = self.status(model)
        champion = status.champion
        if self._aliases_due is None:
            self._aliases_due = now + ALIASES_AGAIN  # not at once: a start need not wait for MLflow
        needs_registry = (
            champion is None
            or model.spec.serving.pinned_version
            or (model.requests.promote_token != status.handled.promote)
            or now >= self._aliases_due
        )
        measured = self.evidence.read(model, status, now=now)
        return Observation(
            now=now,
            model=model,
            status=status,
            served=self._served(),
            drift=measured.drift,
            pending_messages=measured.pending_messages,
            performance=measured.performance,
            supply=measured.supply,
            run=self.trainer(model).observe(status.active_run) if status.active_run else None,
            guard=measured.guard,
            registry=self._registry_versions(now) if needs_registry else None,
            highest_ordinal=self._recorded_ordinal() if status.run_ordinal == 0 else status.run_ordinal,
            document_problems=self._document.problems,
            advice=self.evidence.advice(model.spec),
        )

    def apply(self, action: Action, observation: Observation) -> None:
        match action:
            case StartTraining(run=run):
                self.trainer(observation.model).submit(run)
            case CancelTraining(run_name=run_name):
                self.trainer(observation.model).cancel(run_name)
            case Deploy(model=model):
                self.require_artefact(model.version, model.digest)
                self.store.deploy(Deployment(version=model.version, digest=model.digest))
            case SetAliases(champion=champion, candidate=candidate, previous=previous):
                # An outage or a hand may leave others: what is decided at rest compares them with the status again.
                self._aliases_due = observation.now + ALIASES_AGAIN
                self.registry().set_aliases(
                    champion=champion.version if champion else None,
                    candidate=candidate,
                    previous=previous.version if previous else None,
                )

    def save(self, result: PassResult) -> None:
        model = result.observation.model
        sequence = self.store.append_decision(decision_record(result)) if matters(result) else None
        if result.changed:
            self.write_status(result.status)
        self._tell(result, Pointer(dashboard_url=self.dashboard_url, sequence=sequence))
        self._sync_experiment(model, result.status)

    def _tell(self, result: PassResult, pointer: Pointer) -> None:
        """Tell what came about, which is less than the plan where an action failed.

        The process before this one may have been killed after it wrote the status: the first pass tells that again.
        """
        model, before = result.observation.model, result.observation.status
        if not self._told_before:
            before = as_of(before, result.plan.at - TOLD_AGAIN)
            self._told_before = True
        for alert in alerts_between(
            before,
            result.status,
            model_key=model.key,
            on=model.spec.alerts.on,
            findings=result.plan.findings,
            pointer=pointer,
        ):
            self.notify(model.key, alert)

    def write_status(self, status: Status) -> None:
        """Write the resource as it is now, with `status`; the shape is that of the Kubernetes object."""
        model = self.model()
        document, _ = self._document.read()
        resource = spammodel.render_document(document, status=status, uid=model.uid, generation=model.generation)
        self.state.write_status(model.key, resource)

    def tidy_when_due(self, now: datetime) -> None:
        """Tidy at the first call and an hour after each time."""
        if self._tidy_at is None or now >= self._tidy_at:
            self.tidy(now)
            self._tidy_at = now + TIDY_EVERY

    def tidy(self, now: datetime) -> None:
        """Delete what is older than the retention, and artefacts without a role."""
        model = self.model()
        status = self.status(model)
        self.store.purge(now=now, retention_seconds=model.spec.feedback.retention_seconds)
        if status.active_run is not None or status.rollout is not None:
            return  # a fresh artefact has no role yet
        deployed = self.deployed(status)
        keep = {ref.digest for ref in (status.champion, status.previous) if ref}
        keep |= {status.candidate.summary.digest} if status.candidate else set()
        keep |= {deployed.digest} if deployed else set()
        second = self.store.artefact_by_version(model.spec.serving.experiment.version)
        keep |= {second.digest} if second else set()
        # A cluster's monitor is not told of runs, so what came after all that has a role may be about to get one.
        self.store.prune_artefacts(keep, spare_newer=self.settings.status_file is not None)

    # What they rest on.

    def registry(self) -> MlflowRegistry:
        if self._registry is None:
            model = self.model()
            name = model.spec.registered_model_name or model.key
            self._registry = MlflowRegistry(self.settings.mlflow_tracking_uri, name=name)
        return self._registry

    def close(self) -> None:
        self._serving.close()
        self.store.close()

    def _served(self) -> Served | None:
        served = self._serving.served()
        if served is not None or self.expect_serving:
            return served
        # Nobody serves just now. What a server will load when it starts is then the truth about what is deployed.
        deployment = self.store.deployment()
        if deployment is None:
            return Served(version=None, digest=None, ready=False)
        return Served(version=deployment.version, digest=deployment.digest, ready=True)

    def _registry_versions(self, now: datetime) -> tuple[RegistryVersion, ...] | None:
        self._aliases_due = now + ALIASES_EVERY
        try:
            return self.registry().versions()
        except AutoRetrainError:
            return None

    def _recorded_ordinal(self) -> int:
        """Return the ordinal that the ledger says is next: after a lost status no run's name may be used again.

        It counts from the status that the last pass saw, not from what it intended, so that a pass killed before its
        status was written submits the same run again.
        """
        last = self.store.decisions(limit=1)
        return int(last[0]["observation"]["status"]["run_ordinal"]) + 1 if last else 0

    def require_artefact(self, version: str, digest: str) -> None:
        """Let the store have the artefact. Raises AutoRetrainError where nobody has it, or another of that version."""
        if self.store.artefact(digest) is None:
            artefact = self.registry().fetch_artefact(version)
            if artefact.digest != digest:
                raise AutoRetrainError(f"version {version} has digest {artefact.digest}, wanted was {digest}")
            self.store.put_artefact(artefact)

    def _sync_experiment(self, model: SpamModel, status: Status) -> None:
        """Let the deployment carry the experiment of the spec; the champion itself is no second version."""
        deployment = self.store.deployment()
        wanted = model.spec.serving.experiment
        if deployment is None:
            return
        experiment = None
        if (
            wanted.mode is not ExperimentMode.DISABLED
            and wanted.version != deployment.version
            and status.rollout is None
        ):
            artefact = self.store.artefact_by_version(wanted.version) or self._fetched(wanted.version)
            if artefact is not None:
                experiment = Experiment(
                    mode=wanted.mode, version=wanted.version, digest=artefact.digest, percent=wanted.percent
                )
        if experiment != deployment.experiment:
            self.store.deploy(replace(deployment, experiment=experiment))

    def _fetched(self, version: str) -> Any:
        try:
            artefact = self.registry().fetch_artefact(version)
        except AutoRetrainError:
            return None
        self.store.put_artefact(artefact)
        return artefact


def utc_now() -> datetime:
    return datetime.now(UTC)
