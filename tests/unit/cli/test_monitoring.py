"""What `make monitor` and `make schedule-training` say: where things stand at first, later only what is new."""

from dataclasses import replace

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.app import monitor_http, scheduling
from autoretrain.app.local import LocalWorld
from autoretrain.app.passes import PassResult
from autoretrain.app.signals import Stopped
from autoretrain.cli.check import acting_and_printing
from autoretrain.cli.services import publish_figures
from autoretrain.decide.transition import decide
from tests.unit.decide.builders import quiet

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


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


@pytest.mark.parametrize(("addresses", "takes"), [(None, False), ("", False), ("json://127.0.0.1:9/\n", True)])
def test_a_monitor_takes_alerts_only_where_it_has_an_address(addresses, takes, tmp_path, monkeypatch):
    """What it takes is told, as far as the controller knows: it neither says nor counts that it was lost."""
    doors = {}

    def serve(_registry, **options):
        doors.update(options)
        raise Stopped(0)

    monkeypatch.setattr(monitor_http, "serve", serve)
    monkeypatch.setenv("AUTORETRAIN_ALERT_URLS_FILE", str(tmp_path / "urls"))
    if addresses is not None:
        (tmp_path / "urls").write_text(addresses)
    assert publish_figures(Settings(status_file=tmp_path / "status.json")) == 0
    assert (doors["take"] is not None, doors["test"] is not None) == (takes, True)


def test_the_schedule_says_when_it_looks_next(unchanged, capsys, monkeypatch):
    result = a_pass(unchanged)
    monkeypatch.setattr(scheduling, "run_pass", lambda _world, _now: result)
    monkeypatch.setattr(LocalWorld, "tidy_when_due", lambda _world, _now: None)
    wake = scheduling.pass_and_next_wake(LocalWorld.__new__(LocalWorld))
    assert f"; next look at {wake:%Y-%m-%d %H:%M:%S} UTC\n" in capsys.readouterr().out
