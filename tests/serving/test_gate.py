"""Who may ask, and how often: keys for everything where they are wanted, and no sender's flood at the others' cost."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.app import create_app
from autoretrain.serving.gate import MAX_SENDERS, RateLimit
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import make_artefact

KEY, SECOND, OTHER = "gateway-key-0123456", "gateway-key-6543210", "shop-key-0123456789"
MESSAGE = {"message": "are we still on for lunch?"}
WITH_BODY = {
    "/predict": MESSAGE,
    "/predict/batch": {"messages": ["hello"]},
    "/feedback": {**MESSAGE, "label": "ham"},
    "/feedback/batch": {"feedback": [{**MESSAGE, "label": "ham"}]},
    "/labels": {"labels": []},
    "/drift/calculate": {"messages": ["hello"]},
    "/v2/models/default.sms-spam/infer": {},
}
WITHOUT_BODY = [
    "/labels/next",
    "/models/current",
    "/metrics/performance",
    "/v2",
    "/v2/models/default.sms-spam",
    "/none",
]
OPEN = ["/livez", "/readyz", "/health", "/metrics", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready"]


def replace_file(path: Path, text: str) -> None:
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"gateway: {KEY}\ngateway: {SECOND}\nshop: {OTHER}\n")
    return path


@pytest.fixture
def serving(store: Store) -> None:
    serve_artefact(store, make_artefact())


@pytest.fixture
async def guarded(settings: Settings, serving: None, keys: Path) -> AsyncIterator[httpx.AsyncClient]:
    wanted = {"api_keys_file": keys, "api_keys_for": "Everything"}
    async with open_client(create_app(settings.model_copy(update=wanted))) as client:
        yield client


@pytest.fixture
async def limited(settings: Settings, serving: None, keys: Path) -> AsyncIterator[httpx.AsyncClient]:
    wanted = {"api_keys_file": keys, "requests_per_second": 3}
    async with open_client(create_app(settings.model_copy(update=wanted))) as client:
        yield client


# Keys.


@pytest.mark.parametrize("path", [*WITH_BODY, *WITHOUT_BODY])
async def test_nothing_is_answered_without_a_key_where_everything_needs_one(guarded: httpx.AsyncClient, path: str):
    method = "POST" if path in WITH_BODY else "GET"
    for headers in (
        {},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": f"{KEY}\N{LATIN SMALL LETTER E WITH ACUTE}".encode()},
    ):
        answer = await guarded.request(method, path, json=WITH_BODY.get(path), headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"] == 'ApiKey header="x-api-key"'
        assert KEY[:-1] not in answer.text


@pytest.mark.parametrize(
    "path", ["//predict", "/predict/", "/livez/../predict", "/livez%2f..%2fpredict", "/./predict", "/PREDICT"]
)
async def test_no_other_way_of_writing_a_path_leads_round_the_key(guarded: httpx.AsyncClient, path: str):
    answer = await guarded.post(f"http://test{path}", json=MESSAGE)
    assert answer.status_code == 401


@pytest.mark.parametrize("key", [KEY, SECOND, OTHER])
async def test_each_active_key_opens_prediction_and_feedback(guarded: httpx.AsyncClient, key: str):
    headers = {"x-api-key": key}
    assert (await guarded.post("/predict", json=MESSAGE, headers=headers)).status_code == 200
    reported = await guarded.post("/feedback", json=WITH_BODY["/feedback"], headers=headers)
    assert reported.json()["source"] == ("shop" if key == OTHER else "gateway")


@pytest.mark.parametrize("path", OPEN)
async def test_probes_metrics_and_the_description_need_no_key(guarded: httpx.AsyncClient, path: str):
    assert (await guarded.get(path)).status_code == 200


async def test_a_key_that_was_taken_back_opens_nothing_from_the_next_request_on(guarded: httpx.AsyncClient, keys: Path):
    assert (await guarded.post("/predict", json=MESSAGE, headers={"x-api-key": KEY})).status_code == 200
    replace_file(keys, f"gateway: {SECOND}\n")
    assert (await guarded.post("/predict", json=MESSAGE, headers={"x-api-key": KEY})).status_code == 401
    assert (await guarded.post("/predict", json=MESSAGE, headers={"x-api-key": SECOND})).status_code == 200


async def test_prediction_is_open_where_keys_are_for_labels(settings: Settings, serving: None, keys: Path):
    async with open_client(create_app(settings.model_copy(update={"api_keys_file": keys}))) as client:
        assert (await client.post("/predict", json=MESSAGE)).status_code == 200


async def test_below_a_proxys_path_the_same_needs_a_key(settings: Settings, serving: None, keys: Path):
    wanted = {"api_keys_file": keys, "api_keys_for": "Everything", "root_path": "/sms"}
    async with open_client(create_app(settings.model_copy(update=wanted))) as client:
        statuses = [
            (await client.get("/sms/livez")).status_code,
            (await client.post("/sms/predict", json=MESSAGE)).status_code,
            (await client.post("/sms/predict", json=MESSAGE, headers={"x-api-key": KEY})).status_code,
        ]
    assert statuses == [200, 401, 200]


def test_keys_for_everything_without_keys_are_an_error_at_start(settings: Settings):
    with pytest.raises(AutoRetrainError, match="AUTORETRAIN_API_KEYS_FOR=Everything needs AUTORETRAIN_API_KEYS_FILE"):
        create_app(settings.model_copy(update={"api_keys_for": "Everything"}))


# Rates.


async def statuses_of(client: httpx.AsyncClient, count: int, **headers: str) -> list[int]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [(await client.post("/predict", json=MESSAGE, headers=named)).status_code for _ in range(count)]


async def test_a_flood_is_refused_and_told_when_to_come_back(limited: httpx.AsyncClient):
    assert set(await statuses_of(limited, 10)) == {200, 429}
    answer = await limited.post("/predict", json=MESSAGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_senders_flood_leaves_the_others_theirs(limited: httpx.AsyncClient):
    await statuses_of(limited, 10)
    await statuses_of(limited, 10, x_api_key=KEY)
    assert await statuses_of(limited, 2, x_api_key=OTHER) == [200, 200]


async def test_a_second_key_of_one_source_is_no_second_allowance(limited: httpx.AsyncClient):
    await statuses_of(limited, 10, x_api_key=KEY)
    assert 429 in await statuses_of(limited, 2, x_api_key=SECOND)


async def test_keys_can_not_be_guessed_faster_than_the_rate(settings: Settings, serving: None, keys: Path):
    wanted = {"api_keys_file": keys, "api_keys_for": "Everything", "requests_per_second": 3}
    async with open_client(create_app(settings.model_copy(update=wanted))) as client:
        guessed = [(await statuses_of(client, 1, x_api_key=f"guess-number-{n:06}"))[0] for n in range(20)]
    assert guessed[:3] == [401, 401, 401]
    assert guessed.count(429) > 10


async def test_a_flood_does_not_end_the_pod(limited: httpx.AsyncClient):
    await statuses_of(limited, 10)
    assert [(await limited.get(path)).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]


async def test_an_address_that_a_client_only_claims_to_have_is_not_its_own(limited: httpx.AsyncClient):
    answered = [(await statuses_of(limited, 1, x_forwarded_for=f"10.0.0.{n}"))[0] for n in range(10)]
    assert 429 in answered


def test_requests_come_back_with_time_and_no_further_than_a_second_of_them():
    now = 100.0
    limit = RateLimit(2, clock=lambda: now)
    assert [limit.wait("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    now += 0.5
    assert [limit.wait("a") for _ in range(2)] == [0.0, 0.5]
    now += 3600
    assert [limit.wait("a") for _ in range(3)] == [0.0, 0.0, 0.5]


def test_many_senders_take_a_bounded_memory():
    limit = RateLimit(1, clock=lambda: 0.0)
    for number in range(MAX_SENDERS + 100):
        limit.wait(f"10.0.{number}")
    assert limit.senders == MAX_SENDERS
