"""What a person does on the dashboard, and how long it may take to be seen."""

import re

from playwright.sync_api import Page, expect

KEY = "the operator's key of this test"
MILLISECONDS = 20_000
"""For what is waited for to be seen, on a machine that has much else to do."""


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
