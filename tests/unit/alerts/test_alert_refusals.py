"""What a service refuses for what it says is given up and told of; what it refuses for its address waits."""

import pytest

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls
from autoretrain.adapters.alerts import AlertCounts
from autoretrain.domain.plan import Alert
from tests.unit.alerts.receivers import MailServer, WebhookServer, served
from tests.unit.alerts.sending import HELD, KEY, PROMOTED, deliver, numbered, sender_to, wait_until

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

AN_HOUR = 3600.0


@pytest.mark.parametrize("status", [400, 413, 414, 415, 422])
def test_what_is_refused_for_what_it_says_keeps_nothing_else_waiting(status, caplog):
    with served(WebhookServer(disliked={HELD.message: status})) as server:
        sender = sender_to(f"json://{server.address}/", give_up_seconds=AN_HOUR)
        sender.send(KEY, HELD)
        wait_until(lambda: server.posts)
        counts = deliver(sender, PROMOTED)
    assert counts == AlertCounts(delivered=1, failed=1)
    assert f"alert Held of {KEY} could not be delivered to JSON: it answered {status}" in caplog.text


def test_it_is_told_once_more_or_twice_since_what_stands_before_the_service_may_err():
    with served(WebhookServer(answers=[400, 400])) as server:
        counts = deliver(sender_to(f"json://{server.address}/"), PROMOTED)
    assert (len(server.posts), counts) == (3, AlertCounts(delivered=1))


def test_of_a_group_only_what_is_refused_is_given_up():
    with served(WebhookServer(disliked={"What happened: 3": 422, "UTC, t: 3": 422})) as server:
        sender = sender_to(f"json://{server.address}/", group_seconds=60.0, give_up_seconds=AN_HOUR)
        counts = deliver(sender, *numbered(5))
    assert counts == AlertCounts(delivered=4, failed=1)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429])
def test_what_is_refused_for_its_address_is_told_once_the_address_is_mended(status):
    with served(WebhookServer(answers=[status] * 5)) as server:
        counts = deliver(sender_to(f"json://{server.address}/", give_up_seconds=AN_HOUR), PROMOTED)
    assert (len(server.posts), counts) == (6, AlertCounts(delivered=1))


def test_what_a_service_took_of_a_message_in_parts_is_not_told_again():
    with served(WebhookServer(answers=[200, 500])) as server:
        address = f"mmost://{server.address}/abcdefghijklmnopqrstuvwxyz"
        alerts = [Alert(event="Held", title=f"{KEY}: t", message=f"{number} {'x' * 900}") for number in range(9)]
        counts = deliver(sender_to(address, group_seconds=60.0), *alerts)
    assert counts == AlertCounts(delivered=9)
    parts = [body["text"] for _path, body in server.posts]
    assert parts[0] not in parts[1:]
    assert parts[-1] == parts[1]


def test_a_receiver_that_the_mail_server_does_not_have_keeps_no_other_waiting_and_repeats_nothing():
    with served(MailServer(unknown={"gone@example.com"})) as server:
        settings = AlertSettings(
            smtp_server="127.0.0.1",
            smtp_port=server.server_address[1],
            smtp_starttls=False,
            alert_email="gone@example.com, b@example.com",
        )
        sender = sender_to(*alert_urls(settings), give_up_seconds=AN_HOUR)
        for alert in (PROMOTED, HELD):
            sender.send(KEY, alert)
            wait_until(lambda alert=alert: alert.title in [letter["Subject"] for letter in server.letters])
        sender.close(timeout=0.2)
    assert server.envelopes == [("b@example.com",)] * 2
