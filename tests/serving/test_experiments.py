"""A second version beside the champion: in the shadow it answers nothing, in an A/B test each sender meets one."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact
from autoretrain.domain.spec import ExperimentMode
from autoretrain.ml.linear import LinearModel
from autoretrain.serving.app import create_app
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.shadow import ShadowScorer
from tests.serving.conftest import open_client
from tests.serving.models import EVERYTHING_SPAM, HAM, MODEL, SPAM, make_artefact

CHAMPION, SECOND = make_artefact("1"), make_artefact("2", EVERYTHING_SPAM)


def experiment(mode: ExperimentMode, *, percent: int = 0) -> Deployment:
    second = Experiment(mode=mode, version="2", digest=SECOND.digest, percent=percent)
    return Deployment(version="1", digest=CHAMPION.digest, experiment=second)


def find(_version: str, digest: str) -> ModelArtefact | None:
    return {artefact.digest: artefact for artefact in (CHAMPION, SECOND)}.get(digest)


def build(deployment: Deployment) -> Lineup:
    return ModelLoader([find], ServingMetrics(MODEL)).build(deployment, loaded=())[0]


def meets(lineup: Lineup, senders: int = 5000) -> list[str]:
    return [lineup.answering("hi", sender=f"+44 7700 {number}")[0].name for number in range(senders)]


def test_a_sender_always_meets_the_same_version_and_the_share_is_as_set():
    lineup = build(experiment(ExperimentMode.AB, percent=20))
    assert meets(lineup) == meets(build(experiment(ExperimentMode.AB, percent=20)))
    assert Counter(meets(lineup))["v2"] / 5000 == pytest.approx(0.2, abs=0.02)


def test_more_percent_keeps_the_senders_of_less():
    few, many = (build(experiment(ExperimentMode.AB, percent=percent)) for percent in (10, 30))
    assert all(after == "v2" for before, after in zip(meets(few), meets(many), strict=True) if before == "v2")


@pytest.mark.parametrize(("percent", "version"), [(0, "v1"), (100, "v2")])
def test_the_ends_of_the_scale_are_exact(percent: int, version: str):
    assert set(meets(build(experiment(ExperimentMode.AB, percent=percent)))) == {version}


def test_without_a_sender_the_text_decides():
    lineup = build(experiment(ExperimentMode.AB, percent=50))
    versions = {text: lineup.answering(text, sender=None)[0].name for text in map(str, range(200))}
    assert set(versions.values()) == {"v1", "v2"}
    assert all(lineup.answering(text, sender=None)[0].name == name for text, name in versions.items())


async def test_an_ab_test_answers_by_both_versions_and_keeps_them_apart(settings: Settings, store: Store):
    store.put_artefact(CHAMPION)
    store.put_artefact(SECOND)
    store.deploy(experiment(ExperimentMode.AB, percent=50))
    async with open_client(create_app(settings)) as client:
        answers = [
            (await client.post("/predict", json={"message": HAM, "sender": str(number)})).json() for number in range(40)
        ]
        current = (await client.get("/models/current")).json()
        performance = (await client.get("/metrics/performance")).json()
    by_version = Counter((answer["model_version"], answer["prediction"]) for answer in answers)
    assert set(by_version) == {("v1", "ham"), ("v2", "spam")}
    kept = store.recent_predictions(version=None, since=None, limit=100)
    assert Counter((one.model_version, one.role) for one in kept) == {
        ("1", "champion"): by_version["v1", "ham"],
        ("2", "candidate"): by_version["v2", "spam"],
    }
    assert current["experiment"] == {
        "mode": "AB",
        "model_version": "v2",
        "version": "2",
        "digest": SECOND.digest,
        "percent": 50,
        "run_id": "run-2",
        "loaded": True,
    }
    assert (performance["model_version"], performance["experiment"]["model_version"]) == ("v1", "v2")


async def test_a_batch_that_is_no_traffic_is_a_question_about_the_champion(settings: Settings, store: Store):
    store.put_artefact(CHAMPION)
    store.put_artefact(SECOND)
    store.deploy(experiment(ExperimentMode.AB, percent=50))
    messages = [f"are you home at {number}?" for number in range(40)]
    async with open_client(create_app(settings)) as client:
        answers = [
            (await client.post("/predict/batch", json={"messages": messages, "record": record})).json()["predictions"]
            for record in (False, True)
        ]
    asked, traffic = ({row["model_version"] for row in answer} for answer in answers)
    assert (asked, traffic) == ({"v1"}, {"v1", "v2"})


async def test_the_shadow_scores_every_message_and_answers_none(settings: Settings, store: Store):
    store.put_artefact(CHAMPION)
    store.put_artefact(SECOND)
    store.deploy(experiment(ExperimentMode.SHADOW))
    async with open_client(create_app(settings)) as client:
        answers = (await client.post("/predict/batch", json={"messages": [HAM, SPAM] * 10})).json()["predictions"]
    assert {answer["model_version"] for answer in answers} == {"v1"}
    second = LinearModel.load(SECOND.model)
    kept = store.recent_predictions(version="1", since=None, limit=100)
    assert [(one.role, one.other_version, one.other_score) for one in kept] == [
        ("champion", "2", second.score(text)) for text in [HAM, SPAM] * 10
    ]


async def test_a_second_version_that_cant_be_loaded_leaves_the_champion_alone_in_place(
    settings: Settings, store: Store
):
    store.put_artefact(CHAMPION)
    store.deploy(experiment(ExperimentMode.SHADOW))
    async with open_client(create_app(settings)) as client:
        answer = await client.post("/predict", json={"message": HAM})
        ready = (await client.get("/readyz")).json()
        current = (await client.get("/models/current")).json()
    assert (answer.status_code, ready["status"]) == (200, "ok")
    assert ready["detail"].startswith("the experiment is off: version 2")
    assert current["experiment"]["loaded"] is False


class Strange:
    """A model whose scoring is whatever the test says."""

    def __init__(self, score: Callable[[str], float]) -> None:
        self.score = score


def strange(score: Callable[[str], float]) -> ServedModel:
    from dataclasses import replace

    second = build(experiment(ExperimentMode.SHADOW)).second
    assert second is not None
    return replace(second, model=Strange(score))  # type: ignore[arg-type]


def test_a_shadow_that_fails_gives_no_score_for_that_message_alone():
    metrics = ServingMetrics(MODEL)

    def score(text: str) -> float:
        if text == "bad":
            raise ZeroDivisionError
        return 0.25

    assert ShadowScorer(metrics).scores(strange(score), ["a", "bad", "b"]) == [0.25, None, 0.25]
    sample = {"spammodel": MODEL, "model_version": "v2"}
    counted = {
        outcome: metrics.registry.get_sample_value("autoretrain_shadow_scores_total", sample | {"outcome": outcome})
        for outcome in ("scored", "failed", "late")
    }
    assert counted == {"scored": 2, "failed": 1, "late": None}


def test_a_shadow_that_hangs_costs_one_deadline_and_then_nothing_until_it_is_free():
    release, entered = threading.Event(), threading.Event()

    def score(text: str) -> float:
        if text == "hang":
            entered.set()
            release.wait(10)
        return 0.5

    scorer = ShadowScorer(ServingMetrics(MODEL), deadline_seconds=0.05)
    model = strange(score)
    assert scorer.scores(model, ["a", "hang", "b"]) == [0.5, None, None]
    assert entered.is_set()
    scorer.scores(model, ["queued behind the hanging one"])
    began = time.monotonic()
    assert scorer.scores(model, ["a"]) == [None]
    assert time.monotonic() - began < 0.04
    release.set()
    deadline = time.monotonic() + 5
    while scorer.scores(model, ["a"]) != [0.5] and time.monotonic() < deadline:
        pass
    assert scorer.scores(model, ["a"]) == [0.5]
