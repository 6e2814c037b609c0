"""What is wrong is said in one shape everywhere, with the field's path and without the client's text."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from autoretrain.serving.limits import MAX_BATCH, MAX_DRIFT_MESSAGES, MAX_MESSAGE_CHARACTERS
from tests.serving.models import MODEL, SPAM

SECRET = "my-secret-words"
LONG = "x" * (MAX_MESSAGE_CHARACTERS + 1)

BAD_BODIES = [
    ("/predict", b"", 422, ""),
    ("/predict", b"{", 422, ""),
    ("/predict", b"\xff\xfe", 422, ""),
    ("/predict", b"null", 422, ""),
    ("/predict", b"[]", 422, ""),
    ("/predict", b'"message"', 422, ""),
    ("/predict", b"{}", 422, "message"),
    ("/predict", {"message": ""}, 422, "message"),
    ("/predict", {"message": None}, 422, "message"),
    ("/predict", {"message": 5}, 422, "message"),
    ("/predict", {"message": [SECRET]}, 422, "message"),
    ("/predict", {"message": LONG}, 422, "message"),
    ("/predict", {"mesage": SECRET}, 422, "message"),
    ("/predict", {"message": SECRET, "extra": 1}, 422, "extra"),
    ("/predict", {"message": SECRET, "sender": ""}, 422, "sender"),
    ("/predict", {"message": SECRET, "sender": "s" * 257}, 422, "sender"),
    ("/predict", b'{"message": "half \\ud83d"}', 422, ""),
    ("/predict/batch", b"", 422, ""),
    ("/predict/batch", {"messages": []}, 422, "messages"),
    ("/predict/batch", {"messages": SECRET}, 422, "messages"),
    ("/predict/batch", {"messages": ["ok", ""]}, 422, "messages[1]"),
    ("/predict/batch", {"messages": ["ok", LONG]}, 422, "messages[1]"),
    ("/predict/batch", {"messages": ["a"] * (MAX_BATCH + 1)}, 422, "messages"),
    ("/predict/batch", b'{"messages": ["half \\ud83d"]}', 422, "messages[0]"),
    ("/feedback", {"label": "spam"}, 422, ""),
    ("/feedback", {"label": "spam", "message": SECRET, "prediction_id": "a"}, 422, ""),
    ("/feedback", {"label": "junk", "message": SECRET}, 422, "label"),
    ("/feedback", {"message": SECRET}, 422, "label"),
    ("/feedback", {"label": "spam", "prediction_id": "a/b"}, 422, "prediction_id"),
    ("/feedback", {"label": "spam", "prediction_id": "0" * 32}, 404, None),
    ("/feedback", {"label": "spam", "message": SECRET, "source": "bank"}, 422, "source"),
    ("/feedback/batch", {"feedback": []}, 422, "feedback"),
    ("/feedback/batch", {"feedback": [{"label": "ham", "message": "x"}, {"label": "ham"}]}, 422, "feedback[1]"),
    ("/labels", {"labels": [{"prediction_id": "0" * 32}]}, 422, "labels[0].label"),
    ("/labels", {"labels": [{"prediction_id": "0" * 32, "label": "ham"}]}, 404, None),
    ("/drift/calculate", {"messages": []}, 422, "messages"),
    ("/drift/calculate", {"messages": ["a"] * (MAX_DRIFT_MESSAGES + 1)}, 422, "messages"),
    ("/drift/calculate", {"messages": [3]}, 422, "messages[0]"),
]


@pytest.mark.parametrize(("route", "body", "status", "path"), BAD_BODIES)
async def test_a_bad_body_is_a_problem_that_names_the_field_and_not_its_content(
    client: httpx.AsyncClient, route: str, body: object, status: int, path: str | None
):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await client.post(route, content=content, headers={"content-type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail"} <= problem.keys()
    assert SECRET not in answer.text
    if path is not None:
        assert problem["errors"][0]["path"] == path


async def test_an_unknown_path_is_a_problem(client: httpx.AsyncClient):
    answer = await client.get("/nothing/here")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Not Found"}


@pytest.mark.parametrize("route", ["/predict", "/predict/batch", "/feedback", "/drift/calculate"])
async def test_a_wrong_method_is_a_problem_that_names_the_right_one(client: httpx.AsyncClient, route: str):
    answer = await client.get(route)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024 + 1):
        yield b"x" * 1024


@pytest.mark.parametrize(
    ("route", "kib", "content_type"),
    [
        ("/predict", 65, "application/problem+json"),
        ("/feedback", 65, "application/problem+json"),
        ("/labels", 65, "application/problem+json"),
        ("/predict/batch", 2049, "application/problem+json"),
        ("/feedback/batch", 2049, "application/problem+json"),
        ("/drift/calculate", 4097, "application/problem+json"),
        (f"/v2/models/{MODEL}/infer", 2049, "application/json"),
    ],
)
async def test_a_body_that_streams_over_its_limit_is_refused_without_a_content_length(
    client: httpx.AsyncClient, route: str, kib: int, content_type: str
):
    answer = await client.post(route, content=chunks(kib * 1024), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, content_type)
    titles = {"application/problem+json": "Content Too Large"}  # whatever the Python
    assert answer.json().get("title") == titles.get(content_type)
    assert answer.headers["connection"] == "close"


async def test_the_longest_message_and_the_largest_batch_are_answered(client: httpx.AsyncClient):
    longest = await client.post("/predict", json={"message": LONG[:-1]})
    largest = await client.post("/predict/batch", json={"messages": ["a"] * MAX_BATCH})
    assert (longest.status_code, largest.status_code) == (200, 200)


@pytest.mark.parametrize("message", ["😀" * 100, "\x00", "\u202e", " ", "\n", "\ud7ff", "\uff41\uff42", "İ"])
async def test_odd_but_real_text_is_answered(client: httpx.AsyncClient, message: str):
    answer = await client.post("/predict", json={"message": message})
    assert answer.status_code == 200


async def test_an_extra_sender_does_not_change_the_answer_without_an_experiment(client: httpx.AsyncClient):
    answer = await client.post("/predict", json={"message": SPAM, "sender": "+44 7700 900123"})
    assert (answer.status_code, answer.json()["model_version"]) == (200, "v1")
