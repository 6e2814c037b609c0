"""/feedback and /labels: who said it is the key's name, and what was acknowledged is in the store."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.serving.app import create_app
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import HAM, SPAM, make_artefact

KEY = "k" * 20


@pytest.fixture
def with_keys(settings: Settings, tmp_path: Path) -> Settings:
    keys = tmp_path / "keys"
    keys.write_text(f"# one line a key\nbank: {KEY}\nbank: {'n' * 20}\n")
    return settings.model_copy(update={"api_keys_file": keys})


async def test_anonymous_feedback_is_kept_and_not_trusted(client: httpx.AsyncClient, store: Store):
    answer = await client.post("/feedback", json={"message": SPAM, "label": "ham"})
    assert (answer.status_code, answer.json()) == (201, {"accepted": 1, "source": "anonymous", "trusted": False})
    assert store.labels() == []
    assert [(one.source, one.trusted, one.labels) for one in store.sources()] == [("anonymous", False, 1)]


async def test_the_source_of_feedback_is_the_name_of_its_key(with_keys: Settings, store: Store):
    async with open_client(create_app(with_keys)) as client:
        first = await client.post("/feedback", json={"message": SPAM, "label": "spam"}, headers={"X-API-Key": KEY})
        second = await client.post("/feedback", json={"message": HAM, "label": "ham"}, headers={"X-API-Key": "n" * 20})
        metrics = (await client.get("/metrics")).text
    assert first.json() == second.json() == {"accepted": 1, "source": "bank", "trusted": True}
    assert store.labels() == [
        LabelledMessage(text=SPAM, label=Label.SPAM, source="bank", kind=LabelKind.REPORT, sequence=1),
        LabelledMessage(text=HAM, label=Label.HAM, source="bank", kind=LabelKind.REPORT, sequence=2),
    ]
    assert 'autoretrain_labels_total{source="bank",spammodel="default.sms-spam"} 2.0' in metrics


async def test_an_unknown_key_is_refused_and_nothing_is_kept(with_keys: Settings, store: Store):
    async with open_client(create_app(with_keys)) as client:
        answer = await client.post("/feedback", json={"message": SPAM, "label": "ham"}, headers={"X-API-Key": "x" * 20})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "www-authenticate" in answer.headers
    assert store.sources() == []


async def test_feedback_on_a_prediction_that_is_still_in_the_queue_is_kept(client: httpx.AsyncClient, store: Store):
    predicted = (await client.post("/predict", json={"message": SPAM})).json()
    answer = await client.post("/feedback", json={"prediction_id": predicted["prediction_id"], "label": "spam"})
    assert answer.status_code == 201
    assert [one.labels for one in store.sources()] == [1]


async def test_an_id_that_is_gone_is_404_and_asks_for_the_message(client: httpx.AsyncClient):
    answer = await client.post("/feedback", json={"prediction_id": "gone", "label": "spam"})
    assert answer.status_code == 404
    assert "send the message with its label instead" in answer.json()["detail"]


async def test_a_batch_with_one_unknown_id_keeps_nothing(client: httpx.AsyncClient, store: Store):
    feedback = [{"message": SPAM, "label": "spam"}, {"prediction_id": "gone", "label": "spam"}]
    answer = await client.post("/feedback/batch", json={"feedback": feedback})
    assert (answer.status_code, store.sources()) == (404, [])


async def test_feedback_is_refused_and_not_lost_silently_where_the_store_is_broken(settings: Settings):
    async with open_client(create_app(settings)) as client:
        answer = await client.post("/feedback", json={"message": SPAM, "label": "spam"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "retry-after" in answer.headers


async def test_drawn_messages_are_handed_out_once_without_the_models_opinion_and_their_labels_measure(
    settings: Settings, store: Store
):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings.model_copy(update={"audit_rate": 1.0}))) as client:
        predicted = (await client.post("/predict", json={"message": SPAM})).json()
        await client.post("/feedback", json={"prediction_id": predicted["prediction_id"], "label": "spam"})
        handed_out = (await client.get("/labels/next")).json()
        again = (await client.get("/labels/next")).json()
        labels = [{"prediction_id": predicted["prediction_id"], "label": "ham"}]
        answer = await client.post("/labels", json={"labels": labels})
    assert handed_out == {
        "messages": [
            {
                "prediction_id": predicted["prediction_id"],
                "message": SPAM,
                "predicted_at": predicted["timestamp"],
                "model_version": "v1",
            }
        ]
    }
    assert again == {"messages": []}
    assert (answer.status_code, answer.json()) == (201, {"accepted": 1, "source": "local", "trusted": True})
    audited, pending = store.audited(version="1", since=None)
    assert [(one.predicted, one.label, one.probability) for one in audited] == [(Label.SPAM, Label.HAM, 1.0)]
    assert pending == 0


async def test_a_label_for_a_message_that_was_not_drawn_is_refused(client: httpx.AsyncClient, store: Store):
    predicted = (await client.post("/predict", json={"message": SPAM})).json()
    labels = [{"prediction_id": predicted["prediction_id"], "label": "ham"}]
    answer = await client.post("/labels", json={"labels": labels})
    assert (answer.status_code, store.sources()) == (409, [])
    assert answer.json()["detail"].startswith("labels[0].prediction_id")


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 403), ("testclient", 403)])
async def test_without_configured_keys_labelling_is_open_on_this_machine_only(
    settings: Settings, store: Store, host: str, status: int
):
    async with open_client(create_app(settings), host=host) as client:
        assert (await client.get("/labels/next")).status_code == status
        assert (await client.get("/labels/next", headers={"X-Forwarded-For": "10.0.0.7"})).status_code == 403


async def test_with_configured_keys_labelling_needs_one(with_keys: Settings, store: Store):
    async with open_client(create_app(with_keys)) as client:
        assert (await client.get("/labels/next")).status_code == 401
        assert (await client.get("/labels/next", headers={"X-API-Key": KEY})).status_code == 200


@pytest.mark.parametrize("limit", ["0", "101", "x"])
async def test_a_limit_out_of_range_is_a_problem(client: httpx.AsyncClient, limit: str):
    answer = await client.get("/labels/next", params={"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "limit")


async def test_labels_carry_the_time_of_the_prediction_and_not_of_the_label(settings: Settings, store: Store):
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings.model_copy(update={"audit_rate": 1.0}))) as client:
        predicted = (await client.post("/predict", json={"message": HAM})).json()
        await client.post("/labels", json={"labels": [{"prediction_id": predicted["prediction_id"], "label": "ham"}]})
    at = datetime.fromisoformat(predicted["timestamp"])
    assert [one.predicted_at for one in store.audited(version="1", since=None)[0]] == [at]
    assert at < datetime.now(UTC)
