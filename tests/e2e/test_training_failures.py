"""Runs that can't end well: each says why in a condition and an event, and the champion serves on."""

import pytest

from autoretrain.ml.sample_corpus import generate_corpus
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "failing"
SECONDS = 240
CORPUS = "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=0, messages=2500)).encode()


@pytest.fixture(scope="module")
def served(place: Place) -> Place:
    place.kube.apply(place.document(NAME, place.add_file("first", CORPUS)), namespace=place.namespace)
    place.wait_ready(NAME)
    return place


FAILURES = {
    "memory": ({"podTemplate": {"resources": {"limits": {"memory": "120Mi"}}}}, {}, "out of memory"),
    "image": ({"image": "registry.invalid/nothing:here", "activeDeadlineSeconds": 60}, {}, "image"),
    "checksum": ({}, {"sha256": "0" * 64}, "sha256"),
}


@pytest.mark.parametrize(("training", "data", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_a_run_that_fails_says_why_and_the_champion_serves_on(served: Place, training, data, said):
    before = len(served.decisions(NAME))
    seed = before + 1  # another training spec, so that a run is wanted
    document = served.document(NAME, {**served.add_file("first", CORPUS), **data})
    document["spec"]["training"] = {"profile": "Word", "seed": seed, "backoffLimit": 0, **training}
    served.kube.apply(document, namespace=served.namespace)
    wait("the failure", lambda: failure(served, before), seconds=SECONDS)
    message = next(each["message"] for each in reversed(served.status(NAME)["history"]) if "failed" in each["message"])
    assert said in message
    assert served.condition(NAME, "Ready")["status"] == "True"
    assert served.condition(NAME, "Degraded")["status"] == "True"
    assert served.client(NAME).predict("are you coming home for dinner?").status_code == 200


def failure(place: Place, before: int) -> bool:
    reasons = ("TrainingFailed", "TrainingBadInput", "TrainingDeadlineExceeded")
    return any(decision.endswith(reasons) for decision in place.decisions(NAME)[before:])
