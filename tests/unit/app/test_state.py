"""What one machine keeps instead of an API server: identity, requests, one controller at a time."""

import json
import os
import subprocess
import sys

import pytest

from autoretrain.app.state import AlreadyRunning, StateDirectory, write_atomically
from autoretrain.domain.errors import AutoRetrainError


def document(**spec):
    return {"metadata": {"name": "sms"}, "spec": spec}


def test_a_resource_keeps_its_uid_and_its_generation_rises_only_with_the_spec(tmp_path):
    state = StateDirectory(tmp_path)
    uid, first = state.identity("default.sms", document=document(suspend=False))
    assert state.identity("default.sms", document=document(suspend=False)) == (uid, first)
    assert state.identity("default.sms", document=document(suspend=True)) == (uid, first + 1)


def test_two_models_have_two_uids(tmp_path):
    state = StateDirectory(tmp_path)
    assert state.identity("default.a", document=document())[0] != state.identity("default.b", document=document())[0]


def test_requests_add_up_and_do_not_forget_each_other(tmp_path):
    state = StateDirectory(tmp_path)
    state.request("default.sms", retrain="token-1", actor="ann")
    state.request("default.sms", suspend=True)
    requests, suspended = state.read_requests("default.sms")
    assert (requests.retrain, requests.actor, suspended) == ("token-1", "ann", True)


def test_a_second_controller_is_refused_and_told_who_holds_the_lock(tmp_path):
    state = StateDirectory(tmp_path)
    held = state.lock(purpose="run")
    script = (
        "from pathlib import Path; from autoretrain.app.state import StateDirectory, AlreadyRunning\n"
        f"state = StateDirectory(Path({str(tmp_path)!r}))\n"
        "assert state.controller_runs()\n"
        "try: state.lock(purpose='run')\n"
        "except AlreadyRunning as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"`autoretrain run` (pid {os.getpid()}:" in told
    held.release()
    assert not state.controller_runs()
    state.lock(purpose="run").release()


def test_the_lock_refuses_within_one_process_too(tmp_path):
    state = StateDirectory(tmp_path)
    held = state.lock(purpose="monitor")
    with pytest.raises(AlreadyRunning, match="autoretrain monitor"):
        state.lock(purpose="run")
    held.release()


def test_a_write_that_fails_leaves_the_old_text(tmp_path):
    target = tmp_path / "status.json"
    write_atomically(target, json.dumps({"old": True}))
    with pytest.raises(TypeError):
        write_atomically(target, None)  # type: ignore[arg-type]
    assert json.loads(target.read_text()) == {"old": True}


def test_a_request_that_cannot_be_kept_says_which_file_and_why(tmp_path):
    (tmp_path / "requests").write_text("a file where the directory should be")
    with pytest.raises(AutoRetrainError, match=r"requests/default\.sms\.json can't be written"):
        StateDirectory(tmp_path).request("default.sms", retrain="token")
