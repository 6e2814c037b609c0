"""A machine with a dashboard of its own for each module, and a person with a browser for each test."""

import pytest
from playwright.sync_api import sync_playwright

from autoretrain.adapters.settings import Settings
from autoretrain.app.preflight import free_port_after
from tests.browser import open_chromium
from tests.dashboard.machine import dashboard, fill
from tests.dashboard.steps import KEY, MILLISECONDS
from tests.spec_cases import VALID_TEXT


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
