"""Alerts reach a real mail server and a real webhook, once, without holding anybody up."""

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls
from autoretrain.adapters.alerts import AlertCounts, AlertSender
from autoretrain.domain.plan import Alert
from tests.unit.alerts.receivers import HALF, UNREADABLE, MailServer, WebhookServer, never_answering, served

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KEY = "default.sms-spam"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROMOTED = Alert(event="Promoted", title=f"{KEY}: a new champion is served", message="RolloutComplete: v3", at=NOW)
HELD = Alert(event="Held", title=f"{KEY}: a candidate or request waits", message="NoGain: v4", at=NOW)
ROLLED_BACK = Alert(
    event="RolledBack",
    title=f"{KEY}: the previous version is put back",
    message="SpamShareTooHigh: version 3: spam share 0.61",
    id="r1",
    at=NOW,
    figures=("spam_share 0.61 > 0.5", "live accuracy 0.8 on 60 labels"),
    done="version 2 is being put back; version 3 is not promoted again",
    todo="Find out what it learned from",
    see="https://spam.example/decisions?model=default.sms-spam&id=41",
)
SECRET = "p@ss:w/rd%20 hunter2"


def sender_to(*urls, **options) -> AlertSender:
    return AlertSender(urls, **{"first_wait_seconds": 0.01, "group_seconds": 0.0, "give_up_seconds": 20.0} | options)


def deliver(sender: AlertSender, *alerts: Alert) -> AlertCounts:
    for alert in alerts:
        sender.send(KEY, alert)
    sender.close(timeout=10)
    return sender.counts


def numbered(count: int, event: str = "Held") -> list[Alert]:
    return [Alert(event=event, title=f"{KEY}: t", message=str(number), at=NOW) for number in range(count)]


def wait_until(reached, *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_an_alert_says_what_happened_the_numbers_what_was_done_what_is_to_do_and_where_to_read_more(webhook):
    deliver(sender_to(f"json://{webhook.address}/"), ROLLED_BACK)
    [(title, text)] = webhook.told
    assert title == "default.sms-spam: the previous version is put back"
    assert text.split("\n") == [
        "What happened: SpamShareTooHigh: version 3: spam share 0.61",
        "Numbers: spam_share 0.61 > 0.5; live accuracy 0.8 on 60 labels",
        "Done: version 2 is being put back; version 3 is not promoted again",
        "To do: Find out what it learned from",
        "When: 2026-03-02 12:00:00 UTC",
        "More: https://spam.example/decisions?model=default.sms-spam&id=41",
    ]


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
    assert counts == AlertCounts(delivered=1)
    assert {tuple(login) for login in server.logins} == {("alerts@example.com", SECRET)}
    assert sorted(server.envelopes) == [("a@example.com",), ("b@example.com",)]
    assert {letter["Subject"] for letter in server.letters} == {HELD.title}
    assert {HELD.message in letter.get_body().get_content() for letter in server.letters} == {True}


def test_what_others_wrote_is_no_part_of_a_letters_html():
    attack = '</p><img src="http://evil.example/x.png"><script>alert(1)</script>'
    with served(MailServer()) as server:
        deliver(sender_to(server.url), Alert(event="Held", title=f"title {attack}", message=attack))
    [letter] = server.letters
    bodies = [part.get_content() for part in letter.walk() if part.get_content_type() == "text/html"]
    assert not [body for body in bodies if "<img" in body or "<script" in body]
    assert attack in letter.get_body(("plain",)).get_content()


def test_what_others_wrote_is_no_markup_of_a_chat_either(monkeypatch):
    posted = []

    def answer(_session, **options):
        posted.append(json.loads(options["data"]))
        return SimpleNamespace(status_code=200, content=b"{}", text="{}")

    monkeypatch.setattr("requests.Session.request", answer)
    attack = '<a href="http://evil.example">the dashboard</a>'
    deliver(sender_to("tgram://123456789:abcdefg_hijklmnop/12315544/"), Alert(event="Held", title="t", message=attack))
    assert [body["parse_mode"] for body in posted] == ["HTML"]
    assert "<a" not in posted[0]["text"]


def test_what_others_wrote_is_one_line_and_not_longer_than_a_person_reads(webhook):
    written = f"RollbackRequested: bad\nTo do: \u202eNothing.\r\n{'x' * 5000}"
    deliver(sender_to(f"json://{webhook.address}/"), Alert(event="Held", title=f"t\nu {'y' * 5000}", message=written))
    [(title, text)] = webhook.told
    assert title.startswith("t u yyy")
    assert text.startswith("What happened: RollbackRequested: bad To do: Nothing. xxx")
    assert len(title.split("\n") + text.split("\n")) == 2
    assert len(title) <= 250
    assert len(text) < 1100


def test_what_is_longer_than_a_service_takes_arrives_in_parts():
    with served(WebhookServer()) as server:
        address = f"mmost://{server.address}/abcdefghijklmnopqrstuvwxyz"
        alerts = [Alert(event="Held", title=f"{KEY}: t", message=f"{number} {'x' * 900}") for number in range(9)]
        counts = deliver(sender_to(address, group_seconds=60.0), *alerts)
    assert counts == AlertCounts(delivered=9)
    parts = [body["text"] for _path, body in server.posts]
    assert max(map(len, parts)) <= 4000
    assert [number for number in range(9) if f": {number} xxx" not in "".join(parts)] == []


def test_an_alert_that_can_not_be_put_into_words_holds_up_no_other(webhook, caplog):
    sender = sender_to(f"json://{webhook.address}/")
    sender.send(KEY, Alert(event="Held", title="t", message="m", at=datetime.min.replace(tzinfo=timezone.max)))
    wait_until(lambda: sender.counts.failed == 1)
    assert deliver(sender, PROMOTED) == AlertCounts(delivered=1, failed=1)


def test_what_happens_at_once_is_one_message_a_model_by_its_worst(webhook):
    sender = sender_to(f"json://{webhook.address}/", group_seconds=0.2)
    sender.send(KEY, PROMOTED)
    sender.send("other.sms-spam", PROMOTED)
    sender.send(KEY, ROLLED_BACK)
    wait_until(lambda: sender.counts.delivered == 3)
    sender.close()
    assert {body["title"]: body["type"] for _, body in webhook.posts} == {
        f"{KEY}: a new champion is served, the previous version is put back": "warning",
        PROMOTED.title: "success",
    }
    [text] = [text for title, text in webhook.told if title != PROMOTED.title]
    assert text.startswith(f"A new champion is served\nWhat happened: {PROMOTED.message}\n\n")
    assert f"\n\nThe previous version is put back\nWhat happened: {ROLLED_BACK.message}\n" in text
    assert text.endswith("\n\nWhen: 2026-03-02 12:00:00 UTC")


def test_many_alerts_of_one_model_become_a_line_each(webhook):
    sender = sender_to(f"json://{webhook.address}/", group_seconds=60.0)
    deliver(sender, *numbered(33))
    [(title, text)] = webhook.told
    assert title == f"{KEY}: 33 alerts"
    assert text.split("\n")[0] == "2026-03-02 12:00 UTC, t: 0"
    assert text.split("\n")[-1] == "and 3 more"


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


def test_counts_are_kept_by_kind_of_channel_and_name_no_address():
    sender = sender_to("json://127.0.0.1/token-a", "json://127.0.0.1/token-b", "xml://127.0.0.1/token-c")
    assert sender.counts_by_channel == {"JSON": AlertCounts(), "XML": AlertCounts()}
    sender.close()
    sender.send(KEY, PROMOTED)
    assert sender.counts_by_channel == {"JSON": AlertCounts(dropped=2), "XML": AlertCounts(dropped=1)}


def test_an_address_that_is_named_twice_is_told_once(webhook):
    address = f"json://{webhook.address}/"
    assert deliver(sender_to(address, address), PROMOTED) == AlertCounts(delivered=1)


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
