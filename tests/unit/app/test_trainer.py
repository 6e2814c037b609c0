"""A run is a process that is submitted under a name: submitted twice it trains once, and its end is told truly."""

import json
import os
import sys
import time
from datetime import UTC, datetime

import psutil
import pytest

from autoretrain.app import trainer as module
from autoretrain.app.supervisor import identify
from autoretrain.app.trainer import LocalTrainer, RunDirectory
from autoretrain.domain.status import ActiveRun
from autoretrain.domain.training import ExitCode, RunState

RUN = ActiveRun(
    name="sms-train-1",
    ordinal=1,
    trigger="NoChampion",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    label_cutoff=3,
    training_hash="h",
)


@pytest.fixture
def trainer(tmp_path):
    return LocalTrainer(tmp_path, arguments=("--file", "absent.yaml"), backoff_limit=0)


def directory_of(tmp_path, *, pid=None, created=0.0, attempt=1):
    directory = RunDirectory(tmp_path / RUN.name)
    directory.path.mkdir(parents=True)
    if pid is not None:
        directory.process.write_text(json.dumps({"pid": pid, "created": created, "attempt": attempt}))
    return directory


def test_a_run_that_was_never_submitted_is_not_observed(trainer):
    assert trainer.observe(RUN) is None


def test_a_living_process_is_a_running_run(trainer, tmp_path):
    me = identify(os.getpid())
    directory_of(tmp_path, pid=me["pid"], created=me["created"])
    assert trainer.observe(RUN).state is RunState.RUNNING


def test_submitting_a_run_that_was_submitted_starts_nothing(trainer, tmp_path):
    directory = directory_of(tmp_path, pid=1, created=0.0)
    before = directory.process.read_text()
    trainer.submit(RUN)
    assert directory.process.read_text() == before
    assert not directory.log.exists()


def test_a_run_whose_lock_is_held_runs_even_if_its_pid_was_never_written_truly(trainer, tmp_path):
    directory = directory_of(tmp_path, pid=999_999_999)
    with directory.lock():
        assert trainer.observe(RUN).state is RunState.RUNNING


def test_a_killed_process_without_a_word_is_a_failed_run_that_may_be_tried_again(trainer, tmp_path):
    directory_of(tmp_path, pid=999_999_999)
    seen = trainer.observe(RUN)
    assert (seen.state, seen.retriable) == (RunState.FAILED, True)
    assert "was killed" in seen.message


def test_bad_input_fails_with_the_trainers_words_and_is_not_tried_again(tmp_path):
    trainer = LocalTrainer(tmp_path, arguments=(), backoff_limit=3)
    directory = directory_of(tmp_path, pid=999_999_999)
    directory.record_failure(ExitCode.BAD_INPUT, "data.tsv, line 3: label 'x' is neither ham nor spam")
    seen = trainer.observe(RUN)
    assert (seen.state, seen.retriable) == (RunState.FAILED, False)
    assert seen.message == "data.tsv, line 3: label 'x' is neither ham nor spam"


def test_a_retriable_failure_is_attempted_again_up_to_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", sys.executable)
    trainer = LocalTrainer(tmp_path, arguments=("--file", str(tmp_path / "absent.yaml")), backoff_limit=1)
    directory = directory_of(tmp_path, pid=999_999_999, attempt=1)
    assert trainer.observe(RUN).state is RunState.RUNNING
    assert json.loads(directory.process.read_text())["attempt"] == 2
    trainer.stop()


def test_what_has_ended_leaves_the_process_table_without_being_looked_at(trainer, tmp_path):
    trainer.submit(RUN)
    pid = json.loads(RunDirectory(tmp_path / RUN.name).process.read_text())["pid"]
    psutil.Process(pid).kill()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.02)


def test_a_cancelled_run_has_failed(trainer, tmp_path):
    directory_of(tmp_path, pid=999_999_999)
    trainer.cancel(RUN.name)
    seen = trainer.observe(RUN)
    assert (seen.state, seen.message) == (RunState.FAILED, "the run was ended")


def test_old_runs_are_pruned_and_the_newest_stay(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT_RUNS", 2)
    for number in range(4):
        (tmp_path / f"old-{number}").mkdir()
        time.sleep(0.01)
    trainer._prune(keep="new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old-2", "old-3"]
