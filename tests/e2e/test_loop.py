"""The whole loop on a cluster: installed, served, quiet while traffic is, and a new model when spam changes.

The stories build on one another, as a cluster's days do.
"""

import pytest

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from tests.e2e.client import Labellers
from tests.e2e.conftest import API_KEY, DATA_DIRECTORY, Place
from tests.e2e.kubectl import wait

pytestmark = pytest.mark.cluster

NAME = "sms-spam"
UCI = DATA_DIRECTORY / "SMSSpamCollection"


def real_or_sample() -> tuple[bytes, str]:
    """The real file where it is there, else the sample corpus, and a message that is spam to either."""
    if UCI.exists():
        return UCI.read_bytes(), "real"
    rows = generate_corpus(seed=0)
    return "".join(f"{row.label}\t{row.text}\n" for row in rows).encode(), "sample"


def test_a_document_becomes_a_served_model(place: Place):
    content, _ = real_or_sample()
    place.kube.apply(place.document(NAME, place.add_file("messages", content)), namespace=place.namespace)
    status = place.wait_ready(NAME, seconds=300)
    assert status["champion"]["version"] == "1"
    client = place.client(NAME)
    spam = client.predict("WINNER!! Claim your FREE prize now, call 09061701461 or text CLAIM to 81010 cost 150p")
    ham = client.predict("are you coming home for dinner tonight?")
    assert (spam.status_code, spam.json()["prediction"]) == (200, "spam")
    assert (ham.status_code, ham.json()["prediction"], ham.json()["model_version"]) == (200, "ham", "v1")
    assert place.decisions(NAME)[:2] == ["RETRAIN NoChampion", "PROMOTE FirstModel"]
    assert [row.split()[:2] for row in place.kube.run("get", "spm", "-n", place.namespace).splitlines()] == [
        ["NAME", "READY"],
        [NAME, "True"],
    ]


def test_quiet_traffic_starts_nothing(place: Place):
    jobs = len(place.jobs(NAME))
    with place.client(NAME, per_second=60) as client:
        client.play(quiet_messages())
        wait("five windows", lambda: client.sent > 5 * 250, seconds=120)
        wait("drift is known", lambda: place.status(NAME).get("drift", {}).get("windowId"), seconds=60)
        assert client.failures == []
    status = place.status(NAME)
    assert status["drift"]["score"] < 0.15
    assert len(place.jobs(NAME)) == jobs
    assert place.condition(NAME, "DriftDetected")["status"] == "False"


def test_new_spam_leads_to_a_new_champion_without_a_failed_request(place: Place):
    first = place.champion(NAME)
    generation = place.deployment(NAME)["metadata"]["generation"]
    with (
        place.client(NAME, per_second=80, threads=4) as client,
        Labellers(place.kube, place.namespace, f"{NAME}-serving", client, API_KEY) as labellers,
    ):
        client.play(generate_wave(seed=7, messages=20_000))
        wait("drift is seen", lambda: place.condition(NAME, "DriftDetected").get("status") == "True", seconds=180)
        wait("a run", lambda: "RETRAIN" in " ".join(place.decisions(NAME)[2:]), seconds=240)
        wait("a new champion", lambda: place.champion(NAME) != first, seconds=400)
        wait(
            "the guard has passed",
            lambda: place.status(NAME).get("guard", {}).get("ended") == "Passed",
            seconds=240,
        )
        wait("answers of the new one", lambda: len(client.versions) == 2, seconds=30)
        client.per_second = 250
        wait("20,000 requests", lambda: client.sent >= 20_000, seconds=240)
        assert labellers.labelled > 0
    assert client.failures == []
    status = place.status(NAME)
    assert status["previous"]["version"] == first
    assert place.deployment(NAME)["metadata"]["generation"] > generation
    assert any(decision.startswith("PROMOTE Better") for decision in place.decisions(NAME))


def quiet_messages():
    """Traffic like the base data: of the sample corpus' kind, or the real file's own messages."""
    content, kind = real_or_sample()
    if kind == "sample":
        return generate_traffic(seed=6, messages=1500)
    from autoretrain.domain.messages import Label, LabelledMessage

    rows = [line.split("\t", 1) for line in content.decode("utf-8").splitlines()]
    return [LabelledMessage(text=text, label=Label(label)) for label, text in rows[::3]]
