"""An address that is slow, dead or refuses is tried again, for so long, and harms nobody else."""

import threading
import time

import pytest

from autoretrain.adapters.alerts import AlertCounts
from tests.unit.alerts.receivers import HALF, MailServer, WebhookServer, never_answering, never_ending, served
from tests.unit.alerts.sending import HELD, KEY, PROMOTED, deliver, numbered, sender_to, wait_until

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_sending_never_waits_for_an_address_that_is_slow(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/")
    started = time.monotonic()
    for alert in numbered(50):
        sender.send(KEY, alert)
    assert time.monotonic() - started < 0.5
    webhook.gate.set()
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=50)


def test_an_address_that_takes_connections_and_says_nothing_harms_no_other(webhook, monkeypatch):
    monkeypatch.setattr("autoretrain.adapters.alert_addresses.SOCKET_SECONDS", 0.1)
    with never_answering() as address:
        sender = sender_to(f"json://{address}/", f"json://{webhook.address}/", give_up_seconds=0.3)
        counts = deliver(sender, PROMOTED)
    assert len(webhook.posts) == 1
    assert counts == AlertCounts(delivered=1, failed=1)


def test_an_address_whose_answer_has_no_end_is_given_up_and_not_asked_by_more_and_more(webhook, monkeypatch):
    """Each byte is in time; all of them are not."""
    monkeypatch.setattr("autoretrain.adapters.alert_delivery.ATTEMPT_SECONDS", 0.05)
    with never_ending() as (address, connections):
        sender = sender_to(f"json://{address}/", f"json://{webhook.address}/", give_up_seconds=0.5)
        counts = deliver(sender, PROMOTED)
        assert (counts, len(connections)) == (AlertCounts(delivered=1, failed=1), 1)


def test_what_was_taken_after_nobody_waited_for_it_any_more_is_not_told_again(webhook, monkeypatch):
    monkeypatch.setattr("autoretrain.adapters.alert_delivery.ATTEMPT_SECONDS", 0.02)
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/")
    sender.send(KEY, PROMOTED)
    wait_until(lambda: webhook.posts)
    threading.Event().wait(0.1)
    webhook.gate.set()
    wait_until(lambda: sender.counts.delivered)
    sender.close()
    assert len(webhook.posts) == 1


def test_a_machine_without_a_thread_to_spare_is_waited_for(webhook, monkeypatch):
    refused, start = [], threading.Thread.start

    def start_later(thread):
        if thread.name == "an alert" and len(refused) < 2:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr("threading.Thread.start", start_later)
    assert deliver(sender_to(f"json://{webhook.address}/"), PROMOTED) == AlertCounts(delivered=1)
    assert len(refused) == 2


def test_a_full_queue_drops_and_counts(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/", capacity=3)
    for alert in numbered(20):
        sender.send(KEY, alert)
    webhook.gate.set()
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=3, dropped=17)


@pytest.mark.parametrize("answers", [[503, 500], [HALF, HALF]], ids=["refuses", "breaks off"])
def test_a_webhook_that_fails_is_tried_again_and_told_once(answers):
    with served(WebhookServer(answers=answers)) as server:
        counts = deliver(sender_to(f"json://{server.address}/"), PROMOTED)
    assert (len(server.posts), counts) == (3, AlertCounts(delivered=1))


def test_a_mail_server_that_refuses_is_tried_again_and_told_once():
    with served(MailServer(refusals=2)) as server:
        counts = deliver(sender_to(server.url), PROMOTED)
    assert (len(server.letters), counts) == (1, AlertCounts(delivered=1))


def test_waits_between_attempts_grow():
    with served(WebhookServer(answers=[500] * 4)) as server:
        deliver(sender_to(f"json://{server.address}/", first_wait_seconds=0.05), PROMOTED)
    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert waits[-1] > 3 * 0.05


def test_an_address_that_keeps_failing_is_given_up_and_harms_no_other(webhook, caplog):
    with served(WebhookServer(answers=[500] * 999)) as broken:
        sender = sender_to(f"json://{broken.address}/", f"json://{webhook.address}/", give_up_seconds=0.1)
        counts = deliver(sender, PROMOTED)
    assert len(webhook.posts) == 1
    assert counts == AlertCounts(delivered=1, failed=1)
    assert "alert Promoted of default.sms-spam could not be delivered to JSON: it answered 500" in caplog.text


def test_closing_waits_no_longer_than_it_may(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/")
    sender.send(KEY, PROMOTED)
    started = time.monotonic()
    sender.close(timeout=0.05)
    assert time.monotonic() - started < 1
    sender.send(KEY, HELD)
    assert sender.counts == AlertCounts(dropped=1)
    webhook.gate.set()


def test_what_had_not_gone_at_the_end_is_not_tried_any_more():
    before = set(threading.enumerate())
    with served(WebhookServer(answers=[500] * 999)) as broken:
        sender = sender_to(f"json://{broken.address}/")
        sender.send(KEY, PROMOTED)
        wait_until(lambda: len(broken.posts) > 1)
        sender.close(timeout=0.05)
        wait_until(lambda: "alerts to JSON" not in {each.name for each in set(threading.enumerate()) - before})
    assert sender.counts == AlertCounts()
