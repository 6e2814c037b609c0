"""The world of one machine, with a real store and real files; only the registry and the server are ours."""

from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters import records
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.spammodel import load_document
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import AutoRetrainError, InvalidSpec, StoreUnavailable, Waiting
from autoretrain.domain.observation import Observation, RegistryVersion
from autoretrain.domain.plan import Decision, Deploy
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import ModelRef
from tests.spec_cases import VALID, VALID_TEXT

ARTEFACT = ModelArtefact(version="4", digest="sha256:4", run_id="run-4", model=b"model", reference=b"ref", card="{}")


class FakeRegistry:
    """Holds one version and remembers which aliases it was given."""

    def __init__(self, artefact=ARTEFACT):
        self.artefact, self.aliases = artefact, []

    def versions(self):
        return (RegistryVersion(version="4", digest=self.artefact.digest, alias="champion", run_id="run-4"),)

    def fetch_artefact(self, version):
        return self.artefact

    def set_aliases(self, **aliases):
        self.aliases.append(aliases)


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(VALID_TEXT)
    return path


@pytest.fixture
def world(tmp_path, document, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTORETRAIN_SERVING_PORT", "1")  # nobody listens there
    opened = LocalWorld.open(Settings(), expect_serving=False)
    opened._registry = FakeRegistry()
    yield opened
    opened.close()


def ref(version="4"):
    return ModelRef(version=version, digest=f"sha256:{version}")


def test_a_suspension_by_hand_holds_like_one_in_the_document(world):
    assert world.model().spec.suspend is False
    world.state.request("default.sms-spam", suspend=True)
    assert world.model().spec.suspend is True


def test_a_changed_document_is_a_new_generation_and_a_broken_one_names_its_field(world, document):
    assert world.model().generation == 1
    document.write_text(VALID_TEXT + "  triggers: {cooldownSeconds: 60}\n")
    assert world.model().generation == 2
    document.write_text(VALID_TEXT + "  triggers: {cooldownSeconds: soon}\n")
    with pytest.raises(InvalidSpec, match=r"spec\.triggers\.cooldownSeconds"):
        world.model()


@pytest.fixture
def controller(world):
    """The world as a process that decides has it: a document that breaks leaves the last good one in force."""
    deciding = LocalWorld.open(world.settings, expect_serving=False, keep_last_document=True)
    deciding._registry = world._registry
    deciding.store.put_artefact(ARTEFACT)
    deciding.store.deploy(Deployment(version="4", digest="sha256:4"))
    yield deciding
    deciding.close()


def stalled(controller):
    [*found] = (c for c in controller.state.read_status("default.sms-spam").conditions if c.type == "Stalled")
    return [(condition.status, condition.reason, condition.message) for condition in found]


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (VALID_TEXT + "  triggers: {cooldownSeconds: soon}\n", "spec.triggers.cooldownSeconds"),
        ("spec: [", "model.yaml, line 1"),
        (VALID_TEXT.replace("sms-spam", "other"), "metadata.name"),
    ],
    ids=["a field", "no YAML", "another name"],
)
def test_a_document_that_breaks_stalls_until_it_is_mended_while_the_last_good_one_holds(
    controller, document, broken, path
):
    document.write_text(VALID_TEXT + "  triggers: {cooldownSeconds: 60}\n")
    run_pass(controller, utc_now())
    assert stalled(controller) == []
    document.write_text(broken)
    result = run_pass(controller, utc_now())
    assert result.observation.model.spec.triggers.cooldown_seconds == 60
    [(status, reason, message)] = stalled(controller)
    assert (status, reason) == (True, "InvalidSpec")
    assert path in message
    assert run_pass(controller, utc_now()).changed is False
    document.write_text(VALID_TEXT)
    assert run_pass(controller, utc_now()).observation.model.spec.triggers.cooldown_seconds == 3600
    assert stalled(controller) == []


def test_other_processes_read_the_document_that_is_in_force(controller, document):
    controller.model()
    document.write_text("broken")
    controller.model()
    copy = controller.document_path
    assert copy != document
    assert load_document(copy) == VALID
    assert ("--file", str(copy)) == controller.trainer(controller.model())._arguments[:2]


def test_a_pass_on_the_last_good_document_can_be_replayed(controller, document):
    run_pass(controller, utc_now())
    document.unlink()
    observation = controller.gather(utc_now())
    assert observation.document_problems[0].message == "can't be read: No such file or directory"
    assert records.load_record(Observation, records.dump_record(observation)) == observation


def test_where_nobody_serves_what_is_deployed_counts_as_served(world):
    world.store.deploy(Deployment(version="4", digest="sha256:4"))
    assert world.gather(utc_now()).served.version == "4"


def test_where_a_server_must_be_there_its_silence_is_no_answer(world):
    world.expect_serving = True
    world.store.deploy(Deployment(version="4", digest="sha256:4"))
    assert world.gather(utc_now()).served is None


def test_deploying_brings_the_artefact_into_the_store_first(world):
    world.apply(Deploy(model=ref()), world.gather(utc_now()))
    assert world.store.artefact("sha256:4") == ARTEFACT
    assert world.store.deployment().digest == "sha256:4"


def test_a_version_with_another_digest_than_decided_on_is_not_deployed(world):
    with pytest.raises(AutoRetrainError, match="version 9 has digest sha256:4, wanted was sha256:9"):
        world.apply(Deploy(model=ref("9")), world.gather(utc_now()))
    assert world.store.deployment() is None


def test_a_lost_status_is_rebuilt_from_the_registry_instead_of_trained_anew(world):
    world.store.put_artefact(ARTEFACT)
    world.store.deploy(Deployment(version="4", digest="sha256:4"))
    result = run_pass(world, utc_now())
    assert (result.plan.reason, result.status.champion.version) == (Reason.ADOPTED, "4")
    assert world.state.read_status("default.sms-spam").champion.version == "4"


def served_by_status(world):
    """Version 4 is the champion, served and known to the registry; returns a time at which all of it is old news.

    Of a Wednesday, since no schedule is due then: a run would be decided on instead.
    """
    wednesday = datetime(2026, 11, 4, 12, tzinfo=UTC)
    world.store.put_artefact(ARTEFACT)
    world.store.deploy(Deployment(version="4", digest="sha256:4"))
    run_pass(world, wednesday)
    return wednesday + timedelta(days=1)


def test_an_alias_that_somebody_moved_is_put_back_within_the_hour(world):
    later = served_by_status(world)
    world._registry.aliases.clear()
    moved = (RegistryVersion(version="4", digest="sha256:4", alias="", run_id="run-4"),)
    world._registry.versions = lambda: moved
    run_pass(world, later)
    assert [aliases["champion"] for aliases in world._registry.aliases] == ["4"]


def test_at_rest_the_registry_is_not_asked_on_every_pass(world):
    later = served_by_status(world)
    run_pass(world, later)
    asked = []
    world._registry.versions = lambda: asked.append(1) or ()
    for minute in range(1, 10):
        run_pass(world, later + timedelta(minutes=minute))
    assert asked == []


def test_aliases_that_could_not_be_moved_are_looked_at_again_soon(world):
    later = served_by_status(world)

    def away(**_aliases):
        raise Waiting("MLflow is away", delay_seconds=1)

    world._registry.set_aliases = away
    moved = (RegistryVersion(version="4", digest="sha256:4", alias="", run_id="run-4"),)
    world._registry.versions = lambda: moved
    run_pass(world, later)
    put = []
    world._registry.set_aliases = lambda **aliases: put.append(aliases["champion"])
    run_pass(world, later + timedelta(minutes=2))
    assert put == ["4"]


def test_an_alert_goes_out_also_where_the_experiment_can_not_be_stored(world, monkeypatch):
    told = []
    world.notify = lambda _key, alert: told.append(alert.event)
    world._registry.versions = lambda: ()

    def locked(*_arguments):
        raise StoreUnavailable("locked")

    monkeypatch.setattr(LocalWorld, "_sync_experiment", locked)
    with pytest.raises(StoreUnavailable):
        run_pass(world, utc_now())
    assert told
    world.trainer(world.model()).stop()


def test_what_a_pass_decided_is_in_the_ledger_and_told_once(world):
    told = []
    world.notify = lambda key, alert: told.append((key, alert.event))
    world._registry.versions = lambda: ()
    result = run_pass(world, utc_now())
    assert result.plan.decision is Decision.RETRAIN
    [record] = world.store.decisions(limit=5)
    assert (record["decision"], record["reason"]) == ("RETRAIN", "NoChampion")
    assert told == [("default.sms-spam", alert.event) for alert in result.plan.alerts]
    world.trainer(world.model()).stop()
