"""What `make monitor` and `make schedule-training` say: where things stand at first, later only what is new."""

from dataclasses import replace

import pytest

from autoretrain.app import scheduling
from autoretrain.app.local import LocalWorld
from autoretrain.app.passes import PassResult
from autoretrain.cli.check import acting_and_printing
from autoretrain.decide.transition import decide
from tests.unit.decide.builders import quiet


class FakeMonitor:
    """Makes passes that end with one status after the other."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def act(self):
        return a_pass(self.statuses.pop(0))

    def recent_reports(self):
        return []


def a_pass(status):
    observation = quiet()
    return PassResult(observation=observation, plan=decide(observation), outcomes=(), status=status)


@pytest.fixture
def unchanged():
    return quiet().status


def test_the_monitor_says_where_things_stand_and_then_only_what_is_new(unchanged, capsys):
    act = acting_and_printing(FakeMonitor(unchanged, unchanged, replace(unchanged, run_ordinal=99)))
    said = []
    for _ in range(3):
        act()
        said.append("Decision: " in capsys.readouterr().out)
    assert said == [True, False, True]


def test_the_schedule_says_when_it_looks_next(unchanged, capsys, monkeypatch):
    result = a_pass(unchanged)
    monkeypatch.setattr(scheduling, "run_pass", lambda _world, _now: result)
    monkeypatch.setattr(LocalWorld, "tidy_when_due", lambda _world, _now: None)
    wake = scheduling.pass_and_next_wake(LocalWorld.__new__(LocalWorld))
    assert f"; next look at {wake:%Y-%m-%d %H:%M:%S} UTC\n" in capsys.readouterr().out
