"""A webhook that takes what it is sent."""

import apprise
import pytest

from tests.unit.alerts.receivers import WebhookServer, served


@pytest.fixture(autouse=True)
def without_a_pause_between_letters(monkeypatch):
    """Apprise waits 5.5 s from one letter to the next."""
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)


@pytest.fixture
def webhook():
    with served(WebhookServer()) as server:
        yield server
