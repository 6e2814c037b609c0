"""A person's path through the dashboard of one machine, by Chromium: each page, and what can be done on it."""

import re

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from autoretrain.adapters.settings import Settings
from autoretrain.app.preflight import free_port_after
from autoretrain.app.state import StateDirectory
from tests.browser import needs_chromium, open_chromium
from tests.dashboard.machine import LABELLED, MODEL, dashboard, fill, make_a_pass
from tests.serving.models import HAM, SPAM
from tests.spec_cases import VALID_TEXT

pytestmark = [pytest.mark.slow, needs_chromium]

KEY = "the operator's key of this test"
PAGES = (
    "Overview",
    "Drift",
    "Decisions",
    "Candidate and champion",
    "Versions",
    "Try it",
    "Label",
    "Performance",
    "Agent",
)
MILLISECONDS = 20_000
"""For what is waited for to be seen, on a machine that has much else to do."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    directory = tmp_path_factory.mktemp("machine")
    document = directory / "model.yaml"
    document.write_text(VALID_TEXT)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "SPEC": str(document),
            "STATE_DIR": str(directory / "state"),
            "DASHBOARD_PORT": str(free_port_after(19000)),
            "DASHBOARD_KEY": KEY,
            # Nobody answers there, and every page must do without.
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "SERVING_PORT": str(free_port_after(19200)),
        }.items():
            patched.setenv(f"AUTORETRAIN_{name}", value)
        found = Settings()
        fill(found)
        yield found


@pytest.fixture(scope="module")
def address(settings):
    with dashboard(settings) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright, open_chromium(playwright) as opened:
        yield opened


@pytest.fixture
def page(browser):
    """A person of their own each: nobody has given a key yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(MILLISECONDS)
    yield context.new_page()
    context.close()


def is_drawn(page: Page) -> None:
    """Wait until nothing is drawn any more; nothing may have gone wrong."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=MILLISECONDS)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def is_seen(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_test_id("stMain").get_by_text(text).first).to_be_visible(timeout=MILLISECONDS)


def go(page: Page, address: str, path: str = "") -> None:
    page.goto(f"{address}/{path}")
    expect(page.get_by_role("heading").first).to_be_visible(timeout=MILLISECONDS)
    is_drawn(page)


def give_key(page: Page) -> None:
    field = page.get_by_label("Operator's key", exact=True)
    field.fill(KEY)
    field.press("Enter")
    is_drawn(page)


def test_each_page_is_reached_by_its_name_and_nothing_on_it_is_wrong(page, address):
    go(page, address)
    is_seen(page, "v3")
    for title in PAGES:
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
        expect(page).to_have_title(f"{title} · AutoRetrain", timeout=MILLISECONDS)
        is_drawn(page)
        expect(page.get_by_test_id("stAlertContentError").filter(has_text="Traceback")).to_have_count(0)


def test_decisions_are_filtered_and_one_is_opened_by_its_lasting_address_and_decided_again(page, address):
    go(page, address, "decisions")
    is_seen(page, "2 of the newest 2 decisions.")
    page.get_by_role("button", name="RETRAIN").click()
    is_seen(page, "1 of the newest 2 decisions.")
    page.get_by_label("Number").fill("1")
    page.get_by_label("Number").press("Enter")
    is_seen(page, "RETRAIN: DriftThresholdExceeded")
    lasting = page.get_by_test_id("stCode").inner_text().strip()
    assert lasting == f"{address}/decisions?model={MODEL}&id=1"
    page.goto(lasting)
    is_seen(page, "RETRAIN: DriftThresholdExceeded")
    page.get_by_role("tab", name="Decide it again").click()
    is_seen(page, "identical in every field")


def test_a_message_is_tried_on_both_versions(page, address):
    go(page, address, "try-it")
    page.get_by_label("Message").fill(HAM)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("stMetricValue")).to_have_text(["ham", "spam"], timeout=MILLISECONDS)
    page.get_by_label("Message").fill(SPAM)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("stMetricValue")).to_have_text(["spam", "spam"], timeout=MILLISECONDS)


def test_who_has_the_key_labels_by_keyboard_and_takes_one_back(page, address):
    go(page, address, "label")
    is_seen(page, "Labelling needs the operator's key.")
    give_key(page)
    is_seen(page, "What the model said is not shown")
    # The field of the key would take a letter for itself.
    page.get_by_role("heading", name="Label").click()
    page.keyboard.press("s")
    is_seen(page, "1 answered since you began")
    expect(page.get_by_test_id("stMetricValue").nth(2)).to_have_text(str(LABELLED + 1), timeout=MILLISECONDS)
    is_drawn(page)
    page.keyboard.press("u")
    is_seen(page, "You answered spam. Another answer replaces it.")
    page.keyboard.press("h")
    is_seen(page, "1 answered since you began")


def test_a_wrong_key_opens_nothing(page, address):
    go(page, address, "versions")
    expect(page.get_by_role("button", name="Roll back …")).to_have_count(0)
    page.get_by_label("Operator's key", exact=True).fill("guessed")
    page.get_by_label("Operator's key", exact=True).press("Enter")
    expect(page.get_by_text("That is not the key.")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_role("button", name="Roll back …")).to_have_count(0)


def test_who_has_the_key_rolls_back_and_sees_what_came_of_it(page, address, settings):
    go(page, address, "versions")
    give_key(page)
    page.get_by_role("button", name="Roll back …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason", exact=True).fill("people complain")
    dialog.get_by_label("Reason", exact=True).press("Tab")
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    is_seen(page, "Roll back was asked for at")
    make_a_pass(settings)
    is_seen(page, "Roll back was acted on.")
    status = StateDirectory(settings.state_dir).read_status(MODEL)
    [entry] = [each for each in status.history if each.decision == "ROLLBACK"]
    assert "people complain" in entry.message
