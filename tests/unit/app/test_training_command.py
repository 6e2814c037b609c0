"""The command `train`: how it ends, and what a program reads of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoretrain.adapters.sample_files import write_sample
from autoretrain.cli.train import main
from autoretrain.domain.training import ExitCode

ENTRY_POINT = Path(__file__).resolve().parents[3] / "src" / "train.py"
DOCUMENT = """\
apiVersion: autoretrain.dev/v1alpha1
kind: SpamModel
metadata: {name: m}
spec:
  data: {file: {path: FILE}}
  training: {profile: Word, algorithms: [{name: NaiveBayes, parameters: {alpha: ["0.1"]}}]}
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AUTORETRAIN_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    return tmp_path


def write_document(directory, *, file):
    document = directory / "model.yaml"
    document.write_text(DOCUMENT.replace("FILE", file))
    return str(document)


def start(document, *arguments):
    command = [sys.executable, str(ENTRY_POINT), "--file", document, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_missing_file_is_bad_input_in_one_sentence(directory, capsys):
    assert main(["--file", write_document(directory, file="absent.tsv")]) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err == "absent.tsv: can't be read: No such file or directory\n"


def test_a_document_that_cannot_be_followed_is_bad_input_with_the_fields_path(directory, capsys):
    document = write_document(directory, file="x.tsv")
    Path(document).write_text(DOCUMENT.replace("profile: Word", "profile: Words"))
    assert main(["--file", document]) == ExitCode.BAD_INPUT
    assert "spec.training.profile" in capsys.readouterr().err


def test_a_name_that_no_registry_could_search_for_is_refused(directory, capsys):
    with pytest.raises(SystemExit):
        main(["--run-name", "it's"])
    assert "takes letters, digits" in capsys.readouterr().err


@pytest.mark.slow
def test_a_program_reads_one_json_object_and_the_same_again_from_a_second_attempt(directory):
    write_sample(directory, messages=1200)
    document = write_document(directory, file="sample-corpus.tsv")
    printed = []
    for _ in range(2):
        process = start(document, "--json", "--quiet", "--run-name", "run-1", "--summary-file", "out/summary.json")
        out, err = process.communicate(timeout=240)
        assert (process.returncode, err) == (0, "")
        printed.append(out)
    summary = json.loads(printed[0])
    assert (summary["schema_version"], summary["version"], summary["run_name"]) == (1, "1", "run-1")
    assert printed[0] == printed[1] == (directory / "out" / "summary.json").read_text() + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_with_130_and_no_trace(directory, signum):
    write_sample(directory, messages=1200)
    process = start(write_document(directory, file="sample-corpus.tsv"))
    for line in process.stderr:
        if line == "Search the variants\n":
            break
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
    assert err.endswith("Training was stopped.\n")
