"""Where `make monitor` is the process that decides, it also does what the loop of `make run` does beside passes."""

from types import SimpleNamespace

from autoretrain.app import monitor
from autoretrain.app.monitor import Monitor


def test_what_is_past_its_retention_goes_also_where_only_the_monitor_acts(monkeypatch):
    tidied = []
    world = SimpleNamespace(store=None, tidy_when_due=tidied.append)
    monkeypatch.setattr(Monitor, "_measure", lambda _self, _now: [])
    monkeypatch.setattr(monitor, "run_pass", lambda _world, _now: "a pass")
    assert Monitor(world).act() == "a pass"
    assert len(tidied) == 1
