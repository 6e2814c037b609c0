"""Alerts reach a real mail server and a real webhook, and are counted; no credential is shown on the way."""

import logging
import time

import pytest

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls
from autoretrain.adapters.alerts import AlertCounts, AlertSender
from tests.unit.alerts.receivers import UNREADABLE, MailServer, WebhookServer, served
from tests.unit.alerts.sending import HELD, KEY, PROMOTED, deliver, sender_to, wait_until

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "p@ss:w/rd%20 hunter2"


def test_a_webhook_that_speaks_like_slack_gets_title_and_message_as_text(webhook):
    settings = AlertSettings(slack_webhook_url=f"http://{webhook.address}/hooks/T0/B0/token")
    counts = deliver(sender_to(*alert_urls(settings)), PROMOTED)
    [(path, body)] = webhook.posts
    assert path == "/hooks/T0/B0/token"
    assert body["text"].replace("\r", "").split("\n")[:2] == [PROMOTED.title, f"What happened: {PROMOTED.message}"]
    assert counts == AlertCounts(delivered=1)


def test_an_address_of_the_file_gets_the_alert_within_seconds(webhook, tmp_path, monkeypatch):
    urls = tmp_path / "urls"
    urls.write_text(f"# on call\n\njson://{webhook.address}/alerts\n")
    monkeypatch.setenv("AUTORETRAIN_ALERT_URLS_FILE", str(urls))
    sender, decided = AlertSender.from_environment(), time.monotonic()
    sender.send(KEY, PROMOTED)
    wait_until(lambda: webhook.posts)
    assert webhook.times[0] - decided < 5
    sender.close()
    [(path, body)] = webhook.posts
    assert (path, body["title"], body["type"]) == ("/alerts", PROMOTED.title, "success")
    assert sender.counts == AlertCounts(delivered=1)


def test_a_mail_server_gets_a_letter_to_everyone_with_the_login_as_it_was_given():
    with served(MailServer()) as server:
        settings = AlertSettings(
            smtp_server="127.0.0.1",
            smtp_port=server.server_address[1],
            smtp_username="alerts@example.com",
            smtp_password=SECRET,
            smtp_starttls=False,
            alert_email="a@example.com, b@example.com",
        )
        counts = deliver(sender_to(*alert_urls(settings)), HELD)
    assert counts == AlertCounts(delivered=2)
    assert {tuple(login) for login in server.logins} == {("alerts@example.com", SECRET)}
    assert sorted(server.envelopes) == [("a@example.com",), ("b@example.com",)]
    assert {letter["Subject"] for letter in server.letters} == {HELD.title}
    assert {HELD.message in letter.get_body().get_content() for letter in server.letters} == {True}


def test_counts_are_kept_by_kind_of_channel_and_name_no_address():
    sender = sender_to("json://127.0.0.1/token-a", "json://127.0.0.1/token-b", "xml://127.0.0.1/token-c")
    assert sender.counts_by_channel == {"JSON": AlertCounts(), "XML": AlertCounts()}
    sender.close()
    sender.send(KEY, PROMOTED)
    assert sender.counts_by_channel == {"JSON": AlertCounts(dropped=2), "XML": AlertCounts(dropped=1)}


def test_without_an_address_nothing_is_sent():
    sender = AlertSender(())
    assert (repr(sender), deliver(sender, PROMOTED)) == ("AlertSender(no address)", AlertCounts())


def test_no_credential_is_shown_anywhere(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with served(WebhookServer(answers=[500, UNREADABLE, *[500] * 99])) as server:
        settings = AlertSettings(
            slack_webhook_url=f"http://user:{'hunter2'}@{server.address}/hooks/sesame",
            smtp_server="127.0.0.1",
            smtp_port=9,
            smtp_username="u",
            smtp_password="hunter2",
            alert_email="a@example.com",
        )
        sender = sender_to(*alert_urls(settings), give_up_seconds=0.1)
        trials = sender.test(KEY)
        counts = deliver(sender, PROMOTED)
    printed = capfd.readouterr()
    said = f"{settings!r} {settings} {sender!r} {trials} {caplog.text} {printed.out} {printed.err}"
    assert counts == AlertCounts(failed=2)
    assert "could not be delivered to" in caplog.text
    assert [word for word in ("hunter2", "sesame", "hooks") if word in said] == []
