"""Children are healed with growing delay, and none outlives its supervisor."""

import json
import sys
import time

import psutil
import pytest

from autoretrain.app.state import StateDirectory
from autoretrain.app.supervisor import ChildSpec, Supervisor, end_leftovers, find, identify

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(child.pid, flush=True)
time.sleep(60)
"""
WITH_GRANDCHILD = (sys.executable, "-c", PARENT)


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(StateDirectory(tmp_path))
    yield made
    made.stop_all(seconds=2)


def wait_until(reached, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_killed_child_is_started_again_after_its_delay(supervisor):
    supervisor.start(ChildSpec(name="sleeper", command=SLEEPER))
    first = supervisor.pid("sleeper")
    psutil.Process(first).kill()
    wait_until(lambda: not supervisor.alive("sleeper"))
    assert "sleeper ended with code -9" in supervisor.heal()[0]
    assert supervisor.heal() == []
    wait_until(lambda: supervisor.heal() == ["sleeper started again"])
    assert supervisor.pid("sleeper") != first


def test_the_delay_doubles_with_each_failure(supervisor):
    supervisor.start(ChildSpec(name="broken", command=(sys.executable, "-c", "raise SystemExit(3)")))
    delays = []
    while len(delays) < 3:
        delays += [note.split("next start in ")[1].split()[0] for note in supervisor.heal() if "next start" in note]
        time.sleep(0.02)
    assert delays == ["0.5", "1.0", "2.0"]


def test_stopping_ends_the_children_of_children_too(supervisor, tmp_path):
    supervisor.start(ChildSpec(name="parent", command=WITH_GRANDCHILD))
    log = tmp_path / "logs" / "parent.log"
    wait_until(lambda: log.exists() and log.read_text().strip())
    grandchild = int(log.read_text())
    supervisor.stop_all(seconds=2)
    wait_until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")
    assert not supervisor.alive("parent")


def test_a_child_that_ignores_the_first_signal_is_killed(supervisor, tmp_path):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    supervisor.start(ChildSpec(name="stubborn", command=(sys.executable, "-c", stubborn)))
    wait_until(lambda: "up" in (tmp_path / "logs" / "stubborn.log").read_text())
    supervisor.stop_all(seconds=0.3)
    assert not supervisor.alive("stubborn")


def test_what_a_killed_run_left_behind_is_ended_by_the_next(supervisor, tmp_path):
    supervisor.start(ChildSpec(name="sleeper", command=SLEEPER))
    assert end_leftovers(tmp_path / "children.json") == 1
    wait_until(lambda: not supervisor.alive("sleeper"))
    assert not (tmp_path / "children.json").exists()


def test_a_pid_that_belongs_to_somebody_else_by_now_is_left_alone(supervisor, tmp_path):
    supervisor.start(ChildSpec(name="sleeper", command=SLEEPER))
    identity = identify(supervisor.pid("sleeper"))
    (tmp_path / "children.json").write_text(json.dumps([{**identity, "created": identity["created"] - 100}]))
    assert end_leftovers(tmp_path / "children.json") == 0
    assert find(identity) is not None
