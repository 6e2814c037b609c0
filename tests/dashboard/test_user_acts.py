"""What a person with the key does is done by the controller's next pass, and seen on the page."""

import pytest

from autoretrain.app.state import StateDirectory
from tests.browser import needs_chromium
from tests.dashboard.machine import MODEL, make_a_pass
from tests.dashboard.steps import give_key, go, is_seen

# A module of its own: another champion is served afterwards.
pytestmark = [pytest.mark.slow, needs_chromium]


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
