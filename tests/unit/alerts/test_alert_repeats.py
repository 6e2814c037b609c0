"""What is told once: a transition that comes again, the same words soon after, an address that is named twice."""

from datetime import timedelta

import pytest

from autoretrain.adapters.alerts import AlertCounts
from autoretrain.domain.plan import Alert
from tests.unit.alerts.receivers import WebhookServer, served
from tests.unit.alerts.sending import KEY, NOW, PROMOTED, ROLLED_BACK, deliver, sender_to, wait_until

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_an_address_that_is_named_twice_is_told_once(webhook):
    address = f"json://{webhook.address}/"
    assert deliver(sender_to(address, address), PROMOTED) == AlertCounts(delivered=1)


def test_an_alert_that_was_told_lately_is_kept_back(webhook):
    now = [NOW]
    sender = sender_to(f"json://{webhook.address}/", renotify_seconds=60, now=lambda: now[0])
    for seconds in (0.0, 59.0, 60.0, 61.0):
        now[0] = NOW + timedelta(seconds=seconds)
        sender.send(KEY, PROMOTED)
    sender.send("other.sms-spam", PROMOTED)
    sender.send(KEY, Alert(event="Promoted", title=PROMOTED.title, message="RolloutComplete: v4"))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=4, repeated=2)


def test_a_transition_is_known_by_its_id_whatever_is_said_of_it(webhook):
    now = [NOW]
    sender = sender_to(f"json://{webhook.address}/", now=lambda: now[0])
    sender.send(KEY, ROLLED_BACK)
    now[0] = NOW + timedelta(hours=1)
    sender.send(KEY, Alert(event="RolledBack", title=ROLLED_BACK.title, message="in other words", id=ROLLED_BACK.id))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=1, repeated=1)


def test_an_alert_that_failed_may_be_told_again():
    with served(WebhookServer(answers=[500] * 3)) as server:
        sender = sender_to(f"json://{server.address}/", give_up_seconds=0.001)
        sender.send(KEY, ROLLED_BACK)
        wait_until(lambda: sender.counts.failed == 1)
        server.answers.clear()
        counts = deliver(sender, ROLLED_BACK)
    assert counts == AlertCounts(delivered=1, failed=1)
