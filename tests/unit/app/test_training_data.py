"""Where a run's base data comes from, and what is said of it."""

import hashlib

import pytest

from autoretrain.adapters.download import ADDRESSES, DownloadFailed
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.spammodel import load_document, parse_spam_model
from autoretrain.app.data import prepare_data
from autoretrain.app.training_rows import frozen_holdout
from autoretrain.domain.errors import BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.training import search
from tests.unit.datasets.file_server import served_files, whole

UCI_URL = ADDRESSES[0]
ROWS = "ham\tSee you at lunch\nspam\tWIN a prize\n"


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTORETRAIN_DATA", raising=False)
    return tmp_path


def settings(directory, spec_data, **more):
    document = directory / "model.yaml"
    document.write_text(
        f"apiVersion: autoretrain.dev/v1alpha1\nkind: SpamModel\nmetadata: {{name: m}}\nspec: {{data: {spec_data}}}\n"
    )
    return Settings(spec=document, **more)


def no_network(_directory):
    raise DownloadFailed("nothing answers")


def never(_directory):
    raise AssertionError("nothing was to be fetched")


def test_the_documents_file_is_read_as_the_document_says(directory):
    (directory / "own.csv").write_text("class,body\n0,See you at lunch\n1,WIN a prize\n")
    data = '{file: {path: own.csv}, format: CSV, textField: body, labelField: class, labelMap: {"0": ham, "1": spam}}'
    prepared = prepare_data(settings(directory, data), fetch_uci=never)
    assert prepared.rows == (
        LabelledMessage(text="See you at lunch", label=Label.HAM),
        LabelledMessage(text="WIN a prize", label=Label.SPAM),
    )
    assert (prepared.source_note, prepared.generated_sample) == ("file own.csv", False)


def test_a_file_that_a_person_names_goes_before_the_document(directory):
    (directory / "mine.tsv").write_text(ROWS)
    chosen = settings(directory, f"{{http: {{url: {UCI_URL}}}}}", data=directory / "mine.tsv")
    prepared = prepare_data(chosen, fetch_uci=never)
    assert (len(prepared.rows), prepared.source_note) == (2, f"file {directory / 'mine.tsv'}")


def test_the_generated_sample_stands_in_for_the_uci_collection_and_everything_says_so(directory, capsys):
    prepared = prepare_data(settings(directory, f"{{http: {{url: {UCI_URL}}}}}"), fetch_uci=no_network)
    assert prepared.generated_sample
    assert prepared.source_note.startswith("GENERATED SAMPLE")
    assert len(prepared.rows) > 1000
    warning = capsys.readouterr().err
    assert "nothing answers" in warning
    assert "GENERATED" in warning


def test_the_sample_named_as_a_file_is_still_called_a_sample(directory):
    sample = prepare_data(settings(directory, f"{{http: {{url: {UCI_URL}}}}}"), fetch_uci=no_network)
    again = prepare_data(settings(directory, f"{{file: {{path: {sample.path}}}}}"), fetch_uci=never)
    assert (again.generated_sample, again.source_note) == (True, sample.source_note)


def test_what_was_fetched_is_called_uci_only_when_it_is_that_file(directory):
    (directory / "fetched").write_text(ROWS)
    prepared = prepare_data(
        settings(directory, f"{{http: {{url: {UCI_URL}}}}}"), fetch_uci=lambda _: directory / "fetched"
    )
    assert prepared.source_note == f"file {directory / 'fetched'}"


def test_a_file_with_another_checksum_is_refused(directory):
    (directory / "own.tsv").write_text(ROWS)
    right = hashlib.sha256(ROWS.encode()).hexdigest()
    assert prepare_data(settings(directory, f'{{file: {{path: own.tsv}}, sha256: "{right}"}}')).rows
    with pytest.raises(BadData, match=r"own.tsv: is not the file of spec.data.sha256"):
        prepare_data(settings(directory, f'{{file: {{path: own.tsv}}, sha256: "{"0" * 64}"}}'))


def test_an_object_of_a_bucket_is_asked_for_with_the_login_that_a_secret_gave(directory, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    with served_files() as server:
        server.answers["/messages/sms/own.csv"] = whole(b"class,body\nham,See you at lunch\nspam,WIN a prize\n")
        data = f"{{bucket: messages, key: sms/own.csv, endpoint: {server.address}, secretRef: {{name: s}}}}"
        chosen = settings(directory, f"{{s3: {data}, format: CSV, textField: body, labelField: class}}")
        prepared = prepare_data(chosen, fetch_uci=never, directory=directory / "data")
        assert server.authorizations[0].startswith("AWS4-HMAC-SHA256 Credential=reader/")
    assert [row.label for row in prepared.rows] == [Label.HAM, Label.SPAM]
    assert prepared.source_note.endswith("-own.csv")
    assert "very-secret" not in repr(chosen)


@pytest.mark.slow
def test_a_model_of_the_sample_meets_the_default_floors_so_that_a_first_start_without_a_network_serves(directory):
    chosen = settings(directory, f"{{http: {{url: {UCI_URL}}}}}")
    spec = parse_spam_model(load_document(chosen.spec), uid="", generation=0).spec
    rows = prepare_data(chosen, fetch_uci=no_network).rows
    held = frozen_holdout(rows)
    model = search(rows, spec.training).model
    measured = evaluate([row.label for row in held], [model.predict(row.text)[0] for row in held])
    assert measured.accuracy >= spec.promotion.min_accuracy
    assert measured.f1 >= spec.promotion.min_f1


def test_an_address_is_asked_with_the_authorization_that_a_secret_gave(directory, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("AUTORETRAIN_DATA_AUTHORIZATION", "Bearer very-secret")
    with served_files() as server:
        chosen = settings(directory, f"{{http: {{url: {server.serve(whole(ROWS.encode()))}}}, format: TSV}}")
        assert len(prepare_data(chosen, fetch_uci=never).rows) == 2
        assert server.authorizations == ["Bearer very-secret"]
    assert "very-secret" not in repr(chosen)
