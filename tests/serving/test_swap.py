"""A change of version: exact, verified, atomic, and without a failed request."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.app import create_app
from autoretrain.serving.dataplane import DataPlane
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.recorder import Recorder
from autoretrain.serving.watch import LOAD_RETRY_SECONDS, DeploymentWatch
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import EVERYTHING_SPAM, HAM, MODEL, SPAM, make_artefact


async def until_served(client: httpx.AsyncClient, version: str) -> None:
    async with asyncio.timeout(30):
        while (await client.get("/health")).json().get("model_version") != version:
            await asyncio.sleep(0.02)


async def test_versions_change_under_load_and_no_request_fails(settings: Settings, store: Store):
    # What is asked here is not how long a writer waits, and a machine's disk may stall for longer than the store waits.
    patient = Store(f"{settings.resolved_store_url()}?timeout=30", model=MODEL)
    serve_artefact(store, make_artefact("1"))
    seen: list[tuple[int, str, str]] = []
    ended = asyncio.Event()

    async def keep_asking(client: httpx.AsyncClient) -> None:
        last = False
        while not last:
            last = ended.is_set()
            answer = await client.post("/predict", json={"message": HAM})
            seen.append((answer.status_code, answer.json()["model_version"], answer.headers["x-model-version"]))
            await asyncio.sleep(0)

    async with open_client(create_app(settings)) as client:
        clients = [asyncio.create_task(keep_asking(client)) for _ in range(4)]
        for version in ("2", "3", "1", "4"):
            await asyncio.to_thread(serve_artefact, patient, make_artefact(version))
            await until_served(client, f"v{version}")
        ended.set()
        await asyncio.gather(*clients)
    patient.close()
    assert {status for status, _, _ in seen} == {200}
    assert all(body == header for _, body, header in seen)
    order = [version for number, (_, version, _) in enumerate(seen) if number == 0 or seen[number - 1][1] != version]
    assert order == ["v1", "v2", "v3", "v1", "v4"]


async def test_without_a_champion_the_answer_names_the_command_to_run(settings: Settings, store: Store):
    async with open_client(create_app(settings)) as client:
        answers = [
            await client.post("/predict", json={"message": SPAM}),
            await client.post("/predict/batch", json={"messages": [SPAM]}),
            await client.post("/drift/calculate", json={"messages": [SPAM]}),
            await client.get("/models/current"),
            await client.get("/metrics/performance"),
            await client.get("/readyz"),
            await client.get("/health"),
        ]
        alive = await client.get("/livez")
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "`make run` or `python src/train.py`" in answer.json()["detail"]
    assert alive.status_code == 200


async def test_serving_starts_before_the_store_exists_and_takes_the_champion_when_it_comes(settings: Settings):
    async with open_client(create_app(settings)) as client:
        assert (await client.get("/readyz")).status_code == 503
        with Store(settings.resolved_store_url(), model=MODEL) as store:
            await asyncio.to_thread(store.migrate)
            serve_artefact(store, make_artefact())
        await until_served(client, "v1")


class Shelf:
    """A store in memory: what is to be served, and artefacts by digest. `broken` is raised by every call."""

    def __init__(self, *artefacts: ModelArtefact) -> None:
        self.artefacts = {artefact.digest: artefact for artefact in artefacts}
        self.wanted: Deployment | None = None
        self.broken: AutoRetrainError | None = None

    def check_schema(self) -> None:
        if self.broken:
            raise self.broken

    def deployment(self) -> Deployment | None:
        if self.broken:
            raise self.broken
        return self.wanted

    def find(self, _version: str, digest: str) -> ModelArtefact | None:
        if self.broken:
            raise self.broken
        return self.artefacts.get(digest)

    def add_predictions(self, predictions: object) -> None:
        raise AssertionError("nothing is written here")


class Desk:
    """A watch over a shelf with a clock that stands still until it is moved."""

    def __init__(self, shelf: Shelf, *sources: object) -> None:
        self.now = 1000.0
        metrics = ServingMetrics(MODEL)
        self.plane = DataPlane(Recorder(shelf, metrics, audit_rate=0, audit_seed=0))
        loader = ModelLoader([shelf.find, *sources], metrics)
        self.watch = DeploymentWatch(shelf, loader, self.plane, metrics, clock=lambda: self.now)
        self.registry = metrics.registry

    def failures(self) -> float | None:
        return self.registry.get_sample_value("autoretrain_model_load_failures_total", {"spammodel": MODEL})


def wanted(artefact: ModelArtefact) -> Deployment:
    return Deployment(version=artefact.version, digest=artefact.digest)


async def test_an_artefact_that_is_not_of_its_digest_is_refused_and_the_old_version_stays():
    good, evil = make_artefact("1"), make_artefact("2", EVERYTHING_SPAM)
    shelf = Shelf(good)
    claimed = replace(make_artefact("2"), model=evil.model)
    shelf.artefacts[claimed.digest] = claimed
    desk = Desk(shelf)
    shelf.wanted = wanted(good)
    await desk.watch.check()
    shelf.wanted = wanted(claimed)
    await desk.watch.check()
    assert desk.plane.lineup.champion.name == "v1"
    assert desk.watch.problem == (
        f"version 2 can't be served: version 2 has digest {evil.digest}, wanted is {claimed.digest}"
    )


@pytest.mark.parametrize(
    "model",
    [b"", b"{}", b"\x80\x04\x95cos\nsystem\n", b'{"format":"autoretrain-linear","format_version":99}', b"[" * 9999],
    ids=["empty", "another format", "a pickle", "a later format", "nested without end"],
)
async def test_an_artefact_that_is_no_model_is_refused(model: bytes):
    from autoretrain.ml.artefact import digest_of

    broken = replace(make_artefact("2"), model=model, digest=digest_of(model))
    shelf = Shelf(broken)
    shelf.wanted = wanted(broken)
    desk = Desk(shelf)
    await desk.watch.check()
    assert not desk.plane.ready
    assert "version 2 can't be served" in desk.plane.not_ready_reason


async def test_a_version_that_is_nowhere_is_tried_again_and_counted_once():
    shelf, late = Shelf(), make_artefact("7")
    shelf.wanted = wanted(late)
    desk = Desk(shelf)
    for _ in range(3):
        await desk.watch.check()
    desk.now += LOAD_RETRY_SECONDS
    await desk.watch.check()
    assert desk.failures() == 1
    shelf.artefacts[late.digest] = late
    await desk.watch.check()
    assert not desk.plane.ready  # not before its time
    desk.now += LOAD_RETRY_SECONDS
    await desk.watch.check()
    assert (desk.plane.lineup.champion.name, desk.watch.problem, desk.failures()) == ("v7", None, 1)


async def test_the_next_source_is_asked_where_the_first_has_not_got_the_version():
    artefact = make_artefact("3")
    shelf = Shelf()
    shelf.wanted = wanted(artefact)
    desk = Desk(shelf, lambda version, digest: artefact if (version, digest) == ("3", artefact.digest) else None)
    await desk.watch.check()
    assert desk.plane.lineup.champion.name == "v3"


async def test_a_store_that_goes_away_changes_nothing_and_is_said():
    shelf = Shelf(make_artefact("1"))
    shelf.wanted = wanted(make_artefact("1"))
    desk = Desk(shelf)
    await desk.watch.check()
    shelf.broken = AutoRetrainError("the disk is gone")
    await desk.watch.check()
    assert (desk.plane.lineup.champion.name, desk.watch.problem) == ("v1", "the disk is gone")
    shelf.broken = None
    await desk.watch.check()
    assert desk.watch.problem is None


async def test_a_deployment_that_disappears_leaves_the_champion_in_place():
    shelf = Shelf(make_artefact("1"))
    shelf.wanted = wanted(make_artefact("1"))
    desk = Desk(shelf)
    await desk.watch.check()
    shelf.wanted = None
    await desk.watch.check()
    assert (desk.plane.lineup.champion.name, desk.watch.problem) == ("v1", None)


async def test_readyz_shows_that_a_newer_version_could_not_be_loaded(settings: Settings, store: Store):
    serve_artefact(store, make_artefact("1"))
    app: FastAPI = create_app(settings)
    async with open_client(app) as client:
        store.deploy(Deployment(version="2", digest="sha256:nowhere"))
        async with asyncio.timeout(10):
            while (detail := (await client.get("/readyz")).json()["detail"]) is None:
                await asyncio.sleep(0.02)
        answer = await client.post("/predict", json={"message": SPAM})
    assert detail == "version 2 can't be served: version 2 (sha256:nowhere) is neither in the store nor in the registry"
    assert answer.json()["model_version"] == "v1"
