"""What a person reads: every part of an alert, grouped, and nothing of what others wrote is markup."""

import json
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from autoretrain.adapters.alerts import AlertCounts
from autoretrain.domain.plan import Alert
from tests.unit.alerts.receivers import MailServer, WebhookServer, served
from tests.unit.alerts.sending import KEY, PROMOTED, ROLLED_BACK, deliver, numbered, sender_to, wait_until

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


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
