"""Whatever the OpenAPI text allows is answered as it says; what it forbids is refused as it says."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.serving.app import create_app
from tests.serving.conftest import serve_artefact
from tests.serving.models import MODEL, make_drift_artefact

EXAMPLES = 10
ROUTES = {
    *("/predict", "/predict/batch", "/feedback", "/feedback/batch", "/labels/next", "/labels", "/drift/calculate"),
    *("/models/current", "/metrics/performance", "/metrics", "/health", "/livez", "/readyz"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{model_name}", "/v2/models/{model_name}/ready"),
    *("/v2/models/{model_name}/versions/{model_version}", "/v2/models/{model_name}/versions/{model_version}/ready"),
    *("/v2/models/{model_name}/infer", "/v2/models/{model_name}/versions/{model_version}/infer"),
}


@contextlib.contextmanager
def run_server(settings: Settings) -> Iterator[str]:
    """A server on a free port in a thread of this process; yields its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(
        state_dir=Path(tmp_path_factory.mktemp("openapi")), model=MODEL, mlflow_tracking_uri="sqlite://"
    )
    with Store(settings.resolved_store_url(), model=MODEL) as store:
        store.migrate()
        serve_artefact(store, make_drift_artefact(rows=120))
    with run_server(settings) as address:
        yield address


def test_every_route_is_documented(address: str):
    text = httpx.get(f"{address}/openapi.json").json()
    assert set(text["paths"]) == ROUTES
    body = text["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["message"]
    answer = text["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/PredictResponse"}
    assert "Problem" in text["components"]["schemas"]


def test_the_docs_page_is_there(address: str):
    assert httpx.get(f"{address}/docs").status_code == 200


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_answers_are_as_the_text_says(address: str, route: str):
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    for operation in schema[route].values():

        @hypothesis_settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(timeout=30)

        check()
