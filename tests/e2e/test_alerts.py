"""People are told: the controller hands an alert to the monitor, which sends it to the addresses of a Secret."""

import pytest

from tests.e2e.alert_receiver import people, receiver, told
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "told"
DELIVERED_SECONDS = 60


def test_a_run_is_told_to_the_addresses_of_the_secret(place: Place):
    place.kube.apply(*receiver(), people(place), namespace=place.namespace)
    document = place.document(NAME, place.add_file("messages", corpus()), alerts={"secretRef": {"name": "people"}})
    document["spec"]["serving"]["scaling"] = {"replicas": 1}
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    wait("the first model", lambda: told(place, NAME, "a new champion is served"), seconds=DELIVERED_SECONDS)
    place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="tell-me", actor="ann")
    wait(
        "the run",
        lambda: any("ManualRequest" in alert["message"] for alert in told(place, NAME, "a training run started")),
        seconds=DELIVERED_SECONDS,
    )
