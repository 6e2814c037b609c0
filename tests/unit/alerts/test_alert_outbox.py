"""What waits and what was told outlives the process that sends: a kill loses nothing and repeats nothing."""

import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.alert_hours import QuietHours
from autoretrain.adapters.alerts import AlertCounts, AlertSender
from autoretrain.adapters.store import Store
from autoretrain.domain.errors import StoreUnavailable
from autoretrain.domain.plan import Alert
from tests.unit.alerts.receivers import WebhookServer, served

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KEY = "default.sms-spam"
NIGHT = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
MORNING = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
QUIET = QuietHours.parse("22:00-07:00")

KILLED_BEFORE_DELIVERY = """
import os, signal, sys
from autoretrain.adapters.alerts import AlertSender
from autoretrain.adapters.store import Store
from autoretrain.domain.plan import Alert

store = Store(sys.argv[1], model="default.sms-spam")
sender = AlertSender([sys.argv[2]], group_seconds=600.0)
sender.resume(store)
sender.send("default.sms-spam", Alert(event="RolledBack", title="t", message="m", id="r1"))
os.kill(os.getpid(), signal.SIGKILL)
"""


class Memory:
    """An outbox that may be away."""

    def __init__(self):
        self.text, self.away = "", False

    def outbox(self):
        self._fail_if_away()
        return self.text

    def keep_outbox(self, text):
        self._fail_if_away()
        self.text = text

    def _fail_if_away(self):
        if self.away:
            raise StoreUnavailable("it is away")


def alert(event="Promoted", identity="a1", message="RolloutComplete: v3") -> Alert:
    return Alert(event=event, title=f"{KEY}: {event}", message=message, id=identity, at=NIGHT)


def resumed(outbox, *urls, **options) -> AlertSender:
    sender = AlertSender(urls, **{"first_wait_seconds": 0.01, "group_seconds": 0.0} | options)
    sender.resume(outbox)
    return sender


def wait_until(reached) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_an_alert_that_waited_when_the_process_was_killed_is_told_once_by_the_next(webhook, tmp_path):
    url, address = f"sqlite:///{tmp_path / 'store.db'}", f"json://{webhook.address}/"
    with Store(url, model=KEY) as store:
        store.migrate()
        killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_DELIVERY, url, address], timeout=60, check=False)
        assert (killed.returncode, webhook.posts) == (-signal.SIGKILL, [])
        for _ in range(2):
            sender = resumed(store, address)
            sender.close(timeout=10)
    assert len(webhook.posts) == 1


def test_what_was_told_is_not_told_by_the_next_process(webhook):
    outbox, address = Memory(), f"json://{webhook.address}/"
    counts = AlertCounts()
    for _ in range(2):
        sender = resumed(outbox, address)
        sender.send(KEY, alert())
        sender.close(timeout=10)
        counts += sender.counts
    assert counts == AlertCounts(delivered=1, repeated=1)


def test_one_address_that_took_it_is_not_told_again_for_one_that_did_not(webhook):
    outbox = Memory()
    with served(WebhookServer(answers=[500] * 999)) as broken:
        urls = (f"json://{webhook.address}/", f"xml://{broken.address}/")
        # XML is no JSON, which this receiver cuts the connection on: it never takes one.
        first = resumed(outbox, *urls, first_wait_seconds=60.0)
        first.send(KEY, alert())
        wait_until(lambda: first.counts.delivered == 1)
        first.close(timeout=0.1)
    second = resumed(outbox, *urls, give_up_seconds=0.1)
    wait_until(lambda: second.counts.failed == 1)
    second.close()
    assert (len(webhook.posts), second.counts) == (1, AlertCounts(failed=1))


def test_the_outbox_names_no_address(webhook):
    outbox = Memory()
    sender = resumed(outbox, f"json://user:hunter2@{webhook.address}/sesame")
    sender.send(KEY, alert())
    sender.close(timeout=10)
    assert "RolloutComplete" in outbox.text
    assert [word for word in ("hunter2", "sesame", "127.0.0.1", "json") if word in outbox.text] == []


def test_alerts_go_out_while_the_outbox_is_away(webhook, caplog):
    outbox = Memory()
    outbox.away = True
    sender = resumed(outbox, f"json://{webhook.address}/")
    sender.send(KEY, alert())
    sender.send(KEY, alert(identity="a2", message="v4"))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=2)
    assert caplog.text.count("alerts that wait can't be kept: it is away") == 1


@pytest.mark.parametrize("text", ["{", '{"channels": 3}', "[]"])
def test_an_outbox_that_can_not_be_read_starts_anew(webhook, text):
    outbox = Memory()
    outbox.text = text
    sender = resumed(outbox, f"json://{webhook.address}/")
    sender.send(KEY, alert())
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=1)


def test_an_outbox_that_comes_late_is_not_told_twice(webhook):
    """The monitor takes alerts before its store can be reached."""
    outbox, address = Memory(), f"json://{webhook.address}/"
    first = resumed(outbox, address)
    first.send(KEY, alert())
    first.close(timeout=10)
    second = AlertSender([address], group_seconds=0.5)
    second.send(KEY, alert())
    second.resume(outbox)
    second.close(timeout=10)
    assert len(webhook.posts) == 1


def test_in_quiet_hours_only_what_needs_a_person_is_told(webhook):
    sender = resumed(Memory(), f"json://{webhook.address}/", quiet_hours=QUIET, now=lambda: NIGHT)
    for number, event in enumerate(("Promoted", "DriftDetected", "Degraded", "RolledBack")):
        sender.send(KEY, alert(event, identity=f"a{number}"))
    wait_until(lambda: sender.counts.delivered == 2)
    sender.close()
    assert {title for title, _ in webhook.told} <= {
        f"{KEY}: Degraded",
        f"{KEY}: RolledBack",
        f"{KEY}: Degraded, RolledBack",
    }


def test_what_the_night_kept_back_is_one_message_in_the_morning_also_after_a_restart(webhook):
    outbox, address, now = Memory(), f"json://{webhook.address}/", [NIGHT]
    options = {"quiet_hours": QUIET, "now": lambda: now[0]}
    evening = resumed(outbox, address, **options)
    for number in range(4):
        evening.send(KEY, alert("Held", identity=f"h{number}", message=f"NoGain: v{number}"))
    evening.close(timeout=10)
    assert webhook.posts == []
    morning = resumed(outbox, address, **options)
    now[0] = MORNING - timedelta(seconds=1)
    threading.Event().wait(0.1)
    assert webhook.posts == []
    now[0] = MORNING
    wait_until(lambda: webhook.posts)
    morning.close()
    [(title, text)] = webhook.told
    assert title == f"{KEY}: 4 alerts"
    assert text.split("\n") == [f"2026-03-02 23:00 UTC, Held: NoGain: v{number}" for number in range(4)]


def test_what_quiet_hours_keep_back_is_bounded_and_keeps_out_nothing_urgent(webhook):
    sender = resumed(Memory(), f"json://{webhook.address}/", quiet_hours=QUIET, now=lambda: NIGHT, capacity=3)
    for number in range(5):
        sender.send(KEY, alert("Held", identity=f"h{number}", message=f"v{number}"))
    sender.send(KEY, alert("RolledBack", identity="r"))
    sender.close(timeout=10)
    assert (sender.counts, len(webhook.posts)) == (AlertCounts(delivered=1, dropped=2), 1)
