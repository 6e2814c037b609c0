"""What the loop on one machine tells its person, and what it outlives."""

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.app import runner
from autoretrain.app.data import PreparedData
from autoretrain.app.runner import LocalController, serving_settings
from autoretrain.app.state import StateDirectory
from autoretrain.app.steps import Steps
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import ModelRef, Status
from tests.spec_cases import VALID


@pytest.fixture
def controller(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path))
    return LocalController(Settings(), StateDirectory(tmp_path))


def model(**spec):
    return parse_spam_model({**VALID, "spec": {**VALID["spec"], **spec}}, uid="u", generation=1)


def test_an_edit_that_serving_can_not_follow_is_said_once(controller, capsys):
    controller._serving_settings = serving_settings(model())
    edited = model(monitoring={"audit": {"rate": "0.2"}})
    controller._say_what_needs_a_restart(model())
    controller._say_what_needs_a_restart(edited)
    controller._say_what_needs_a_restart(edited)
    said = capsys.readouterr().err
    assert said.count("restart to let it follow") == 1
    assert "(AUTORETRAIN_AUDIT_RATE)" in said


class World:
    """A champion of generated messages; the first pass over it can't be made."""

    def __init__(self, card):
        self._card = card

    def model(self):
        return model()

    def status(self, _model):
        return Status(champion=ModelRef(version="1", digest="d"))

    def card(self, _digest):
        return self._card


def test_the_box_names_the_data_of_the_champion_and_says_what_the_next_run_takes(controller):
    world = World({"data_source": "GENERATED SAMPLE", "generated_sample": True})
    box = controller._welcome(world, PreparedData(rows=(), source_note="UCI", path=None))
    assert "Data       GENERATED SAMPLE" in box
    assert "GENERATED messages: its figures say nothing about real ones" in box
    assert "The next run uses another: UCI." in box


def test_the_same_data_is_named_once(controller):
    box = controller._welcome(World({"data_source": "UCI"}), PreparedData(rows=(), source_note="UCI", path=None))
    assert box.count("UCI") == 1


def test_a_pass_that_can_not_be_made_ends_nothing(controller, monkeypatch, capsys):
    passes = iter([AutoRetrainError("version 3 has no readable reference"), KeyboardInterrupt()])

    def make(_self, _world):
        raise next(passes)

    monkeypatch.setattr(runner, "BLOCKED_SECONDS", 0.0)
    monkeypatch.setattr(LocalController, "_pass", make)
    with pytest.raises(KeyboardInterrupt):
        controller._loop(World({}))
    assert "no pass was made: version 3 has no readable reference" in capsys.readouterr().err


class Supervisor:
    """Remembers what it was told to start."""

    def __init__(self):
        self.started = []

    def start(self, child):
        self.started.append(child.name)

    def heal(self):
        return []


@pytest.mark.parametrize(
    ("options", "started"),
    [
        ({}, ["mlflow", "serving", "monitor", "dashboard"]),
        ({"with_dashboard": False}, ["mlflow", "serving", "monitor"]),
        ({"only_loop": True}, ["monitor"]),
    ],
)
def test_services_that_run_elsewhere_are_not_started(options, started, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path))
    controller = LocalController(Settings(), StateDirectory(tmp_path), **options)
    controller._supervisor = Supervisor()
    monkeypatch.setattr(LocalController, "_wait", lambda _self, _name, _address: None)
    controller._start_services(Steps(own=1), model())
    assert controller._supervisor.started == started


def test_the_loop_alone_goes_with_a_registry_elsewhere_and_asks_serving_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    monkeypatch.setenv("AUTORETRAIN_SERVING_URL", "http://serving.example:8000")
    controller = LocalController(Settings(), StateDirectory(tmp_path), only_loop=True)
    controller._supervisor = Supervisor()
    asked = []
    monkeypatch.setattr(LocalController, "_wait", lambda _self, name, address: asked.append((name, address)))
    controller._start_services(Steps(own=1), model())
    assert asked == [("serving", "http://serving.example:8000/livez")]


def test_the_loop_alone_needs_no_port_but_the_monitors(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path))
    controller = LocalController(Settings(), StateDirectory(tmp_path), only_loop=True)
    assert controller._ports() == {"AUTORETRAIN_MONITOR_PORT": 8002}


def test_without_the_dashboard_its_port_may_be_taken(tmp_path):
    controller = LocalController(Settings(), StateDirectory(tmp_path), with_dashboard=False)
    assert "AUTORETRAIN_DASHBOARD_PORT" not in controller._ports()
    assert len(controller._ports()) == 3
