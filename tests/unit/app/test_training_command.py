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


def in_a_pod(directory, *, file):
    """The arguments of a training Job; the termination log is there before the process is."""
    log = directory / "termination-log"
    log.touch()
    return log, ["--file", write_document(directory, file=file), "--uid", "u-1", "--summary-file", str(log), "--quiet"]


def test_a_run_that_fails_says_why_in_the_termination_log_and_keeps_the_file_that_is_mounted(directory, capsys):
    log, arguments = in_a_pod(directory, file="absent.tsv")
    inode = log.stat().st_ino
    assert main(arguments) == ExitCode.BAD_INPUT
    assert json.loads(log.read_text()) == {"error": "absent.tsv: can't be read: No such file or directory"}
    assert log.stat().st_ino == inode


def test_a_reason_without_end_fits_into_the_termination_log(directory, capsys):
    log, arguments = in_a_pod(directory, file="x.tsv")
    document = Path(arguments[1])
    document.write_text(document.read_text().replace("profile: Word", "profile: " + "\N{PILE OF POO}" * 3000))
    assert main(arguments) == ExitCode.BAD_INPUT
    assert len(log.read_bytes()) <= 4096
    assert json.loads(log.read_text())["error"]


def test_a_summary_file_that_is_not_there_is_not_made_by_a_failure(directory, capsys):
    document = write_document(directory, file="absent.tsv")
    assert main(["--file", document, "--summary-file", "out.json"]) == ExitCode.BAD_INPUT
    assert not Path("out.json").exists()


def test_half_a_champion_is_refused(directory, capsys):
    assert main(["--champion-version", "3"]) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err == "--champion-version and --champion-digest go together\n"


@pytest.mark.slow
def test_a_job_trains_against_the_champion_that_it_is_told_and_reports_in_place(directory, monkeypatch):
    write_sample(directory, messages=1200)
    log, arguments = in_a_pod(directory, file="sample-corpus.tsv")
    inode = log.stat().st_ino
    first = start(arguments[1], *arguments[2:], "--run-name", "run-1")
    first.communicate(timeout=240)
    assert first.returncode == 0
    one = json.loads(log.read_text())
    told = ["--champion-version", one["version"], "--champion-digest", one["digest"]]
    second = start(arguments[1], *arguments[2:], "--run-name", "run-2", *told)
    second.communicate(timeout=240)
    assert second.returncode == 0
    two = json.loads(log.read_text())
    assert (two["champion_version"], two["champion_digest"]) == (one["version"], one["digest"])
    assert two["holdout"] is not None
    assert log.stat().st_ino == inode
    assert len(log.read_bytes()) <= 4096
    wrong = start(arguments[1], *arguments[2:], "--run-name", "run-3", *told[:3], "sha256:0")
    wrong.communicate(timeout=240)
    assert wrong.returncode == ExitCode.FAILED
    assert "is not the sha256:0 that is to be served" in json.loads(log.read_text())["error"]
    assert not (directory / ".autoretrain" / "resources").exists()
