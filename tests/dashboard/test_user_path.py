"""A person's path through the dashboard of one machine, by Chromium: each page, and what can be done on it."""

import pytest
from playwright.sync_api import expect

from tests.browser import needs_chromium
from tests.dashboard.machine import LABELLED, MODEL
from tests.dashboard.steps import MILLISECONDS, give_key, go, is_drawn, is_seen
from tests.serving.models import HAM, SPAM

pytestmark = [pytest.mark.slow, needs_chromium]

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
    is_drawn(page)
    page.keyboard.press("s")
    is_seen(page, "1 answered since you began")
    expect(page.get_by_test_id("stMetricValue").nth(2)).to_have_text(str(LABELLED + 1), timeout=MILLISECONDS)
    is_drawn(page)
    page.keyboard.press("u")
    is_seen(page, "You answered spam. Another answer replaces it.")
    is_drawn(page)
    page.keyboard.press("h")
    is_seen(page, "1 answered since you began")


def test_a_wrong_key_opens_nothing(page, address):
    go(page, address, "versions")
    expect(page.get_by_role("button", name="Roll back …")).to_have_count(0)
    page.get_by_label("Operator's key", exact=True).fill("guessed")
    page.get_by_label("Operator's key", exact=True).press("Enter")
    expect(page.get_by_text("That is not the key.")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_role("button", name="Roll back …")).to_have_count(0)


CUT = """() => [...document.querySelectorAll("[data-testid=stMetric] *")]
    .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible")
    .map(each => each.innerText)"""


@pytest.mark.parametrize("path", ["", "drift", "candidate", "label", "performance"])
def test_no_figure_and_no_title_of_one_is_cut_on_a_small_window_beside_the_sidebar(page, address, path):
    page.set_viewport_size({"width": 1024, "height": 900})
    go(page, address, path)
    expect(page.get_by_test_id("stSidebarNav")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=MILLISECONDS)
    assert page.evaluate(CUT) == []
