"""One attempt to tell one address something, and why it failed, without a word of the address.

Apprise answers yes or no and logs the reason, with hosts, paths or people in it. Its log goes nowhere; what is kept of
it is a status code, or that nobody answered.
"""

import logging
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import apprise

_ANSWERED: Final = re.compile(r"\berror=(\d{3})\b")
_heard = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a test of one address ended. `service` is its kind, as Slack or E-Mail; `reason` is empty if it worked."""

    service: str
    delivered: bool
    seconds: float
    reason: str


class _Overheard(logging.Handler):
    """Keeps what may be told of the last complaint in this thread."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        answered = _ANSWERED.search(said)
        if answered:
            _heard.reason = f"it answered {answered[1]}"
        elif "connection error" in said.lower():
            _heard.reason = "no connection, or no whole answer in time"


def keep_addresses_out_of_logs() -> None:
    """Apprise logs addresses, above all wrong ones, and the HTTP library logs paths, which hold a webhook's token."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.handlers = [_Overheard()]
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # it warns of odd headers with the whole address


def deliver(service: Any, *, title: str, text: str, severity: apprise.NotifyType) -> str:
    """Try once. Return why it was not delivered; empty where it was."""
    _heard.reason = ""
    try:
        # Said to be text, and to Apprise itself, which puts it into the service's own format: else a letter or a chat's
        # message is markup, and what others wrote becomes part of it.
        channel = apprise.Apprise(service)
        told = channel.notify(title=title, body=text, notify_type=severity, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # a library's error must not end a thread, and its text may hold the address
        return f"the library failed ({type(error).__name__})"
    return "" if told else _heard.reason or "it was not taken"


def try_each(services: Sequence[Any], *, title: str, text: str) -> tuple[Trial, ...]:
    """Tell every service once, all at the same time, and say how it went, in their order."""

    def attempt(service: Any) -> Trial:
        started = time.monotonic()
        reason = deliver(service, title=title, text=text, severity=apprise.NotifyType.INFO)
        seconds = time.monotonic() - started
        return Trial(service=str(service.service_name), delivered=not reason, seconds=seconds, reason=reason)

    if not services:
        return ()
    with ThreadPoolExecutor(len(services)) as pool:
        return tuple(pool.map(attempt, services))
