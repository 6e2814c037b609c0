"""Which drawn messages wait for a label, and where do the answers go? To this machine's store, or a server's API."""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import httpx

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.audit import ASK_LEASE
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label, LabelKind, LabelledMessage, NewLabel

ANSWER_SECONDS: Final = 10.0
REPORTS_AT_ONCE: Final = 100
NOTHING_WAITS: Final = "Nothing waits for a label. The share that is drawn is spec.monitoring.audit.rate."


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMessage:
    """A message of the audit sample. What the model said of it is left out: it would sway the reader."""

    prediction_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """`trusted` is false where no key says whose the labels are: they are kept, and used for nothing."""

    accepted: int
    source: str
    trusted: bool


class LabelQueue(Protocol):
    """Where drawn messages come from, and labels of them go to."""

    def draw(self) -> DrawnMessage | None:
        """Return the next message; it is not handed out again for a while. None: none is free.

        One at a time, so that who stops, in whatever way, keeps no more than that one from the others.
        """

    def explain_none(self) -> str:
        """Say in a sentence why none is free."""

    def answer(self, message: DrawnMessage, label: Label) -> None:
        """Keep the label; it is on the disk when this returns. Raises AutoRetrainError where it is not."""


@dataclass(frozen=True, slots=True)
class StoreQueue:
    """The store of this machine; `source` is whose the labels are."""

    store: Store
    source: str = field(default_factory=lambda: f"terminal-{getpass.getuser()}")

    def draw(self) -> DrawnMessage | None:
        drawn = self.store.labels_to_ask(limit=1, now=datetime.now(UTC))
        return DrawnMessage(prediction_id=drawn[0].prediction_id, text=drawn[0].text) if drawn else None

    def explain_none(self) -> str:
        count, until = self.store.handed_out(now=datetime.now(UTC))
        if until is None:
            return NOTHING_WAITS
        return f"No message is free: {count} handed out until {until.astimezone():%H:%M}, to you or to somebody else."

    def answer(self, message: DrawnMessage, label: Label) -> None:
        given = NewLabel(
            label=label,
            kind=LabelKind.AUDIT,
            source=self.source,
            trusted=True,
            received_at=datetime.now(UTC),
            prediction_id=message.prediction_id,
        )
        self.store.add_labels([given])


@dataclass(frozen=True, slots=True)
class ServedQueue:
    """The API of a server, which knows the labeller by a key, or by being on its own machine."""

    http: httpx.Client

    @classmethod
    @contextmanager
    def at(cls, address: str, *, api_key: str = "") -> Iterator["ServedQueue"]:
        headers = {"x-api-key": api_key} if api_key else {}
        with httpx.Client(base_url=address, headers=headers, timeout=ANSWER_SECONDS) as http:
            yield cls(http)

    def draw(self) -> DrawnMessage | None:
        drawn = self._ask("GET", "/labels/next", params={"limit": 1})["messages"]
        return DrawnMessage(prediction_id=drawn[0]["prediction_id"], text=drawn[0]["message"]) if drawn else None

    def explain_none(self) -> str:
        minutes = int(ASK_LEASE.total_seconds() // 60)  # the API does not tell the two apart
        return f"{NOTHING_WAITS} Or all that waits was handed out in the last {minutes} minutes."

    def answer(self, message: DrawnMessage, label: Label) -> None:
        given = {"prediction_id": message.prediction_id, "label": label.value}
        self._ask("POST", "/labels", json={"labels": [given]})

    def report(self, rows: Sequence[LabelledMessage]) -> Reported:
        """Give labels of whole messages under the key's name; what was given before adds nothing.

        Raises AutoRetrainError where a batch is not taken; those before it are, and the message says how many.
        """
        accepted, source, trusted = 0, "", False
        for first in range(0, len(rows), REPORTS_AT_ONCE):
            batch = rows[first : first + REPORTS_AT_ONCE]
            given = [{"message": row.text, "label": row.label.value} for row in batch]
            try:
                answer = self._ask("POST", "/feedback/batch", json={"feedback": given})
            except AutoRetrainError as error:
                raise AutoRetrainError(f"{error}; {accepted} of {len(rows)} labels were taken before") from None
            accepted, source, trusted = accepted + answer["accepted"], answer["source"], answer["trusted"]
        return Reported(accepted=accepted, source=source, trusted=trusted)

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self.http.request(method, path, **options)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise AutoRetrainError(f"serving gave no answer to {method} {path}: {reason}") from None
        if answer.is_error or not isinstance(body, dict):
            hint = "; set AUTORETRAIN_API_KEY" if answer.status_code == httpx.codes.UNAUTHORIZED else ""
            reason = body.get("detail", "") if isinstance(body, dict) else ""
            raise AutoRetrainError(f"serving refused {method} {path} ({answer.status_code}): {reason}{hint}")
        return body
