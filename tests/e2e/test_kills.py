"""The controller dies again and again through a whole cycle, and the API server once: one run, one promotion."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from tests.e2e.client import Labellers
from tests.e2e.conftest import API_KEY, SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait
from tests.e2e.test_faults import kill_controller

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "kills"
KILLS = 25
SEED = 20260302
NODE = "autoretrain-control-plane"


def test_a_controller_killed_at_25_moments_of_a_cycle_makes_one_promotion_of_each_run(place: Place):
    corpus = "".join(f"{row.label}\t{row.text}\n" for row in generate_corpus(seed=0)).encode()
    place.kube.apply(place.document(NAME, place.add_file("first", corpus)), namespace=place.namespace)
    place.wait_ready(NAME)
    chance = random.Random(SEED)
    with (
        place.client(NAME, per_second=50) as client,
        Labellers(place.kube, place.namespace, f"{NAME}-serving", client, API_KEY),
    ):
        client.play(generate_traffic(seed=3, messages=1000))
        wait("a quiet window", lambda: place.status(NAME).get("drift"), seconds=120)
        client.play(generate_wave(seed=7, messages=20_000))
        for _ in range(KILLS):
            # Moments are what is random here; nothing is waited for.
            time.sleep(chance.uniform(1, 12))
            kill_controller(place.kube)
        wait("a new champion", lambda: place.champion(NAME) != "1", seconds=400)
        wait("the guard's end", lambda: place.status(NAME).get("guard", {}).get("ended") == "Passed", seconds=240)
    assert client.failures == []
    made = [decision.split()[0] for decision in place.decisions(NAME)]
    assert made.count("RETRAIN") == len(place.jobs(NAME))
    assert made.count("PROMOTE") == 2
    assert place.condition(NAME, "Ready")["status"] == "True"


def test_with_two_replicas_both_killed_at_once_one_of_the_next_two_goes_on(place: Place):
    jobs = len(place.jobs(NAME))
    with two_replicas(place.kube):
        place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="two-replicas")
        wait("a Job", lambda: len(place.jobs(NAME)) == jobs + 1, seconds=120)
        kill_controller(place.kube)
        wait("the end of the run", lambda: "activeRun" not in place.status(NAME), seconds=240)
    assert len(place.jobs(NAME)) == jobs + 1
    assert place.condition(NAME, "Ready")["status"] == "True"


@contextmanager
def two_replicas(kube: Kubectl) -> Iterator[None]:
    """Two controllers, one of which holds the Lease, while the block lasts."""
    target = ("-n", SYSTEM, "deployment/autoretrain-controller")
    try:
        kube.run("set", "env", *target, "AUTORETRAIN_CONTROLLER_LEADER_ELECTION=true")
        kube.run("scale", *target, "--replicas=2")
        kube.run("rollout", "status", *target, "--timeout=120s", seconds=130)
        yield
    finally:
        kube.run("scale", *target, "--replicas=1")
        kube.run("set", "env", *target, "AUTORETRAIN_CONTROLLER_LEADER_ELECTION-")
        kube.run("rollout", "status", *target, "--timeout=120s", seconds=130)


def test_a_restarted_api_server_is_waited_out(place: Place):
    jobs = len(place.jobs(NAME))
    subprocess.run(["docker", "exec", NODE, "pkill", "-9", "kube-apiserver"], check=True, timeout=30)
    wait("the API server", lambda: place.kube.run("get", "--raw", "/readyz") == "ok", seconds=120)
    place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="after-the-restart")
    wait("a Job", lambda: len(place.jobs(NAME)) == jobs + 1, seconds=120)
    wait("its end", lambda: "activeRun" not in place.status(NAME), seconds=240)
    assert place.condition(NAME, "Ready")["status"] == "True"
