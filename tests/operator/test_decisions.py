"""Which decisions stay, and what they are asked for once a status is gone."""

import asyncio

import pytest

from controller.cluster import DECISION, JOB, MODEL_LABEL, SPAM_MODEL, key_of
from controller.decisions import KEPT_DECISIONS, prune_decisions
from tests.operator.operator_world import OperatorWorld, ordinals, settled


def record(world: OperatorWorld, number: int, *, model="sms", namespace="tenant-a"):
    metadata = {"name": f"{model}-{number}", "namespace": namespace, "labels": {MODEL_LABEL: model}}
    thing = {"apiVersion": DECISION.api_version, "kind": DECISION.name, "metadata": metadata, "spec": {}}
    return world.cluster.put(thing)["metadata"]["name"]


def pruned(world: OperatorWorld, *namespaces: str) -> tuple[set[str], list[str]]:
    calls: list[str] = []
    asyncio.run(prune_decisions(world.cluster, namespaces=namespaces, count_call=calls.append))
    return {thing["metadata"]["name"] for thing in world.cluster.of(DECISION)}, calls


@pytest.fixture
def world() -> OperatorWorld:
    return OperatorWorld()


def test_the_newest_hundred_of_each_model_are_kept(world):
    many = [record(world, number) for number in reversed(range(KEPT_DECISIONS + 7))]
    few = [record(world, number, model="sms-2") for number in range(3)]
    other = [record(world, number, namespace="tenant-b") for number in range(KEPT_DECISIONS)]
    kept, calls = pruned(world)
    assert kept == {*many[7:], *few, *other}
    assert calls.count("delete") == 7


def test_only_namespaces_that_are_watched_are_pruned(world):
    here = [record(world, number) for number in range(KEPT_DECISIONS + 1)]
    there = [record(world, number, model="mms", namespace="tenant-b") for number in range(KEPT_DECISIONS + 1)]
    kept, _ = pruned(world, "tenant-a")
    assert kept == {*here[1:], *there}


def test_a_run_after_a_lost_status_is_numbered_by_the_highest_that_a_decision_knows(world):
    world.create_model()
    settled(world)
    world.annotate(retrain_requested="please")
    settled(world)
    assert ordinals(world) == ["1", "2"]
    for job in list(world.jobs):  # Their time to live has passed.
        world.cluster.remove((JOB.name, *key_of(job)))
    world.change(lambda thing: thing.pop("status"))
    world.start()
    settled(world)
    assert set(ordinals(world)) == {"2"}


def test_decisions_are_asked_for_once_while_no_run_is_known(world, monkeypatch):
    asked = []
    listing = world.cluster.list_pages
    monkeypatch.setattr(
        world.cluster, "list_pages", lambda kind, **options: (asked.append(kind), listing(kind, **options))[1]
    )
    world.create_model(suspend=True)
    settled(world)
    assert asked.count(DECISION) == 1
    assert world.cluster.of(SPAM_MODEL)[0].get("status")
