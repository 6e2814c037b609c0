"""One attempt to tell one address something, and why it failed, without a word of the address.

Apprise answers yes or no and logs the reason, with hosts, paths or people in it. Its log goes nowhere; what is kept of
it is a status code, or that nobody answered. There is no other way to a status code.
"""

import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apprise
import apprise.plugins.base

REFUSED_CONTENT: Final = frozenset({400, 413, 414, 415, 422})
"""What a service answers to a message that it does not take, whoever sends it; it may well take the next."""

ATTEMPT_SECONDS: Final = 100.0
"""What comes byte by byte is in time for a socket, for ever. Less than `alerts test` waits for the monitor."""

_ANSWERED: Final = re.compile(r"\berror=(\d{3})\b")
_heard = threading.local()
_known_as_taken = getattr(apprise.plugins.base, "_delivery_tracker", None)
"""Where Apprise looks up what was taken by an attempt before, of several receivers or parts; it is no promise of its.

Without it each attempt tells all of them again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why it was not delivered. `of_content`: for what it says, so that it would be refused again."""

    reason: str
    of_content: bool = False


TOO_LATE: Final = Refusal(reason="no connection, or no whole answer in time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a test of one address ended. `service` is its kind, as Slack or E-Mail; `reason` is empty if it worked."""

    service: str
    delivered: bool
    seconds: float
    reason: str


class _Overheard(logging.Handler):
    """Keeps what may be told of the complaints in this thread, where it is one of an attempt."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        answered = _ANSWERED.search(said)
        complaints: list[Refusal] = getattr(_heard, "complaints", [])
        if answered:
            status = int(answered[1])
            complaints.append(Refusal(reason=f"it answered {status}", of_content=status in REFUSED_CONTENT))
        elif "connection error" in said.lower():
            complaints.append(TOO_LATE)


def keep_addresses_out_of_logs() -> None:
    """Apprise logs addresses, above all wrong ones, and the HTTP library logs paths, which hold a webhook's token."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.handlers = [_Overheard()]
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # it warns of odd headers with the whole address


class Attempt:
    """One attempt to tell `service` something, in a thread of its own, so that nobody has to wait for its end.

    `taken` holds what attempts before this one got through to, of several receivers or parts, and is added to.
    """

    def __init__(
        self, service: Any, *, title: str, text: str, severity: apprise.NotifyType, taken: set[Any] | None = None
    ) -> None:
        self._service, self._taken = service, set() if taken is None else taken
        self._message = {"title": title, "body": text, "notify_type": severity}
        self._refusal: Refusal | None = TOO_LATE
        self._started = self._ended = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="an alert", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the machine allows no more of them; whoever asks must not end by it
            self._refusal = Refusal(reason="there is no thread to spare")

    @property
    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def outcome(self) -> Refusal | None:
        """Wait for ATTEMPT_SECONDS from its start at most. Return why it was not delivered; None where it was."""
        if self.goes_on:
            self._thread.join(max(0.0, self._started + ATTEMPT_SECONDS - time.monotonic()))
        return self._refusal

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (time.monotonic() if self.goes_on else self._ended) - self._started

    def _run(self) -> None:
        self._refusal = self._try()
        self._ended = time.monotonic()

    def _try(self) -> Refusal | None:
        complaints: list[Refusal] = []
        _heard.complaints = complaints
        if _known_as_taken is not None:
            _known_as_taken.set(self._taken)
        try:
            # Said to be text, and to Apprise itself, which puts it into the service's own format: else a letter or a
            # chat's message is markup, and what others wrote becomes part of it.
            told = apprise.Apprise(self._service).notify(**self._message, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # a library's error must not end a thread, and its text may hold the address
            return Refusal(reason=f"the library failed ({type(error).__name__})")
        if told:
            return None
        # What one receiver took can't be so bad.
        of_content = bool(complaints) and not self._taken and all(each.of_content for each in complaints)
        return Refusal(reason=complaints[-1].reason if complaints else "it was not taken", of_content=of_content)


def try_each(services: Sequence[Any], *, title: str, text: str) -> tuple[Trial, ...]:
    """Tell every service once, all at the same time, and say how it went, in their order."""
    attempts = [Attempt(each, title=title, text=text, severity=apprise.NotifyType.INFO) for each in services]
    refusals = [attempt.outcome() for attempt in attempts]
    return tuple(
        Trial(
            service=str(service.service_name),
            delivered=refusal is None,
            seconds=attempt.seconds,
            reason=refusal.reason if refusal else "",
        )
        for service, attempt, refusal in zip(services, attempts, refusals, strict=True)
    )
