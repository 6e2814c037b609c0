"""One training run over a real store and real models; only MLflow is a fake of ours."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.records import load_json, load_record
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.adapters.store import Store
from autoretrain.app.training import TrainingRequest, run_training
from autoretrain.app.training_rows import fetch_champion, frozen_holdout, select_rows
from autoretrain.cli.training_report import render_summary
from autoretrain.decide.promotion import ROWS_THAT_RESTORE_ALPHA
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import ArtefactRejected, BadData
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage, NewLabel, Prediction
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.training import SUMMARY_MAX_BYTES, TrainingSummary
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.curves import RunCurves
from autoretrain.ml.drift.references import parse_references
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.text import canonical

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BASE = tuple(generate_corpus(seed=3, messages=1500))
SMALL_BASE = tuple(generate_corpus(seed=3, messages=800))
MODEL = "default.sms-spam"


class Killed(BaseException):
    """The process was killed just there."""


@dataclass
class FakeRun:
    """What would be in MLflow of one run."""

    registry: "FakeRegistry"
    run_id: str
    variants: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    status: str = "RUNNING"
    keeps_files = True

    def log_variant(self, name, *, parameters, metrics, files, tags):
        self.registry.step("log_variant")
        assert {"accuracy", "precision", "recall", "f1", "false_positive_rate", "pr_auc"} <= set(metrics)
        self.variants.append(name)

    def log(self, *, parameters=None, metrics=None, files=None):
        self.registry.step("log")
        self.files |= files or {}

    def finish(self, status="FINISHED"):
        self.status = status
        return self.run_id


@dataclass
class FakeRegistry:
    """Versions in a list; `dies_at` names the call in which the process is killed."""

    dies_at: str = ""
    runs: list[FakeRun] = field(default_factory=list)
    registered: list[tuple[ModelArtefact, dict]] = field(default_factory=list)

    def step(self, name):
        if name == self.dies_at:
            raise Killed

    def find_run(self, run_name):
        self.step("find_run")
        for artefact, tags in self.registered:
            if tags["run_name"] == run_name:
                return replace(load_record(TrainingSummary, json.loads(tags["summary"])), version=artefact.version)
        return None

    def start_run(self, experiment, *, run_name, tags=None):
        self.step("start_run")
        self.runs.append(FakeRun(self, f"run-{len(self.runs) + 1}"))
        return self.runs[-1]

    def register_artefact(self, *, model, reference, card, run_name, run_id="", tags=None):
        self.step("before register")
        artefact = ModelArtefact(
            version=str(len(self.registered) + 1),
            digest=digest_of(model),
            run_id=run_id,
            model=model,
            reference=reference,
            card=card,
        )
        self.registered.append((artefact, {**(tags or {}), "run_name": run_name}))
        self.step("after register")
        return RegistryVersion(version=artefact.version, digest=artefact.digest, alias="candidate", run_id=run_id)

    def fetch_artefact(self, version):
        self.step("fetch_artefact")
        return next(artefact for artefact, _ in self.registered if artefact.version == version)


@pytest.fixture(scope="module")
def spec():
    algorithms = [{"name": "NaiveBayes", "parameters": {"alpha": ["0.1"], "preprocessing": ["Plain"]}}]
    document = {
        "apiVersion": "autoretrain.dev/v1alpha1",
        "kind": "SpamModel",
        "metadata": {"name": "sms-spam"},
        "spec": {
            "data": {"file": {"path": "unused.tsv"}},
            "training": {"profile": "Word", "algorithms": algorithms},
        },
    }
    return parse_spam_model(document, uid="uid-1", generation=1).spec


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as opened:
        yield opened


@dataclass
class Done:
    """A run that ended, with what it left."""

    store: Store
    registry: FakeRegistry
    summary: TrainingSummary
    label_cutoff: int = 0


@pytest.fixture(scope="module")
def first(tmp_path_factory, spec):
    """The first model; tests only look."""
    with open_store(tmp_path_factory.mktemp("first")) as store:
        registry = FakeRegistry()
        yield Done(store, registry, train(store, registry, spec))


@pytest.fixture(scope="module")
def retrained(tmp_path_factory, spec, first):
    """A second model, after a wave of new spam with every fourth message labelled; tests only look."""
    with open_store(tmp_path_factory.mktemp("retrained")) as store:
        registry = FakeRegistry(registered=first.registry.registered[:1])
        deploy_newest(store, registry)
        wave = generate_wave(seed=9, messages=2400, spam_share=0.4)
        cutoff = add_traffic(store, wave, version="1", start=NOW - timedelta(hours=2), labelled_every=4)
        # Old messages come again, unlabelled, in the window that the candidate is judged on.
        add_traffic(store, wave[:100], version="1", start=NOW - timedelta(hours=1), labelled_every=None)
        summary = train(store, registry, spec, run_name="run-b", label_cutoff=cutoff)
        yield Done(store, registry, summary, cutoff)


def open_store(directory):
    store = Store(f"sqlite:///{directory / 'store.db'}", model=MODEL)
    store.migrate()
    return store


def request(run_name="run-a", *, label_cutoff=0):
    return TrainingRequest(
        run_name=run_name,
        experiment="tests",
        trigger="Manual",
        uid="uid-1",
        label_cutoff=label_cutoff,
        data_source="a generated sample",
        generated_sample=True,
    )


def train(store, registry, spec, *, base=BASE, **changes):
    return run_training(request(**changes), store=store, registry=registry, base=base, spec=spec, now=NOW)


def deploy_newest(store, registry):
    artefact, _ = registry.registered[-1]
    store.put_artefact(artefact)
    store.deploy(Deployment(version=artefact.version, digest=artefact.digest))


def add_traffic(store, rows, *, version, start, labelled_every):
    """Predictions one a second, every `labelled_every`-th with a label; return the highest label sequence."""
    model = LinearModel.load(store.artefact_by_version(version).model)
    predictions, labels = [], []
    for number, row in enumerate(rows):
        at = start + timedelta(seconds=number)
        score = model.score(row.text)
        predictions.append(
            Prediction(
                prediction_id=f"{start:%d-%H}-{number}",
                text=row.text,
                label=model.label_of(score)[0],
                score=score,
                model_version=version,
                at=at,
            )
        )
        if labelled_every and number % labelled_every == 0:
            labels.append(
                NewLabel(
                    label=row.label,
                    kind=LabelKind.IMPORT,
                    source="desk",
                    trusted=True,
                    received_at=at,
                    prediction_id=f"{start:%d-%H}-{number}",
                )
            )
    store.add_predictions(predictions)
    return max(store.add_labels(labels), default=0)


@pytest.mark.slow
def test_a_first_run_registers_what_it_measured_and_keeps_it_for_serving(first):
    summary, run = first.summary, first.registry.runs[0]
    kept = first.store.artefact(summary.digest)
    assert (summary.version, summary.run_id, summary.champion_version) == ("1", "run-1", None)
    assert (summary.holdout, summary.recent, summary.expected) == (None, None, None)
    assert digest_of(kept.model) == summary.digest
    assert summary.holdout_metrics.f1 > 0.8
    assert run.status == "FINISHED"
    assert list(run.files) == ["confusion_matrix.png", "precision_recall.png", "top_terms.png", "curves.json"]
    curves = load_json(RunCurves, run.files["curves.json"])
    assert (curves.recent, curves.holdout.champion) == (None, None)
    assert curves.holdout.candidate.chosen[1] / curves.holdout.spam == summary.holdout_metrics.recall
    card = json.loads(kept.card)
    assert (card["data_source"], card["generated_sample"]) == ("a generated sample", True)
    assert card["metrics"]["f1"] == summary.holdout_metrics.f1


@pytest.mark.slow
def test_the_drift_reference_is_made_of_the_frozen_holdout(first):
    artefact, _ = first.registry.registered[0]
    references = parse_references(artefact.reference, threshold=LinearModel.load(artefact.model).threshold)
    assert [item.name for item in references.sets] == ["base"]
    assert all(in_holdout(text) for text in references.sets[0].texts)


def test_nothing_of_the_frozen_holdout_trains(store, spec):
    rows = select_rows(BASE, store, spec=spec, champion=None, label_cutoff=0, changed_at=None)
    assert not any(in_holdout(row.text) for row in rows.training)
    assert len(rows.training) + sum(in_holdout(row.text) for row in BASE) == len(BASE)


@pytest.mark.slow
def test_the_same_rows_and_seed_give_the_same_digest(store, spec, first):
    again = train(store, FakeRegistry(), spec, run_name="run-again")
    assert (again.digest, again.data_hash) == (first.summary.digest, first.summary.data_hash)


@pytest.mark.slow
def test_a_later_run_is_compared_with_the_champion_on_later_rows_than_either_learnt_from(retrained, spec):
    summary = retrained.summary
    assert (summary.champion_version, summary.champion_digest) == ("1", retrained.registry.registered[0][0].digest)
    assert summary.digest != summary.champion_digest
    assert summary.holdout.rows == summary.holdout.candidate.rows > 100
    assert summary.recent.rows >= spec.promotion.min_evaluation_rows
    assert summary.recent.f1_gain > 0
    assert 0 < summary.expected.messages <= spec.monitoring.window_size
    trained_until = datetime.fromisoformat(json.loads(retrained.registry.registered[1][0].card)["trained_until"])
    assert NOW - timedelta(hours=2) < trained_until < summary.recent_newest_at
    # 150 of the rows that it is judged on have labels from there on.
    assert 1 < summary.restores_alpha_from <= retrained.label_cutoff - ROWS_THAT_RESTORE_ALPHA + 1


@pytest.mark.slow
def test_the_curves_of_a_later_run_stand_on_the_rows_of_its_comparison(retrained):
    curves = load_json(RunCurves, retrained.registry.runs[-1].files["curves.json"])
    for found, compared in ((curves.holdout, retrained.summary.holdout), (curves.recent, retrained.summary.recent)):
        assert (found.ham + found.spam, found.spam) == (compared.rows, compared.spam_rows)
        assert found.candidate.chosen[1] / found.spam == compared.candidate.recall
        assert found.champion.chosen[0] / found.ham == compared.champion.false_positive_rate


@pytest.mark.slow
def test_the_window_that_was_judged_on_becomes_a_regime_without_what_was_learnt(retrained, spec):
    artefact = retrained.registry.registered[1][0]
    sets = parse_references(artefact.reference, threshold=LinearModel.load(artefact.model).threshold).sets
    assert [item.name for item in sets] == ["base", "run-b"]
    champion = fetch_champion(retrained.store, retrained.registry)
    rows = select_rows(
        BASE, retrained.store, spec=spec, champion=champion, label_cutoff=retrained.label_cutoff, changed_at=None
    )
    fitted = {canonical(row.text) for row in rows.training}
    assert not fitted & {canonical(text) for text in sets[1].texts}
    assert {canonical(row.text) for row in rows.evaluation} & {canonical(text) for text in sets[1].texts}


@pytest.mark.slow
def test_the_summary_of_a_full_comparison_fits_into_a_termination_message(retrained):
    text = render_summary(retrained.summary)
    assert len(text.encode()) < SUMMARY_MAX_BYTES
    assert json.loads(text)["schema_version"] == 1
    assert load_record(TrainingSummary, json.loads(text)) == retrained.summary


@pytest.mark.slow
def test_with_too_few_labels_the_run_still_ends_and_its_recent_rows_say_so(store, spec, first):
    registry = FakeRegistry(registered=first.registry.registered[:1])
    deploy_newest(store, registry)
    few = generate_traffic(seed=4, messages=40, spam_share=0.2)
    cutoff = add_traffic(store, few, version="1", start=NOW - timedelta(hours=1), labelled_every=4)
    summary = train(store, registry, spec, run_name="run-b", label_cutoff=cutoff)
    assert summary.recent is None or summary.recent.rows < spec.promotion.min_evaluation_rows
    assert summary.holdout is not None


@pytest.mark.slow
def test_labels_after_the_cutoff_change_nothing(store, spec, first):
    registry = FakeRegistry(registered=first.registry.registered[:1])
    deploy_newest(store, registry)
    champion = fetch_champion(store, registry)
    wave = generate_wave(seed=9, messages=800, spam_share=0.4)
    cutoff = add_traffic(store, wave[:400], version="1", start=NOW - timedelta(hours=5), labelled_every=2)
    before = select_rows(BASE, store, spec=spec, champion=champion, label_cutoff=cutoff, changed_at=None)
    add_traffic(store, wave[400:], version="1", start=NOW - timedelta(days=1), labelled_every=2)
    assert select_rows(BASE, store, spec=spec, champion=champion, label_cutoff=cutoff, changed_at=None) == before
    assert before.evaluation


@pytest.mark.slow
def test_an_artefact_that_is_not_what_is_served_is_no_champion(store, first):
    artefact, _ = first.registry.registered[0]
    store.put_artefact(replace(artefact, model=b"{}"))
    store.deploy(Deployment(version=artefact.version, digest=artefact.digest))
    with pytest.raises(ArtefactRejected, match="is not the sha256:"):
        fetch_champion(store, first.registry)


def test_rows_of_one_class_in_the_holdout_are_bad_data():
    ham = [row for row in BASE if row.label is Label.HAM]
    with pytest.raises(BadData, match="no spam message falls into the frozen holdout"):
        frozen_holdout(ham)


def test_a_message_that_stands_in_the_holdout_as_both_ham_and_spam_measures_nothing():
    held = next(row for row in BASE if in_holdout(row.text))
    other = Label.HAM if held.label is Label.SPAM else Label.SPAM
    contradicted = (*BASE, LabelledMessage(text=held.text.upper(), label=other))
    assert canonical(held.text) not in {canonical(row.text) for row in frozen_holdout(contradicted)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "dies_at", ["find_run", "start_run", "log_variant", "log", "before register", "after register", "fetch_artefact"]
)
def test_a_run_killed_at_any_step_and_started_again_ends_with_one_version(tmp_path, spec, dies_at):
    with open_store(tmp_path) as store:
        registry = FakeRegistry(dies_at=dies_at)
        with pytest.raises(Killed):
            train(store, registry, spec, base=SMALL_BASE)
        registry.dies_at = ""
        summary = train(store, registry, spec, base=SMALL_BASE)
        again = train(store, registry, spec, base=SMALL_BASE)
        assert summary == again
        assert [artefact.version for artefact, _ in registry.registered] == ["1"]
        assert store.artefact_by_version("1").digest == summary.digest
        assert all(run.status != "RUNNING" for run in registry.runs)
