"""What a person's first run ends with: the model is the champion, also where a server has yet to load it."""

from dataclasses import replace

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.app import first_model
from autoretrain.app.local import LocalWorld
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.observation import Served
from tests.spec_cases import VALID_TEXT
from tests.unit.decide.builders import summary

KEY = "default.sms-spam"
SUMMARY = replace(summary("4"), champion_version=None, champion_digest=None, holdout=None, recent=None)
NOTHING_YET = Served(version=None, digest=None, ready=False)
LOADED = Served(version="4", digest=SUMMARY.digest, ready=True)


class FakeRegistry:
    def __init__(self):
        self.aliases = []

    def versions(self):
        return ()

    def fetch_artefact(self, version):
        return ModelArtefact(version=version, digest=SUMMARY.digest, run_id="r", model=b"m", reference=b"r", card="{}")

    def set_aliases(self, **aliases):
        self.aliases.append(aliases)


class FakeServer:
    """Answers with one of `answers` after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def served(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self):
        pass


@pytest.fixture
def world(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(first_model, "PAUSE_SECONDS", 0.0)
    opened = LocalWorld.open(Settings(), expect_serving=False)
    opened._registry = FakeRegistry()
    yield opened
    opened.close()


def test_a_server_that_needs_a_while_to_load_the_first_model_is_waited_for(world):
    world._serving = FakeServer(*[NOTHING_YET] * 12, LOADED)
    told = first_model.decide_on(world, KEY, SUMMARY)
    assert told.startswith("v4 is the champion now: ")
    assert world.state.read_status(KEY).champion.version == "4"
    assert world._registry.aliases[-1]["champion"] == "4"


def test_a_server_that_never_loads_it_is_told_of_and_no_command_contradicts_the_promotion(world, monkeypatch):
    monkeypatch.setattr(first_model, "ROLLOUT_SECONDS", 0.05)
    world._serving = FakeServer(NOTHING_YET)
    told = first_model.decide_on(world, KEY, SUMMARY)
    assert told == "v4 is promoted but not served yet; the next pass goes on with it: autoretrain status"
