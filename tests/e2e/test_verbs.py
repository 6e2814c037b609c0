"""What a person asks for, what the gates say, and what becomes of a model that misbehaves after its promotion."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoretrain.domain.messages import Label
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic
from tests.e2e.alert_receiver import people, receiver, told
from tests.e2e.asking import ask_registry
from tests.e2e.conftest import Place
from tests.e2e.kubectl import Object, wait

pytestmark = pytest.mark.cluster

NAME = "verbs"
SPAM_OF = {Label.HAM: Label.SPAM, Label.SPAM: Label.HAM}
RUN_SECONDS = 240
DELIVERED_SECONDS = 60


def corpus(*, wrong_every: int = 0) -> bytes:
    """The sample corpus as TSV; with `wrong_every`, each so many-th label is the other one."""
    lines = []
    for number, row in enumerate(generate_corpus(seed=0, messages=2500)):
        wrong = wrong_every and number % wrong_every == 0
        lines.append(f"{SPAM_OF[row.label] if wrong else row.label}\t{row.text}\n")
    return "".join(lines).encode()


def use(place: Place, data: Object, **spec: object) -> None:
    document = place.document(NAME, data, alerts={"secretRef": {"name": "people"}}, **spec)
    place.kube.apply(document, namespace=place.namespace)


def decided(place: Place, prefix: str, *, after: int = 0) -> bool:
    return any(decision.startswith(prefix) for decision in place.decisions(NAME)[after:])


def candidate(place: Place) -> dict[str, Any]:
    return place.status(NAME).get("candidate", {})


def ended(place: Place, *, trigger: str) -> bool:
    """Was the last run one of `trigger`, and is none in flight? Jobs are there before the status tells of them."""
    status = place.status(NAME)
    return "activeRun" not in status and status.get("lastRun", {}).get("trigger") == trigger


def put_back(place: Place, good: Object, *, trained: str) -> None:
    """Use the good data again, and let the run that this starts end: the next test must not meet it."""
    use(place, good)

    def at_rest() -> bool:
        status = place.status(NAME)
        return "activeRun" not in status and status["trainedHash"] == trained

    wait("the run on the good data", at_rest, seconds=RUN_SECONDS)


@pytest.fixture(scope="module")
def good(place: Place) -> Object:
    """A SpamModel that is Ready on good data; returns its `data`."""
    place.kube.apply(*receiver(), people(place), namespace=place.namespace)
    data = place.add_file("good", corpus())
    use(place, data)
    place.wait_ready(NAME)
    return data


def test_a_worse_candidate_is_rejected_with_numbers_and_changes_nothing(place: Place, good: Object):
    before, generation = len(place.decisions(NAME)), place.deployment(NAME)["metadata"]["generation"]
    trained = place.status(NAME)["trainedHash"]
    use(place, place.add_file("noisy", corpus(wrong_every=4)))
    wait("a rejection", lambda: candidate(place).get("reason") == "BelowFloors", seconds=RUN_SECONDS)
    assert decided(place, "REJECT BelowFloors", after=before)
    assert "at least 0.9500 is needed" in candidate(place)["message"]
    assert place.champion(NAME) == "1"
    assert place.deployment(NAME)["metadata"]["generation"] == generation
    put_back(place, good, trained=trained)


def test_asked_by_hand_a_run_starts_and_is_asked_for_once(place: Place, good: Object):
    before = len(place.jobs(NAME))
    place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="first", actor="ann", reason="see it run")
    wait("the request's start", lambda: place.status(NAME)["handledRequests"]["retrain"] == "first", seconds=60)
    wait("its end", lambda: ended(place, trigger="manual"), seconds=RUN_SECONDS)
    assert len(place.jobs(NAME)) == before + 1
    place.kube.annotate(NAME, namespace=place.namespace, reason="the same token is no new request")
    # A pass that has seen this later change has seen the annotation too, and would have started a run.
    use(place, good, triggers={"cooldownSeconds": 0, "maxRunsPerDay": 23})
    place.wait_ready(NAME, seconds=60)
    assert len(place.jobs(NAME)) == before + 1


def test_a_model_that_misbehaves_is_taken_back_without_labels_or_a_failed_request(place: Place, good: Object):
    before, trained = len(place.decisions(NAME)), place.status(NAME)["trainedHash"]
    use(place, place.add_file("upside-down", corpus(wrong_every=1)))
    wait("its run's end", lambda: place.status(NAME)["trainedHash"] != trained, seconds=RUN_SECONDS)
    assert candidate(place)["decision"] == "HOLD"
    bad = candidate(place)["summary"]["version"]
    with place.client(NAME, per_second=50) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        place.kube.annotate(
            NAME,
            namespace=place.namespace,
            promote_requested=bad,
            promote_token="on-purpose",
            actor="ann",
            reason="to see it taken back",
        )
        wait("the promotion", lambda: decided(place, "PROMOTE Forced", after=before), seconds=60)
        wait("the rollback", lambda: decided(place, "ROLLBACK", after=before), seconds=180)
        wait("its alert", lambda: told(place, NAME, "the previous version is put back"), seconds=DELIVERED_SECONDS)
        wait("the previous version", lambda: place.champion(NAME) == "1", seconds=60)
        wait("its rollout", lambda: place.condition(NAME, "ServingAvailable").get("status") == "True", seconds=60)
    assert client.failures == []
    assert client.versions == {"v1", f"v{bad}"}
    assert place.condition(NAME, "Degraded")["status"] == "True"
    put_back(place, good, trained=trained)


def test_an_approval_is_waited_for_and_obeyed(place: Place, good: Object):
    data = place.add_file("upside-down", corpus(wrong_every=1))
    waiting = place.document("approved", data, promotion={"approval": "Manual"})
    place.kube.apply(waiting, namespace=place.namespace)
    wait(
        "a proposal",
        lambda: place.status("approved").get("candidate", {}).get("reason") == "AwaitingApproval",
        seconds=RUN_SECONDS,
    )
    assert place.champion("approved") == ""
    place.kube.annotate("approved", namespace=place.namespace, approve="1", actor="ann")
    place.wait_ready("approved", seconds=120)
    assert place.champion("approved") == "1"
    place.kube.delete("spammodel", "approved", namespace=place.namespace)


def test_the_cron_starts_a_run_when_it_is_due(place: Place, good: Object):
    due = datetime.now(UTC) + timedelta(seconds=70)
    use(place, good, triggers={"cooldownSeconds": 0, "maxRunsPerDay": 24, "schedule": {"cron": f"{due:%M %H} * * *"}})
    wait(
        "the next time",
        lambda: place.status(NAME).get("nextScheduleTime", "")[:16] == f"{due:%Y-%m-%dT%H:%M}",
        seconds=30,
    )
    wait("a run", lambda: decided(place, "RETRAIN ScheduleDue"), seconds=150)
    wait("its end", lambda: ended(place, trigger="schedule"), seconds=RUN_SECONDS)


def test_suspended_nothing_starts(place: Place, good: Object):
    use(place, good, suspend=True)
    before = len(place.jobs(NAME))
    place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="while-suspended")
    wait("it is said", lambda: place.condition(NAME, "Retraining").get("reason") == "Suspended", seconds=60)
    assert len(place.jobs(NAME)) == before


def test_deleted_everything_owned_goes_at_once_and_the_registry_keeps_the_versions(place: Place, good: Object):
    found, registered = place.get(NAME), ask_registry(place, NAME)
    assert "finalizers" not in found["metadata"]
    assert len(registered.versions) > 1
    assert len(owned(place, found["metadata"]["uid"])) > len(place.jobs(NAME))
    place.kube.delete("spammodel", NAME, namespace=place.namespace)
    wait("it is gone", lambda: place.kube.get("spammodel", NAME, namespace=place.namespace) is None, seconds=20)
    wait("its children are gone", lambda: not owned(place, found["metadata"]["uid"]), seconds=90)
    assert ask_registry(place, NAME) == registered


def owned(place: Place, uid: str) -> list[str]:
    """What of any kind has the resource for its owner."""
    listed = place.kube.run("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    kinds = [kind for kind in listed if not kind.startswith("events") and not kind.endswith("metrics.k8s.io")]
    return [
        f"{thing['kind']} {thing['metadata']['name']}"
        for thing in place.kube.list(",".join(kinds), namespace=place.namespace)
        if any(owner["uid"] == uid for owner in thing["metadata"].get("ownerReferences", []))
    ]
