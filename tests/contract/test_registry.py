"""The registry adapter against MLflow itself: a SQLite file without a server."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.mlflow_connection import local_artefacts, readable_address
from autoretrain.adapters.records import dump_record
from autoretrain.adapters.registry_mlflow import EXAMPLES, MlflowRegistry, server_command
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.errors import ArtefactRejected, AutoRetrainError, Waiting
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.training import TrainingSummary
from autoretrain.ml.artefact import LinearParts, TermBlock, digest_of, render_artefact
from autoretrain.ml.linear import LinearModel

pytestmark = [
    pytest.mark.slow,  # MLflow takes seconds to import, and its first database fifty migrations
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

NAME = "default.sms-spam"
METRICS = ClassificationMetrics(
    rows=10, spam_rows=2, accuracy=0.9, precision=1.0, recall=0.5, f1=2 / 3, false_positive_rate=0.0
)
SUMMARY = TrainingSummary(
    run_name="run-1",
    run_id="",
    version="",
    digest="sha256:0",
    algorithm="LinearSVM",
    profile="Word",
    data_hash="0" * 64,
    training_rows=8,
    label_cutoff=7,
    seconds=1.5,
    holdout_metrics=METRICS,
    champion_version=None,
    champion_digest=None,
    holdout=None,
    recent=None,
    recent_newest_at=None,
    expected=None,
)


def artefact_bytes(slope=1.0):
    word = TermBlock(lengths=(1, 1), terms=("free", "lunch"), document_counts=(2, 3), weights=(2.0, -2.0))
    return render_artefact(
        LinearParts(algorithm="LinearSVM", profile="Word", rows=5, threshold=0.5, slope=slope, offset=-0.1, word=word)
    )


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def registry(tracking_uri, request):
    """A registered model of the test's own in one database."""
    return MlflowRegistry(tracking_uri, name=f"{NAME}-{abs(hash(request.node.name)) % 10**8}")


def register(registry, run_name="run-1", *, slope=1.0, **more):
    return registry.register_artefact(
        model=artefact_bytes(slope),
        reference=b'{"sets":[]}',
        card='{"algorithm":"LinearSVM"}',
        run_name=run_name,
        **more,
    )


def test_a_registry_without_the_model_has_no_versions(registry):
    assert registry.versions() == ()
    assert registry.find_run("run-1") is None
    registry.set_aliases(champion=None, candidate=None, previous=None)


def test_what_was_registered_is_fetched_as_it_was(registry):
    version = register(registry)
    assert registry.versions() == (version,)
    assert version == RegistryVersion(
        version="1", digest=digest_of(artefact_bytes()), alias="candidate", run_id=version.run_id
    )
    assert registry.fetch_artefact("1") == ModelArtefact(
        version="1",
        digest=digest_of(artefact_bytes()),
        run_id=version.run_id,
        model=artefact_bytes(),
        reference=b'{"sets":[]}',
        card='{"algorithm":"LinearSVM"}',
    )


def test_a_run_registers_once_however_often_it_is_started(registry):
    tags = {"summary": json.dumps(dump_record(SUMMARY))}
    first = register(registry, tags=tags)
    assert register(registry, slope=2.0, tags=tags) == first
    assert registry.find_run("run-1") == replace(SUMMARY, version="1")
    assert [found.version for found in registry.versions()] == ["1"]


def test_a_version_tells_what_it_came_from_as_far_as_it_was_written_down(registry):
    told = {"trigger": "drift", "data_source": "file a.csv", "data_hash": "0" * 64, "code_version": "1.2.0"}
    summary = replace(SUMMARY, champion_version="7")
    before = datetime.now(UTC) - timedelta(seconds=1)
    register(registry, tags=told | {"summary": json.dumps(dump_record(summary)), "uid": "u"})
    register(registry, "run-2", slope=2.0, tags={"summary": '{"of": "another release"}'})
    first, second = registry.lineage()
    assert {name: getattr(first, name) for name in told} == told
    assert (first.summary, first.parent, first.run_name, first.alias) == (summary, "7", "run-1", "")
    assert first.registered_at is not None
    assert before < first.registered_at <= datetime.now(UTC)
    assert (second.summary, second.parent, second.trigger, second.alias) == (None, "", "", "candidate")


def test_two_processes_that_register_for_one_run_at_once_end_with_one_version(tracking_uri, registry):
    register(registry, "another run")  # so that both meet an open database
    both = [MlflowRegistry(tracking_uri, name=registry.name) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        versions = set(pool.map(register, both))
    assert len(versions) == 1
    assert len(registry.versions()) == 2


def test_saving_at_once_leaves_no_module_of_mlflow_behind(tracking_uri, registry, monkeypatch):
    register(registry, "another run")  # so that both meet an open database
    import mlflow.pyfunc  # here, since it warns where it is imported first

    saving, most = [], []
    save_model = mlflow.pyfunc.save_model

    def counted(**arguments):
        saving.append(1)
        most.append(len(saving))
        save_model(**arguments)
        saving.pop()

    monkeypatch.setattr(mlflow.pyfunc, "save_model", counted)
    both = [MlflowRegistry(tracking_uri, name=registry.name) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(register, both, ("run-1", "run-2")))
    assert most == [1, 1]
    assert "dbutils" not in sys.modules


def test_aliases_are_exactly_what_is_asked_for_and_the_rest_is_archived(registry, tracking_uri):
    for run in ("run-1", "run-2", "run-3"):
        register(registry, run)
    registry.set_aliases(champion="2", candidate=None, previous="1")
    assert [found.alias for found in registry.versions()] == ["previous", "champion", ""]
    assert lifecycles(registry) == {"1": None, "2": None, "3": "archived"}
    registry.set_aliases(champion="1", candidate="3", previous=None)
    registry.set_aliases(champion="1", candidate="3", previous=None)
    assert [found.alias for found in registry.versions()] == ["champion", "", "candidate"]
    assert lifecycles(registry) == {"1": None, "2": "archived", "3": None}


def lifecycles(registry):
    with registry._connection.session() as client:
        found = client.search_model_versions(f"name = '{registry.name}'")
    return {str(entry.version): entry.tags.get("lifecycle") for entry in found}


def test_a_version_whose_files_changed_is_refused(registry, tracking_uri):
    register(registry)
    for path in local_artefacts(tracking_uri).rglob("artifacts/artifacts/model.json"):
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtefactRejected, match=r"model.json of .* version 1 does not match its registered digest"):
        registry.fetch_artefact("1")


def test_a_version_that_was_never_registered_is_refused(registry):
    with pytest.raises(ArtefactRejected, match="has no version 7 in the registry"):
        registry.fetch_artefact("7")


def test_mlflow_loads_the_version_and_it_answers_like_the_artefact(registry, tracking_uri):
    import mlflow

    register(registry)
    mlflow.set_tracking_uri(tracking_uri)
    loaded = mlflow.pyfunc.load_model(f"models:/{registry.name}@candidate")
    model = LinearModel.load(artefact_bytes())
    messages = [*EXAMPLES, "free lunch"]
    answers = [(answer.prediction, answer.score) for answer in loaded.predict(messages)]
    assert answers == [(model.predict(text)[0].value, model.score(text)) for text in messages]
    assert loaded.metadata.signature.inputs.to_dict() == [{"type": "string", "required": True}]
    assert loaded.input_example == list(EXAMPLES)


def test_a_run_left_open_by_a_killed_attempt_is_closed_by_the_next(registry):
    abandoned = registry.start_run(registry.name, run_name="run-1")
    second = registry.start_run(registry.name, run_name="run-1")
    other = registry.start_run(registry.name, run_name="run-2")
    with registry._connection.session() as client:
        statuses = [client.get_run(run.run_id).info.status for run in (abandoned, second, other)]
    assert statuses == ["KILLED", "RUNNING", "RUNNING"]


def test_variants_are_nested_runs_with_their_figures_and_pictures(registry):
    run = registry.start_run(registry.name, run_name="run-1", tags={"uid": "u"})
    run.log_variant(
        "NaiveBayes alpha=1",
        parameters={"alpha": "1"},
        metrics={"f1": 0.9},
        files={"a.png": b"x"},
        tags={"chosen": "true"},
    )
    run.finish()
    with registry._connection.session() as client:
        parent = client.get_run(run.run_id)
        nested = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{run.run_id}'")
        pictures = [file.path for file in client.list_artifacts(nested[0].info.run_id)]
    assert (parent.info.status, parent.data.tags["uid"]) == ("FINISHED", "u")
    assert (nested[0].data.params, nested[0].data.metrics) == ({"alpha": "1"}, {"f1": 0.9})
    assert pictures == ["a.png"]


def test_a_file_that_a_run_left_is_read_again_and_one_that_it_did_not_leave_is_none(registry):
    run = registry.start_run(registry.name, run_name="run-1")
    run.log(files={"curves.json": b"{}"})
    run.finish()
    assert registry.run_file(run.run_id, "curves.json") == b"{}"
    assert registry.run_file(run.run_id, "other.json") is None


def test_an_address_that_does_not_answer_is_one_sentence_without_its_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = MlflowRegistry("http://somebody:secret@127.0.0.1:9", name=NAME)
    with pytest.raises(Waiting, match="does not answer") as raised:
        registry.versions()
    assert str(raised.value) == "MLflow at http://127.0.0.1:9 can't be used: it does not answer"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("postgresql+psycopg://me:pass@db:5432/mlflow?sslmode=disable", "postgresql+psycopg://db:5432/mlflow"),
        ("https://mlflow.example/base", "https://mlflow.example/base"),
    ],
)
def test_messages_show_an_address_without_credentials(uri, shown):
    assert readable_address(uri) == shown


def test_what_a_killed_start_left_of_a_database_is_swept_away_and_not_used(tmp_path):
    database = tmp_path / "deep" / "mlflow.db"
    database.parent.mkdir()
    leftover = database.with_name("mlflow.db.1.new")
    leftover.write_bytes(b"half a database")
    os.utime(leftover, (0, 0))
    assert MlflowRegistry(f"sqlite:///{database}", name=NAME).versions() == ()
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


def test_artefacts_lie_beside_the_database_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert local_artefacts("sqlite:///mlflow.db") == tmp_path / "mlartifacts"
    assert local_artefacts(f"sqlite:///{tmp_path}/deep/mlflow.db") == tmp_path / "deep" / "mlartifacts"
    assert local_artefacts("sqlite:///:memory:") is None
    assert local_artefacts("http://127.0.0.1:5000") is None


def test_a_server_command_needs_a_database_to_serve():
    assert "127.0.0.1:*" in server_command("sqlite:///mlflow.db", host="127.0.0.1", port=5000)[-1]
    with pytest.raises(AutoRetrainError, match="no SQLite file"):
        server_command("http://mlflow:5000", host="127.0.0.1", port=5000)
