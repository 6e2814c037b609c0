"""What waits and what was told outlives the process that sends: a kill loses nothing.

It repeats what a service took in the moment before, and nothing else.
"""

import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.alert_channel import MOST_KNOWN
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
    assert '"a1"' in outbox.text
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


def test_what_came_before_the_outbox_is_kept_as_soon_as_it_is_there(webhook):
    """The controller was answered that it is taken, and the night may be long."""
    outbox, address, night = Memory(), f"json://{webhook.address}/", {"quiet_hours": QUIET, "now": lambda: NIGHT}
    killed = AlertSender([address], **night)
    killed.send(KEY, alert())
    killed.resume(outbox)
    resumed(outbox, address, now=lambda: MORNING).close(timeout=10)
    assert len(webhook.posts) == 1


def test_what_was_told_before_the_outbox_came_is_not_told_from_it(webhook):
    """The process before this one had it waiting, and the controller brought it again."""
    outbox, address, night = Memory(), f"json://{webhook.address}/", {"quiet_hours": QUIET, "now": lambda: NIGHT}
    resumed(outbox, address, **night).send(KEY, alert())
    sender = AlertSender([address], group_seconds=0.0)
    sender.send(KEY, alert())
    wait_until(lambda: sender.counts.delivered == 1)
    sender.resume(outbox)
    sender.close(timeout=10)
    assert len(webhook.posts) == 1


def test_an_outbox_that_can_not_be_read_just_now_loses_nothing(webhook):
    outbox, address, night = Memory(), f"json://{webhook.address}/", {"quiet_hours": QUIET, "now": lambda: NIGHT}
    resumed(outbox, address, **night).send(KEY, alert())
    outbox.away = True
    sender = resumed(outbox, address)
    sender.send(KEY, alert(identity="a2", message="v4"))
    wait_until(lambda: sender.counts.delivered == 1)
    outbox.away = False
    sender.send(KEY, alert(identity="a3", message="v5"))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=3)


def test_a_reason_in_another_encoding_does_not_cost_what_waits(webhook):
    """A shell hands it over as characters that no JSON may hold."""
    outbox, address = Memory(), f"json://{webhook.address}/"
    resumed(outbox, address, quiet_hours=QUIET, now=lambda: NIGHT).send(KEY, alert(message="RollbackRequested: \udcfc"))
    resumed(outbox, address, now=lambda: MORNING).close(timeout=10)
    assert len(webhook.posts) == 1


def test_what_waited_for_an_address_that_is_gone_is_said_to_be_given_up(webhook, caplog):
    outbox, night = Memory(), {"quiet_hours": QUIET, "now": lambda: NIGHT}
    resumed(outbox, f"json://{webhook.address}/old", **night).send(KEY, alert())
    resumed(outbox, f"json://{webhook.address}/new").close(timeout=10)
    assert "1 alerts waited for an address that is gone, and are given up" in caplog.text


def test_the_outbox_does_not_grow_with_what_was_told(webhook):
    outbox = Memory()
    sender = resumed(outbox, f"json://{webhook.address}/", capacity=10_000)
    for number in range(MOST_KNOWN):
        sender.send(KEY, alert(identity=f"a{number}", message=f"{number} {'x' * 1000}"))
    sender.close(timeout=10)
    assert "x" not in outbox.text
    assert len(outbox.text) < 60 * MOST_KNOWN


def test_an_outbox_that_takes_no_text_stops_nobody(webhook, monkeypatch):
    outbox = Memory()
    sender = resumed(outbox, f"json://{webhook.address}/")

    def refuse(_text):
        raise ValueError("the store refuses a value")

    monkeypatch.setattr(outbox, "keep_outbox", refuse)
    sender.send(KEY, alert())
    wait_until(lambda: sender.counts.delivered == 1)
    sender.send(KEY, alert(identity="a2", message="v4"))
    sender.close(timeout=10)
    assert sender.counts == AlertCounts(delivered=2)


def test_a_clock_that_is_put_back_a_little_repeats_nothing(webhook):
    outbox, address = Memory(), f"json://{webhook.address}/"
    for minutes in (0, -10, 10):
        sender = resumed(outbox, address, now=lambda minutes=minutes: NIGHT + timedelta(minutes=minutes))
        sender.send(KEY, alert())
        sender.close(timeout=10)
    assert len(webhook.posts) == 1


def test_a_clock_that_was_ahead_for_years_keeps_nothing_back(webhook):
    outbox, address = Memory(), f"json://{webhook.address}/"
    for year in (2038, 2026):
        sender = resumed(outbox, address, now=lambda year=year: NIGHT.replace(year=year))
        sender.send(KEY, alert(identity=f"of {year}"))
        sender.close(timeout=10)
    assert len(webhook.posts) == 2


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
