"""The dashboard on the cluster: every page is about the model, says nothing is wrong, and changes nothing.

A person's path by Chromium, with the store of the model's namespace given and without it.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from autoretrain.ml.sample_corpus import generate_traffic
from tests.browser import needs_chromium, open_chromium
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.full, needs_chromium]

NAME = "shown"
PAGES = {
    "": "Overview",
    "drift": "Drift",
    "decisions": "Decisions",
    "candidate": "Candidate and champion",
    "versions": "Versions",
    "try-it": "Try it",
    "label": "Label",
    "performance": "Performance",
    "agent": "Agent",
}
NEED_THE_STORE = {"", "drift", "label", "try-it", "agent"}
NOT_GIVEN = re.compile("was not given the store")
ACTING = re.compile("(promote|roll back|approve|suspend|retrain|resume).* …$", re.IGNORECASE)
"""What begins something says so by its dots; decisions are filtered by buttons of the same words without."""
SECONDS = 30
"""For a page to be drawn, on a machine that trains at the same time."""


@pytest.fixture(scope="module")
def model(place: Place) -> str:
    """A model that has measured a window; its key."""
    place.kube.apply(place.document(NAME, place.add_file("messages", corpus())), namespace=place.namespace)
    place.wait_ready(NAME)
    with place.client(NAME, per_second=40) as client:
        client.play(generate_traffic(seed=3, messages=1500))
        wait("drift is known", lambda: place.status(NAME).get("drift", {}).get("windowId"), seconds=180)
    return f"{place.namespace}.{NAME}"


def give_store(place: Place) -> None:
    """Give the dashboard the store of the namespace, as the docs say, and do not wait for the kubelet."""
    secret = place.kube.get("secret", "autoretrain-store", namespace=place.namespace)
    assert secret is not None
    given = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "dashboard-stores"},
        "data": {place.namespace: secret["data"]["url"]},
    }
    place.kube.run("delete", "secret", "dashboard-stores", "-n", SYSTEM, "--ignore-not-found")
    place.kube.apply(given, namespace=SYSTEM)
    place.kube.run("rollout", "restart", "-n", SYSTEM, "deployment/dashboard")
    place.kube.run("rollout", "status", "-n", SYSTEM, "deployment/dashboard", "--timeout=180s", seconds=190)


@pytest.fixture
def browser() -> Iterator[Page]:
    with sync_playwright() as playwright, open_chromium(playwright) as opened:
        yield opened.new_page()


def visit(browser: Page, address: str, path: str, title: str) -> None:
    """Open a page and wait until it is drawn whole; nothing on it may have gone wrong."""
    browser.goto(address)
    expect(browser).to_have_title(f"{title} · AutoRetrain", timeout=SECONDS * 1000)
    drawn = browser.get_by_test_id("stApp")
    expect(drawn).to_have_attribute("data-test-script-state", "notRunning", timeout=SECONDS * 1000)
    expect(browser.get_by_test_id("stException")).to_have_count(0)
    expect(browser.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_every_page_shows_the_model_and_nothing_that_is_wrong(place: Place, model: str, browser: Page):
    with place.kube.forwarded("service/dashboard", 8501, namespace=SYSTEM) as address:
        for path, title in PAGES.items():
            visit(browser, f"{address}/{path}?model={model}", path, title)
            if path in NEED_THE_STORE:
                expect(browser.get_by_text(NOT_GIVEN).first).to_be_visible(timeout=SECONDS * 1000)
    give_store(place)
    with place.kube.forwarded("service/dashboard", 8501, namespace=SYSTEM) as address:
        for path, title in PAGES.items():
            visit(browser, f"{address}/{path}?model={model}", path, title)
            expect(browser.get_by_text(NOT_GIVEN)).to_have_count(0)
            # Nobody gave it an operator's key.
            expect(browser.get_by_role("button", name=ACTING)).to_have_count(0)
