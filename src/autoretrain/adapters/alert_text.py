"""How does an alert read when it arrives? One on its own, a few together, or a night's worth in lines."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import apprise

from autoretrain.domain.plan import Alert

MOST_IN_FULL: Final = 3
"""More than that become a line each."""

MOST_LINES: Final = 30
LONGEST_TITLE: Final = 250
LONGEST_PART: Final = 1000

_SEVERITY: Final = {
    "Degraded": apprise.NotifyType.FAILURE,
    "RolledBack": apprise.NotifyType.WARNING,
    "PerformanceLow": apprise.NotifyType.WARNING,
    "DriftDetected": apprise.NotifyType.WARNING,
    "NoNewData": apprise.NotifyType.WARNING,
    "Promoted": apprise.NotifyType.SUCCESS,
}
_WORST_FIRST: Final = (
    apprise.NotifyType.FAILURE,
    apprise.NotifyType.WARNING,
    apprise.NotifyType.SUCCESS,
    apprise.NotifyType.INFO,
)


def severity(alerts: Sequence[Alert]) -> apprise.NotifyType:
    """Return the worst of them."""
    return min((_SEVERITY.get(alert.event, apprise.NotifyType.INFO) for alert in alerts), key=_WORST_FIRST.index)


def title_of(model_key: str, alerts: Sequence[Alert]) -> str:
    if len(alerts) > MOST_IN_FULL:
        return f"{model_key}: {len(alerts)} alerts"
    if len(alerts) == 1:
        return _plain(alerts[0].title, LONGEST_TITLE)
    return _plain(f"{model_key}: {', '.join(_heading(model_key, alert) for alert in alerts)}", LONGEST_TITLE)


def text_of(model_key: str, alerts: Sequence[Alert]) -> str:
    """Return the text below the title, oldest first; what a few have in common is said once, at the end."""
    if len(alerts) > MOST_IN_FULL:
        return "\n".join(_lines(model_key, alerts))
    told = [_parts(alert) for alert in alerts]
    shared = {name: what for name, what in told[0].items() if all(parts.get(name) == what for parts in told)}
    if len(alerts) == 1:
        return _rendered(shared)
    paragraphs = [
        f"{_heading(model_key, alert).capitalize()}\n"
        + _rendered({name: what for name, what in parts.items() if name not in shared})
        for alert, parts in zip(alerts, told, strict=True)
    ]
    return "\n\n".join(part.strip() for part in (*paragraphs, _rendered(shared)) if part)


def _lines(model_key: str, alerts: Sequence[Alert]) -> list[str]:
    lines = [
        _plain(f"{_clock(alert.at)}{_heading(model_key, alert)}: {alert.message}", LONGEST_PART)
        for alert in alerts[:MOST_LINES]
    ]
    more = len(alerts) - len(lines)
    lines += [f"and {more} more"] if more else []
    see = next((alert.see for alert in reversed(alerts) if alert.see), "")
    return [*lines, *([f"More: {_plain(see, LONGEST_PART)}"] if see else [])]


def _heading(model_key: str, alert: Alert) -> str:
    return _plain(alert.title.removeprefix(f"{model_key}: "), LONGEST_TITLE)


def _parts(alert: Alert) -> dict[str, str]:
    parts = {
        "What happened": alert.message,
        "Numbers": "; ".join(alert.figures),
        "Done": alert.done,
        "To do": alert.todo,
        "When": f"{alert.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if alert.at else "",
        "More": alert.see,
    }
    return {name: _plain(what, LONGEST_PART) for name, what in parts.items() if what}


def _plain(text: str, longest: int) -> str:
    """Return one line of what can be printed: a reason that somebody typed must not make up a part of its own."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def _rendered(parts: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {what}" for name, what in parts.items())


def _clock(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, " if at else ""
