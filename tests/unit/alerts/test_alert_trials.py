"""A test of the addresses goes past the queues and says of each how it went."""

import pytest

from autoretrain.adapters.alerts import AlertSender
from tests.unit.alerts.receivers import MailServer, WebhookServer, never_ending, nobody, served

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KEY = "default.sms-spam"


def test_a_test_says_of_each_address_whether_it_works_and_why_not(webhook):
    with served(WebhookServer(answers=[403])) as refusing, served(MailServer()) as mail:
        urls = (f"json://{webhook.address}/", f"json://{refusing.address}/sesame", mail.url, f"xml://{nobody()}/sesame")
        sender = AlertSender(urls)
        trials = sender.test(KEY)
        sender.close()
    assert [(each.service, each.delivered, each.reason) for each in trials] == [
        ("JSON", True, ""),
        ("JSON", False, "it answered 403"),
        ("E-Mail", True, ""),
        ("XML", False, "no connection, or no whole answer in time"),
    ]
    assert webhook.told == [
        (
            f"{KEY}: a test of alerts",
            f"If you read this, alerts of {KEY} arrive here. Nothing happened, and there is nothing to do.",
        )
    ]


def test_a_test_does_not_wait_for_an_answer_without_an_end(webhook, monkeypatch):
    monkeypatch.setattr("autoretrain.adapters.alert_delivery.ATTEMPT_SECONDS", 0.5)
    with never_ending() as (address, _connections):
        sender = AlertSender([f"json://{address}/", f"json://{webhook.address}/"])
        trials = sender.test(KEY)
        sender.close()
    assert [(each.delivered, each.reason) for each in trials] == [
        (False, "no connection, or no whole answer in time"),
        (True, ""),
    ]
