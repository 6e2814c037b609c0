"""/v2: what KServe, MLServer and Triton clients send, and what they read of the answer."""

import json
import struct

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.ml.linear import LinearModel
from autoretrain.serving.app import create_app
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import HAM, MODEL, SPAM, make_artefact

INFER = f"/v2/models/{MODEL}/infer"


def tensor(*messages: object, **more: object) -> dict[str, object]:
    return {"name": "message", "shape": [len(messages)], "datatype": "BYTES", "data": list(messages)} | more


async def test_strings_are_labelled_in_order_and_the_id_comes_back(client: httpx.AsyncClient):
    answer = await client.post(INFER, json={"id": "r-1", "inputs": [tensor(SPAM, HAM)]})
    body = answer.json()
    ids = body["outputs"].pop()
    score = LinearModel.load(make_artefact().model).score
    assert (answer.status_code, body) == (
        200,
        {
            "model_name": MODEL,
            "model_version": "v1",
            "id": "r-1",
            "outputs": [
                {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["spam", "ham"]},
                {"name": "confidence", "datatype": "FP64", "shape": [2], "data": [score(SPAM), 1 - score(HAM)]},
            ],
        },
    )
    assert (ids["name"], len(set(ids["data"]))) == ("prediction_id", 2)


async def test_binary_strings_are_read_as_triton_clients_send_them(client: httpx.AsyncClient):
    data = b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in (SPAM, "né home later"))
    head = json.dumps(
        {
            "inputs": [
                {"name": "m", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
            ],
            "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "content-type": "application/octet-stream"}
    body = (await client.post(INFER, content=head + data, headers=headers)).json()
    assert body["outputs"] == [{"name": "prediction", "datatype": "BYTES", "shape": [2, 1], "data": ["spam", "ham"]}]


async def test_what_mlserver_clients_send_is_read(client: httpx.AsyncClient):
    sent = {
        "parameters": {"content_type": "str"},
        "inputs": [tensor([SPAM], [HAM], shape=[2, 1], parameters={"content_type": "str"})],
    }
    body = (await client.post(INFER, json=sent)).json()
    assert body["outputs"][0]["data"] == ["spam", "ham"]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [tensor("a"), tensor("b")]}, "inputs"),
        ({"inputs": [tensor("a", datatype="FP32")]}, "inputs[0].datatype"),
        ({"inputs": [tensor("a", shape=[2])]}, "inputs[0].shape"),
        ({"inputs": [tensor("a", shape=[1, 2])]}, "inputs[0].shape"),
        ({"inputs": [tensor("a", shape=[-1])]}, "inputs[0].shape[0]"),
        ({"inputs": [tensor(5)]}, "inputs[0].data"),
        ({"inputs": [tensor(["a", "b"], shape=[1])]}, "inputs[0].data"),
        ({"inputs": [tensor()]}, "inputs[0]"),
        ({"inputs": [tensor("")]}, "inputs[0]"),
        ({"inputs": [tensor("x" * 5000)]}, "inputs[0]"),
        ({"inputs": [tensor("a", parameters={"binary_data_size": 7})]}, "binary_data_size"),
        ({"inputs": [tensor("a")], "outputs": [{"name": "logits"}]}, "outputs"),
    ],
)
async def test_a_bad_request_is_400_in_the_protocols_own_shape(client: httpx.AsyncClient, sent: dict, error: str):
    answer = await client.post(INFER, json=sent)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert error in answer.json()["error"]


@pytest.mark.parametrize("length", ["9", "x", "-1", "99999"])
async def test_a_wrong_binary_header_is_400(client: httpx.AsyncClient, length: str):
    content = json.dumps({"inputs": [tensor("a")]}).encode()
    answer = await client.post(INFER, content=content, headers={"Inference-Header-Content-Length": length})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("data", [b"\x05", b"\x05\x00\x00\x00abc", b"\x01\x00\x00\x00\xff"])
async def test_broken_binary_data_is_400(client: httpx.AsyncClient, data: bytes):
    sent = {"inputs": [{"name": "m", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}]}
    head = json.dumps(sent).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    assert (await client.post(INFER, content=head + data, headers=headers)).status_code == 400


@pytest.mark.parametrize("version", ["1", "v1"])
async def test_a_loaded_version_answers_under_its_number(client: httpx.AsyncClient, version: str):
    base = f"/v2/models/{MODEL}/versions/{version}"
    answer = await client.post(f"{base}/infer", json={"inputs": [tensor(SPAM)]})
    ready = await client.get(f"{base}/ready")
    assert answer.json()["model_version"] == "v1"
    assert ready.json() == {"name": MODEL, "ready": True}


@pytest.mark.parametrize(
    "path", ["/v2/models/other", "/v2/models/other/ready", f"/v2/models/{MODEL}/versions/9", "/v2/nothing"]
)
async def test_what_is_not_here_is_404_in_the_protocols_own_shape(client: httpx.AsyncClient, path: str):
    answer = await client.get(path)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


async def test_below_a_path_an_error_has_the_shape_of_its_route(settings: Settings, store: Store, monkeypatch):
    def fail(_self: LinearModel, text: str) -> float:
        raise KeyError(text)

    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings.model_copy(update={"root_path": "/sms"}))) as client:
        for path in ("/sms/v2/models/nope", "/v2/models/nope", "/sms/v2/nothing"):
            answer = await client.get(path)
            assert (answer.status_code, list(answer.json())) == (404, ["error"]), path
        too_large = await client.post(f"/sms{INFER}", content=b"x" * 3_000_000)
        assert (too_large.status_code, list(too_large.json())) == (413, ["error"])
        monkeypatch.setattr(LinearModel, "score", fail)
        failed = await client.post(f"/sms{INFER}", json={"inputs": [tensor(SPAM)]})
        assert (failed.status_code, list(failed.json())) == (500, ["error"])
        for path in ("/sms/nothing", "/sms/v20"):
            assert (await client.get(path)).headers["content-type"] == "application/problem+json", path


async def test_the_server_and_the_model_describe_themselves(client: httpx.AsyncClient):
    assert (await client.get("/v2")).json()["name"] == "autoretrain"
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    model = (await client.get(f"/v2/models/{MODEL}")).json()
    assert (model["versions"], model["inputs"]) == (
        ["v1"],
        [{"name": "message", "datatype": "BYTES", "shape": [-1]}],
    )
