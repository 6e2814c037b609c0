"""Alerts reach a real mail server and a real webhook, once, without holding anybody up."""

import base64
import contextlib
import http.server
import json
import logging
import socketserver
import threading
import time
from email import message_from_bytes, policy

import apprise
import pytest

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls
from autoretrain.adapters.alerts import AlertCounts, AlertSender
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Alert

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PROMOTED = Alert(event="Promoted", title="default.sms-spam: a new champion is served", message="RolloutComplete: v3")
HELD = Alert(event="Held", title="default.sms-spam: a candidate or request waits", message="NoGain: v4")
SECRET = "p@ss:w/rd%20 hunter2"


@contextlib.contextmanager
def served(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class WebhookServer(http.server.ThreadingHTTPServer):
    """Keeps what is posted; answers with the next of `answers`, then 200. `gate` holds every answer back."""

    def __init__(self, answers=()):
        super().__init__(("127.0.0.1", 0), WebhookHandler)
        self.answers, self.posts, self.gate = list(answers), [], threading.Event()
        self.gate.set()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"


class WebhookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((self.path, body))
        self.server.gate.wait(5)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, *_args):
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """As much SMTP as a delivery takes: greeting, login, one envelope, data."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.logins, self.envelopes, self.letters = [], [], []


class MailHandler(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self):
        self.say("220 test")
        receivers = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self.say("250-test\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[2]).decode().split("\0")[1:])
                self.say("235 welcome")
            elif verb == "RCPT":
                receivers.append(line.split("<")[1].split(">")[0])
                self.say("250 yes")
            elif verb == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.letters.append(message_from_bytes(b"".join(lines), policy=policy.default))
                self.server.envelopes.append(tuple(receivers))
                receivers.clear()
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture(autouse=True)
def without_a_pause_between_letters(monkeypatch):
    """Apprise waits 5.5 s from one letter to the next."""
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)


@pytest.fixture
def webhook():
    with served(WebhookServer()) as server:
        yield server


def sender_to(*urls, **options) -> AlertSender:
    return AlertSender(urls, first_wait_seconds=0.01, **options)


def deliver(sender: AlertSender, *alerts: Alert) -> AlertCounts:
    for alert in alerts:
        sender.send("default.sms-spam", alert)
    sender.close(timeout=10)
    return sender.counts


def test_a_webhook_that_speaks_like_slack_gets_title_and_message_as_text(webhook):
    settings = AlertSettings(slack_webhook_url=f"http://{webhook.address}/hooks/T0/B0/token")
    counts = deliver(sender_to(*alert_urls(settings)), PROMOTED)
    [(path, body)] = webhook.posts
    assert path == "/hooks/T0/B0/token"
    assert body["text"].split("\n") == [f"{PROMOTED.title}\r", PROMOTED.message]
    assert counts == AlertCounts(delivered=1)


def test_an_address_of_the_file_gets_the_alert(webhook, tmp_path, monkeypatch):
    urls = tmp_path / "urls"
    urls.write_text(f"# on call\n\njson://{webhook.address}/alerts\n")
    monkeypatch.setenv("AUTORETRAIN_ALERT_URLS_FILE", str(urls))
    counts = deliver(AlertSender.from_environment(), PROMOTED)
    [(path, body)] = webhook.posts
    assert (path, body["title"], body["message"], body["type"]) == (
        "/alerts",
        PROMOTED.title,
        PROMOTED.message,
        "success",
    )
    assert counts == AlertCounts(delivered=1)


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
        address = f"127.0.0.1:{server.server_address[1]}"
        sender = sender_to(f"mailto://{address}/?smtp=127.0.0.1&mode=insecure&from=a@example.com&to=b@example.com")
        deliver(sender, Alert(event="Held", title=f"title {attack}", message=attack))
    [letter] = server.letters
    bodies = [part.get_content() for part in letter.walk() if part.get_content_type() == "text/html"]
    assert not [body for body in bodies if "<img" in body or "<script" in body]
    assert attack in letter.get_body(("plain",)).get_content()


def test_sending_never_waits_for_an_address_that_is_slow(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/")
    started = time.monotonic()
    for number in range(50):
        sender.send("default.sms-spam", Alert(event="Held", title="t", message=str(number)))
    assert time.monotonic() - started < 0.5
    webhook.gate.set()
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=50)


def test_counts_are_kept_by_kind_of_channel_and_name_no_address():
    sender = sender_to("json://127.0.0.1/token-a", "json://127.0.0.1/token-b", "xml://127.0.0.1/token-c")
    assert sender.counts_by_channel == {"JSON": AlertCounts(), "XML": AlertCounts()}
    sender.close()
    sender.send("default.sms-spam", PROMOTED)
    assert sender.counts_by_channel == {"JSON": AlertCounts(dropped=2), "XML": AlertCounts(dropped=1)}


def test_a_full_queue_drops_and_counts(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/", capacity=3)
    for number in range(20):
        sender.send("default.sms-spam", Alert(event="Held", title="t", message=str(number)))
    webhook.gate.set()
    sender.close(timeout=10)
    counts = sender.counts
    assert counts.delivered + counts.dropped == 20
    assert counts.delivered in {3, 4}


def test_an_address_that_fails_is_tried_again_and_told_once():
    with served(WebhookServer(answers=[503, 500])) as server:
        counts = deliver(sender_to(f"json://{server.address}/"), PROMOTED)
    assert (len(server.posts), counts) == (3, AlertCounts(delivered=1))


def test_an_address_that_keeps_failing_is_given_up_and_harms_no_other(webhook):
    with served(WebhookServer(answers=[500] * 9)) as broken:
        counts = deliver(sender_to(f"json://{broken.address}/", f"json://{webhook.address}/"), PROMOTED)
    assert (len(broken.posts), len(webhook.posts)) == (3, 1)
    assert counts == AlertCounts(delivered=1, failed=1)


def test_an_alert_that_was_told_lately_is_kept_back(webhook):
    now = [0.0]
    sender = sender_to(f"json://{webhook.address}/", renotify_seconds=60, clock=lambda: now[0])
    for moment in (0.0, 59.0, 60.0, 61.0):
        now[0] = moment
        sender.send("default.sms-spam", PROMOTED)
    sender.send("other.sms-spam", PROMOTED)
    sender.send("default.sms-spam", Alert(event="Promoted", title=PROMOTED.title, message="RolloutComplete: v4"))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=4, repeated=2)


def test_an_alert_that_failed_may_be_told_again():
    with served(WebhookServer(answers=[500] * 3)) as server:
        sender = sender_to(f"json://{server.address}/")
        sender.send("default.sms-spam", PROMOTED)
        wait_until(lambda: sender.counts.failed == 1)
        counts = deliver(sender, PROMOTED)
    assert counts == AlertCounts(delivered=1, failed=1)


def wait_until(reached):
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_closing_waits_no_longer_than_it_may(webhook):
    webhook.gate.clear()
    sender = sender_to(f"json://{webhook.address}/")
    sender.send("default.sms-spam", PROMOTED)
    started = time.monotonic()
    sender.close(timeout=0.05)
    assert time.monotonic() - started < 1
    sender.send("default.sms-spam", HELD)
    assert sender.counts == AlertCounts(dropped=1)
    webhook.gate.set()


def test_without_an_address_nothing_is_sent():
    sender = AlertSender(())
    assert (repr(sender), deliver(sender, PROMOTED)) == ("AlertSender(no address)", AlertCounts())


def test_no_credential_is_shown_anywhere(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with served(WebhookServer(answers=[500] * 9)) as server:
        settings = AlertSettings(
            slack_webhook_url=f"http://user:{'hunter2'}@{server.address}/hooks/sesame",
            smtp_server="127.0.0.1",
            smtp_port=9,
            smtp_username="u",
            smtp_password="hunter2",
            alert_email="a@example.com",
        )
        sender = sender_to(*alert_urls(settings))
        counts = deliver(sender, PROMOTED)
    printed = capfd.readouterr()
    said = f"{settings!r} {settings} {sender!r} {caplog.text} {printed.out} {printed.err}"
    assert counts == AlertCounts(failed=2)
    assert "could not be delivered to" in caplog.text
    assert [word for word in ("hunter2", "sesame", "hooks") if word in said] == []


@pytest.mark.parametrize(
    ("settings", "urls"),
    [
        ({}, ()),
        (
            {"slack_webhook_url": "https://hooks.slack.com/services/T1/B1/abc"},
            ("https://hooks.slack.com/services/T1/B1/abc",),
        ),
        (
            {"slack_webhook_url": "https://chat.example.com/hooks/abc?team=1"},
            ("jsons://chat.example.com/hooks/abc?team=1&:message=text",),
        ),
        (
            {"smtp_server": "mail.example.com", "alert_email": "a@example.com"},
            (
                "mailtos://mail.example.com:587/a%40example.com?smtp=mail.example.com&mode=starttls&from=a%40example.com",
            ),
        ),
        (
            {"smtp_server": "mail.example.com", "smtp_port": 465, "alert_email": "a@example.com", "smtp_username": "u"},
            ("mailtos://u@mail.example.com:465/a%40example.com?smtp=mail.example.com&mode=ssl&from=a%40example.com",),
        ),
        (
            {"smtp_server": "relay", "smtp_port": 25, "alert_email": "a@example.com"},
            ("mailto://relay:25/a%40example.com?smtp=relay&mode=insecure&from=a%40example.com",),
        ),
        (
            {"smtp_server": "relay", "smtp_port": 25, "smtp_starttls": True, "alert_email": "a@example.com"},
            ("mailtos://relay:25/a%40example.com?smtp=relay&mode=starttls&from=a%40example.com",),
        ),
        ({"smtp_server": "mail.example.com"}, ()),
    ],
    ids=range(8),
)
def test_the_environment_becomes_addresses(settings, urls):
    assert alert_urls(AlertSettings(**settings)) == urls


def test_the_seed_s_variables_are_read_and_empty_ones_are_not_set(monkeypatch):
    monkeypatch.setenv("SMTP_SERVER", "mail.example.com")
    monkeypatch.setenv("SMTP_PORT", "")
    monkeypatch.setenv("SMTP_PASSWORD", "x")
    monkeypatch.setenv("ALERT_EMAIL", "a@example.com")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "")
    settings = AlertSettings()
    assert (settings.smtp_server, settings.smtp_port, settings.slack_webhook_url) == ("mail.example.com", 587, None)


def test_half_of_a_mail_address_is_said_to_be_half(caplog):
    alert_urls(AlertSettings(alert_email="a@example.com"))
    assert "no alert is sent by mail: SMTP_SERVER is not set" in caplog.text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"json://127.0.0.1/\nnot an address with hunter2\n", "urls, line 2: not an address that Apprise knows"),
        (b"\xff", "urls can't be read: it is not UTF-8"),
        (None, "urls can't be read: No such file or directory"),
    ],
    ids=["line", "encoding", "missing"],
)
def test_a_file_that_is_wrong_is_refused_without_showing_it(tmp_path, content, says):
    path = tmp_path / "urls"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AutoRetrainError) as refused:
        alert_urls(AlertSettings(urls_file=path))
    assert str(refused.value).endswith(says)
    assert "hunter2" not in str(refused.value)
