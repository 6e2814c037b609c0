"""POST /predict and /predict/batch: the answer, its headers, and what the store keeps of it."""

import re
from datetime import UTC, datetime, timedelta

import httpx

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label, Prediction
from autoretrain.ml.linear import LinearModel
from autoretrain.serving.app import create_app
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import HAM, SPAM, make_artefact


async def test_spam_is_answered_with_its_confidence_version_and_the_terms_that_made_it_spam(client: httpx.AsyncClient):
    artefact = make_artefact()
    model = LinearModel.load(artefact.model)
    answer = await client.post("/predict", json={"message": SPAM})
    body = answer.json()
    assert datetime.now(UTC) - datetime.fromisoformat(body.pop("timestamp")) < timedelta(seconds=10)
    assert re.fullmatch("[0-9a-f]{32}", body.pop("prediction_id"))
    assert (answer.status_code, body) == (
        200,
        {
            "prediction": "spam",
            "confidence": model.score(SPAM),
            "model_version": "v1",
            "top_features": [{"term": term, "weight": weight} for term, weight in model.top_features(SPAM, 5)],
        },
    )
    assert body["top_features"]
    assert answer.headers["x-model-version"] == "v1"
    assert answer.headers["x-model-digest"] == artefact.digest


async def test_ham_is_answered_without_top_features_and_with_the_confidence_of_ham(client: httpx.AsyncClient):
    body = (await client.post("/predict", json={"message": HAM})).json()
    assert body["prediction"] == "ham"
    assert body["confidence"] == 1 - LinearModel.load(make_artefact().model).score(HAM)
    assert "top_features" not in body


async def test_a_batch_is_answered_in_order(client: httpx.AsyncClient):
    answer = await client.post("/predict/batch", json={"messages": [SPAM, HAM] * 20})
    predictions = answer.json()["predictions"]
    assert [one["prediction"] for one in predictions] == ["spam", "ham"] * 20
    assert len({one["prediction_id"] for one in predictions}) == 40


async def test_the_store_keeps_what_was_answered(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings)) as client:
        body = (await client.post("/predict", json={"message": SPAM})).json()
    assert store.recent_predictions(version=None, since=None, limit=10) == [
        Prediction(
            prediction_id=body["prediction_id"],
            text=SPAM,
            label=Label.SPAM,
            score=body["confidence"],
            model_version="1",
            at=datetime.fromisoformat(body["timestamp"]),
        )
    ]


async def test_a_batch_that_is_not_to_be_recorded_leaves_no_trace_in_store_and_counters(
    settings: Settings, store: Store
):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings)) as client:
        answer = await client.post("/predict/batch", json={"messages": [SPAM], "record": False})
        metrics = (await client.get("/metrics")).text
    assert answer.json()["predictions"][0]["prediction"] == "spam"
    assert store.recent_predictions(version=None, since=None, limit=10) == []
    assert (
        'autoretrain_prediction_duration_seconds_count{model_version="v1",spammodel="default.sms-spam"} 0.0' in metrics
    )


async def test_the_audit_draws_every_message_at_rate_one(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings.model_copy(update={"audit_rate": 1.0}))) as client:
        await client.post("/predict/batch", json={"messages": [SPAM, HAM]})
    kept = store.recent_predictions(version=None, since=None, limit=10)
    assert [one.audit_probability for one in kept] == [1.0, 1.0]
