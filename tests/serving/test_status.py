"""What probes, dashboards and people ask: readiness, the current model, live performance, metrics."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.domain.spec import ExperimentMode
from autoretrain.serving.app import create_app
from autoretrain.serving.loading import ModelLoader
from autoretrain.serving.metrics import ServingMetrics
from autoretrain.serving.status import PerformanceDesk
from autoretrain.serving.store_calls import StoreCalls
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import HAM, MODEL, SPAM, make_artefact


def keep_audited(store: Store, name: str, *, hours_ago: float, **shadow: object) -> None:
    """Keep a message that version 1 called spam so long ago, and a person too."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    made = Prediction(
        prediction_id=name,
        text=f"{SPAM} {name}",
        label=Label.SPAM,
        score=0.9,
        model_version="1",
        at=at,
        audit_probability=0.5,
        **shadow,
    )
    store.add_predictions([made])
    label = NewLabel(
        label=Label.SPAM,
        kind=LabelKind.AUDIT,
        source="desk",
        trusted=True,
        received_at=datetime.now(UTC),
        prediction_id=name,
    )
    store.add_labels([label])


async def test_the_current_model_is_told_whole(client: httpx.AsyncClient):
    answer = await client.get("/models/current")
    body = answer.json()
    assert datetime.fromisoformat(body.pop("loaded_at")) < datetime.now(UTC)
    assert body == {
        "model": MODEL,
        "model_version": "v1",
        "version": "1",
        "digest": make_artefact().digest,
        "run_id": "run-1",
        "revision": 1,
        "threshold": 0.5,
        "metrics": {"accuracy": 0.99},
        "card": {"algorithm": "LogisticRegression", "metrics": {"accuracy": 0.99}, "data": "made for tests"},
        "experiment": None,
    }


async def test_an_unchanged_model_is_304_and_a_changed_one_is_sent(client: httpx.AsyncClient):
    etag = (await client.get("/models/current")).headers["etag"]
    for offered in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        unchanged = await client.get("/models/current", headers={"If-None-Match": offered})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    changed = await client.get("/models/current", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


async def test_another_version_has_another_etag(settings: Settings, store: Store):
    etags = []
    for version in ("1", "2"):
        serve_artefact(store, make_artefact(version))
        async with open_client(create_app(settings)) as client:
            etags.append((await client.get("/models/current")).headers["etag"])
    assert etags[0] != etags[1]


async def test_live_performance_without_audit_labels_is_inconclusive_and_not_perfect(client: httpx.AsyncClient):
    body = (await client.get("/metrics/performance")).json()
    body.pop("measured_at")
    assert body == {
        "model_version": "v1",
        "role": "champion",
        "live": {
            **dict.fromkeys(["accuracy", "precision", "recall", "f1"]),
            "labels": 0,
            "pending": 0,
            "matured_ratio": 0.0,
            "verdict": "inconclusive",
            "reason": "NoAuditLabels",
        },
        "training": {"accuracy": 0.99},
        "window_seconds": 86400,
        "experiment": None,
    }


async def test_live_performance_counts_messages_of_the_last_day_and_not_of_the_versions_whole_life(
    client: httpx.AsyncClient, store: Store
):
    keep_audited(store, "old", hours_ago=24.1)
    keep_audited(store, "new", hours_ago=23.9)
    assert (await client.get("/metrics/performance")).json()["live"]["labels"] == 1


async def test_the_window_of_live_performance_is_as_long_as_is_set(store: Store):
    keep_audited(store, "old", hours_ago=1.1)
    keep_audited(store, "new", hours_ago=0.9)
    store.put_artefact(make_artefact())
    wanted = Deployment(version="1", digest=make_artefact().digest)
    lineup, _ = ModelLoader([lambda _, digest: store.artefact(digest)], ServingMetrics(MODEL)).build(wanted, loaded=())
    calls = StoreCalls()
    measured = await PerformanceDesk(store, calls, window_seconds=3600).measure(lineup)
    calls.close()
    assert (measured.window_seconds, measured.live.labels) == (3600, 1)


async def test_live_performance_is_measured_from_audit_labels_with_intervals(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings.model_copy(update={"audit_rate": 1.0}))) as client:
        messages = [f"{SPAM} {number}" for number in range(10)] + [f"{HAM} {number}" for number in range(10)]
        predictions = (await client.post("/predict/batch", json={"messages": messages})).json()["predictions"]
        labels = [{"prediction_id": one["prediction_id"], "label": one["prediction"]} for one in predictions[:-1]]
        labels[0]["label"] = "ham"
        assert (await client.post("/labels", json={"labels": labels})).status_code == 201
        live = (await client.get("/metrics/performance")).json()["live"]
    assert (live["labels"], live["pending"], live["verdict"]) == (19, 1, "measured")
    assert live["accuracy"]["value"] == pytest.approx(18 / 19)
    assert live["accuracy"]["low"] < 18 / 19 < live["accuracy"]["high"]
    assert live["precision"]["value"] == 0.9
    assert live["recall"]["value"] == 1.0


async def test_a_shadow_has_a_live_accuracy_by_the_messages_that_it_scored_and_others_answered(
    settings: Settings, store: Store
):
    second = make_artefact("2")
    store.put_artefact(second)
    experiment = Experiment(mode=ExperimentMode.SHADOW, version="2", digest=second.digest, percent=0)
    serve_artefact(store, make_artefact(), experiment=experiment)
    keep_audited(store, "missed", hours_ago=1, other_version="2", other_score=0.49)
    keep_audited(store, "found", hours_ago=1, other_version="2", other_score=0.5)
    keep_audited(store, "before", hours_ago=2)
    async with open_client(create_app(settings)) as client:
        body = (await client.get("/metrics/performance")).json()
    champion, shadow = body["live"], body["experiment"]["live"]
    assert (champion["labels"], champion["accuracy"]["value"]) == (3, 1.0)
    assert (shadow["labels"], shadow["accuracy"]["value"], shadow["reason"]) == (2, 0.5, None)


async def test_the_counters_say_what_was_answered_by_which_version(client: httpx.AsyncClient):
    await client.post("/predict", json={"message": SPAM})
    await client.post("/predict/batch", json={"messages": [HAM, HAM]})
    text = (await client.get("/metrics")).text
    samples = {
        (sample.name, sample.labels.get("label") or sample.labels.get("role") or ""): (sample.value, sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }
    version = {"spammodel": MODEL, "model_version": "v1"}
    assert samples["autoretrain_predictions_total", "spam"] == (1, version | {"label": "spam"})
    assert samples["autoretrain_predictions_total", "ham"] == (2, version | {"label": "ham"})
    assert samples["autoretrain_prediction_duration_seconds_count", ""] == (3, version)
    assert samples["autoretrain_prediction_errors_total", ""] == (0, version)
    digest = make_artefact().digest
    assert samples["autoretrain_model_info", "champion"] == (
        1,
        version | {"version": "1", "digest": digest, "role": "champion"},
    )
    checked, _ = samples["autoretrain_deployment_checked_timestamp_seconds", ""]
    assert abs(checked - datetime.now(UTC).timestamp()) < 60


async def test_a_model_that_fails_is_a_500_without_the_message_and_is_counted(
    settings: Settings, store: Store, monkeypatch, capsys
):
    from autoretrain.ml.linear import LinearModel

    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings)) as client:

        def fail(_self: LinearModel, text: str) -> float:
            raise KeyError(text)

        monkeypatch.setattr(LinearModel, "score", fail)
        answers = [
            await client.post("/predict", json={"message": "my-secret-words"}),
            await client.post("/predict/batch", json={"messages": ["my-secret-words"]}),
        ]
        text = (await client.get("/metrics")).text
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert "my-secret-words" not in answer.text
    assert 'autoretrain_prediction_errors_total{model_version="v1",spammodel="default.sms-spam"} 2.0' in text
    logged = capsys.readouterr()
    assert "KeyError" in logged.out + logged.err
    assert "my-secret-words" not in logged.out + logged.err


async def test_the_window_setting_reaches_live_performance(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    keep_audited(store, "old", hours_ago=1.1)
    keep_audited(store, "new", hours_ago=0.9)
    async with open_client(create_app(settings.model_copy(update={"window_max_age_seconds": 3600}))) as client:
        body = (await client.get("/metrics/performance")).json()
    assert (body["window_seconds"], body["live"]["labels"]) == (3600, 1)
