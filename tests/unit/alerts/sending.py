"""Alerts, and a sender of them that does not wait as long as it would for people."""

import threading
import time
from datetime import UTC, datetime

from autoretrain.adapters.alerts import AlertCounts, AlertSender
from autoretrain.domain.plan import Alert

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
