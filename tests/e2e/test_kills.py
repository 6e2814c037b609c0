"""The controller dies again and again through a whole cycle, and the API server once: one run, one promotion."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoretrain.ml.sample_corpus import generate_traffic, generate_wave
from tests.e2e.breaking import kill_controller, leader, training_pods
from tests.e2e.client import Labellers
from tests.e2e.conftest import API_KEY, SYSTEM, Place
from tests.e2e.kubectl import Kubectl, wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full]

NAME = "kills"
KILLS = 25
SEED = 20260302
NODE = "autoretrain-control-plane"
TAKE_OVER_SECONDS = 30


def test_a_controller_killed_at_25_moments_of_a_cycle_makes_one_promotion_of_each_run(place: Place):
    place.kube.apply(place.document(NAME, place.add_file("first", corpus(messages=6000))), namespace=place.namespace)
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
        # Its candidate may be promoted, so that a rollout and a guard follow.
        wait("the end of the run", lambda: place.at_rest(NAME), seconds=480)
    assert len(place.jobs(NAME)) == jobs + 1
    assert place.condition(NAME, "Ready")["status"] == "True"


def test_with_the_leader_alone_killed_another_takes_over_within_half_a_minute(place: Place):
    jobs = len(place.jobs(NAME))
    with two_replicas(place.kube):
        killed = wait("a leader", lambda: leader(place.kube), seconds=60)
        place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="leader-alone")
        wait("a Job", lambda: len(place.jobs(NAME)) == jobs + 1, seconds=120)
        place.kube.delete("pod", killed, namespace=SYSTEM, at_once=True)
        wait("another leader", lambda: leader(place.kube) not in ("", killed), seconds=TAKE_OVER_SECONDS)
        wait("the end of the run", lambda: place.at_rest(NAME), seconds=480)
    assert len(place.jobs(NAME)) == jobs + 1
    assert place.condition(NAME, "Ready")["status"] == "True"


@contextmanager
def two_replicas(kube: Kubectl) -> Iterator[None]:
    """Two controllers while the block lasts."""
    target = ("-n", SYSTEM, "deployment/autoretrain-controller")
    try:
        kube.run("scale", *target, "--replicas=2")
        kube.run("rollout", "status", *target, "--timeout=120s", seconds=130)
        yield
    finally:
        kube.run("scale", *target, "--replicas=1")
        kube.run("rollout", "status", *target, "--timeout=120s", seconds=130)


def test_an_api_server_restarted_in_the_midst_of_a_run_is_waited_out(place: Place):
    jobs = len(place.jobs(NAME))
    with place.client(NAME, per_second=20) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="before-the-restart")
        wait("a trainer at work", lambda: training_pods(place, NAME, phase="Running"), seconds=120)
        subprocess.run(["docker", "exec", NODE, "pkill", "-9", "kube-apiserver"], check=True, timeout=30)
        wait("the API server", lambda: place.kube.run("get", "--raw", "/readyz") == "ok", seconds=120)
        wait("the end of the run", lambda: place.at_rest(NAME), seconds=300)
    assert client.failures == []
    assert len(place.jobs(NAME)) == jobs + 1
    assert place.condition(NAME, "Ready")["status"] == "True"
