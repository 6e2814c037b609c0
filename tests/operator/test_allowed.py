"""What may a SpamModel name? The operator's own addresses and its namespace's names, and what is on a list."""

import pytest

from controller.allowed import NotAllowed, keys_at, prometheus_url, registered_model, registry_url
from controller.cluster import EVENT
from controller.registries import Registries
from controller.settings import ControllerSettings
from tests.children import model_of
from tests.operator.operator_world import OperatorWorld, document, settled

OWN, OTHER = "http://prometheus.ours:9090", "https://prometheus.theirs:9090"
MLFLOW, THEIRS = "http://mlflow.ours:5000", "https://mlflow.theirs"
SETTINGS = ControllerSettings(
    prometheus_url=OWN,
    prometheus_allowed=f" {OTHER}/ , http://third:9090",
    mlflow_tracking_uri=f"{MLFLOW}/",
    registry_allowed=f"{THEIRS}/, http://third:5000/mlflow",
    registered_models_allowed="shared.*, team-?.sms",
)
BAD_ADDRESS = "spec.registry.trackingURI is not on the operator's allow-list"
BAD_NAME = (
    "spec.registry.registeredModelName: other.sms is outside default. and needs the operator's consent"
    " (AUTORETRAIN_CONTROLLER_REGISTERED_MODELS_ALLOWED)"
)


def naming(url: str) -> dict:
    return document(monitoring={"prometheus": {"url": url}})


def registered(**registry: str) -> dict:
    return document(registry=registry)


def test_a_prometheus_that_the_operator_allows_is_asked_whatever_its_last_slash():
    assert [prometheus_url(naming(url), SETTINGS) for url in ("", OWN, OTHER, f"{OTHER}/")] == [OWN, OWN, OTHER, OTHER]


def test_models_are_asked_about_together_where_their_series_are():
    documents = [naming(""), naming(OTHER), naming("http://elsewhere:9090")]
    for number, each in enumerate(documents):
        each["metadata"]["name"] = f"sms-{number}"
    assert list(keys_at(OWN, documents, SETTINGS)) == [("default", "sms-0")]
    assert list(keys_at(OTHER, documents, SETTINGS)) == [("default", "sms-1")]


def test_a_registry_that_the_operator_allows_is_asked_whatever_its_last_slash():
    named = ("", MLFLOW, f"{MLFLOW}/", THEIRS, f"{THEIRS}/", "http://third:5000/mlflow")
    asked = [MLFLOW, MLFLOW, MLFLOW, THEIRS, THEIRS, "http://third:5000/mlflow"]
    assert [registry_url(registered(trackingURI=url), SETTINGS) for url in named] == asked


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "http://mlflow.ours",
        "https://mlflow.ours:5000",
        f"{MLFLOW}/other",
        f"{MLFLOW}@elsewhere",
        f"{MLFLOW}?x",
        "http://ann:pw@mlflow.ours:5000",
        "http://third:5000",
    ],
)
def test_any_other_registry_is_not(url: str):
    with pytest.raises(NotAllowed) as raised:
        registry_url(registered(trackingURI=url), SETTINGS)
    assert str(raised.value) == BAD_ADDRESS


@pytest.mark.parametrize("name", ["", "default.sms", "default.a.b", "shared.sms", "team-b.sms"])
def test_a_registered_model_of_the_namespace_or_of_the_list_may_be_used(name: str):
    assert registered_model(model_of(registered(registeredModelName=name)), SETTINGS) == (name or "default.sms-spam")


@pytest.mark.parametrize("name", ["other.sms", "default", "defaults.sms", "xshared.sms", "Shared.sms", "team-bc.sms"])
def test_any_other_registered_model_needs_the_operators_consent(name: str):
    with pytest.raises(NotAllowed) as raised:
        registered_model(model_of(registered(registeredModelName=name)), SETTINGS)
    assert str(raised.value) == BAD_NAME.replace("other.sms", name)


def test_without_a_list_a_model_uses_its_own_namespaces_names_only():
    with pytest.raises(NotAllowed):
        registered_model(model_of(registered(registeredModelName="shared.sms")), ControllerSettings())


# What comes of it.


def running(resource_change, *, champion: bool) -> OperatorWorld:
    """A controller with real registries over a model that is changed, after it is served or from the start."""
    world = OperatorWorld()
    world.create_model()
    if champion:
        settled(world)
    world.change(resource_change)
    registries, own = Registries(SETTINGS), world.registry

    def registry_of(model, resource):
        found = registries.of(model, resource)
        return found if not hasattr(found, "artefact") else own

    world.passes.gatherer.registry_of = world.passes.applier.registry_of = registry_of
    return world


def elsewhere(resource) -> None:
    resource["spec"]["registry"]["trackingURI"] = "http://169.254.169.254"


def others(resource) -> None:
    resource["spec"]["registry"]["registeredModelName"] = "other.sms"


@pytest.mark.parametrize("champion", [False, True], ids=["first model", "champion"])
@pytest.mark.parametrize(("change", "says"), [(elsewhere, BAD_ADDRESS), (others, BAD_NAME)], ids=["address", "name"])
def test_a_model_with_a_registry_that_is_not_allowed_says_so_and_trains_nothing(change, says, champion):
    world = running(change, champion=champion)
    world.registry.down = True
    jobs = len(world.jobs)
    world.annotate(retrain_requested="t1")
    for _ in range(3):
        world.wait(3600)
        world.make_pass()
    assert len(world.jobs) == jobs
    assert world.condition("Stalled") == ("True", "NotAllowed", says)
    assert world.condition("Retraining")[:2] == ("False", "EvidenceMissing")
    assert world.condition("Retraining")[2].endswith(f": {says}")
    assert world.served_version == ("1" if champion else None)
    told = [event for event in world.cluster.of(EVENT) if event["reason"] == "NotAllowed"]
    assert [event["message"] for event in told] == [f"Stalled: {says}"]


def test_a_registry_that_is_allowed_again_is_used_again():
    world = running(elsewhere, champion=True)
    world.make_pass()
    assert world.condition("Stalled")[1] == "NotAllowed"
    world.change(lambda resource: resource["spec"]["registry"].update(trackingURI=""))
    world.annotate(retrain_requested="t1")
    world.make_pass()
    assert world.condition("Stalled") is None
    assert len(world.running) == 1


def test_what_a_registry_says_against_us_is_seen_where_a_run_waits_for_it_beside_a_champion():
    world = OperatorWorld()
    world.create_model()
    settled(world)
    world.registry.down = True
    world.annotate(retrain_requested="t1")
    world.make_pass()
    assert world.condition("Retraining")[2].endswith(": the registry can't be reached")
