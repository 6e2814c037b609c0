"""Is the API's page whole with nobody else's server, behind a proxy's path, and where keys and rates are asked for?"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.serving.app import create_app
from autoretrain.serving.docs_page import DOCS_PATHS, MEDIA_TYPES
from tests.browser import needs_chromium, open_chromium
from tests.serving.conftest import open_client, serve_artefact
from tests.serving.models import MODEL, make_artefact
from tests.serving.test_openapi import run_server

KEY = "gateway-key-0123456"
SECONDS = 20


def references(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


async def test_the_page_names_nobody_else(client: httpx.AsyncClient):
    page = (await client.get("/docs")).text
    assert "//" not in page
    assert set(references(page)) == {*(f"docs/{name}" for name in MEDIA_TYPES), "openapi.json"}


@pytest.mark.parametrize("name", MEDIA_TYPES)
async def test_its_files_are_answered_as_what_they_are(client: httpx.AsyncClient, name: str):
    answer = await client.get(f"/docs/{name}")
    assert (answer.status_code, len(answer.content) > 500) == (200, True)
    assert answer.headers["content-type"].split(";")[0] == MEDIA_TYPES[name]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_browser_is_told_to_load_nothing_else_and_to_run_no_other_script(client: httpx.AsyncClient):
    answer = await client.get("/docs")
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    [script] = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert "//" not in answer.headers["content-security-policy"]


async def test_no_other_page_is_left_that_would_load_from_elsewhere(client: httpx.AsyncClient):
    for path in ("/redoc", "/docs/oauth2-redirect"):
        assert (await client.get(path)).status_code == 404


@pytest.fixture
async def guarded(settings: Settings, store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A server below a path that wants a key for everything and answers a sender once a second."""
    serve_artefact(store, make_artefact())
    keys = tmp_path / "keys"
    keys.write_text(f"gateway: {KEY}\n")
    wanted = {"api_keys_file": keys, "api_keys_for": "Everything", "requests_per_second": 1, "root_path": "/sms"}
    async with open_client(create_app(settings.model_copy(update=wanted))) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/sms"])
async def test_the_whole_page_is_given_without_a_key_and_beyond_the_rate(guarded: httpx.AsyncClient, prefix: str):
    answers = [await guarded.get(prefix + path) for path in (*DOCS_PATHS, "/openapi.json")]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert (await guarded.post(f"{prefix}/predict", json={"message": "hello"})).status_code == 401


async def test_the_text_says_where_a_key_goes_and_that_not_every_call_needs_one(guarded: httpx.AsyncClient):
    text = (await guarded.get("/openapi.json")).json()
    [(name, scheme)] = text["components"]["securitySchemes"].items()
    assert scheme == {"type": "apiKey", "in": "header", "name": "x-api-key"}
    assert text["security"] == [{}, {name: []}]


# In a browser.


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright, open_chromium(playwright) as browser:
        yield browser.new_page()


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "/sms"])
def test_a_person_reads_and_tries_the_api_with_no_network(tmp_path: Path, page: Page, prefix: str):
    keys = tmp_path / "keys"
    keys.write_text(f"gateway: {KEY}\n")
    settings = Settings(
        state_dir=tmp_path,
        model=MODEL,
        mlflow_tracking_uri="sqlite://",
        root_path=prefix,
        api_keys_file=keys,
        api_keys_for="Everything",
    )
    with Store(settings.resolved_store_url(), model=MODEL) as store:
        store.migrate()
        serve_artefact(store, make_artefact())
    asked, wrong = [], []
    with run_server(settings) as address:

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            if route.request.url.startswith((f"{address}/", "data:")):
                route.continue_()
            else:
                route.abort()

        page.route("**/*", answer)
        page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}{prefix}/docs")
        page.get_by_role("button", name="Authorize").first.click(timeout=SECONDS * 1000)
        page.locator(".auth-container input").fill(KEY)
        page.locator(".auth-btn-wrapper .authorize").click()
        page.locator(".auth-btn-wrapper .btn-done").click()
        route = page.locator("#operations-predict-predict_predict_post")
        route.locator(".opblock-summary-control").click()
        route.get_by_role("button", name="Try it out").click()
        route.get_by_role("button", name="Execute").click()
        status = route.locator(".live-responses-table .response-col_status").last
        expect(status).to_have_text(re.compile("^200"), timeout=SECONDS * 1000)
    assert [url for url in asked if not url.startswith((f"{address}{prefix}/", "data:"))] == []
    assert wrong == []
