"""Would a CronJob accept this schedule, and does it ever come? Arithmetic is croniter's; this narrows what it takes.

croniter understands more than Kubernetes: ranges that wrap, weekday 7, `L` and `#`, a field of seconds. A schedule has
to mean the same everywhere, so what only croniter accepts is refused. The definition refuses most of it already.
"""

import re
import zoneinfo
from datetime import UTC, datetime

import croniter

MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_NAMES = {
    **{name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
    **{
        name: number
        for number, name in enumerate(
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
        )
    },
}
_RANGE = re.compile(r"([0-9]+|[A-Za-z]{3})-([0-9]+|[A-Za-z]{3})")
# A leap day on a set weekday comes once in 28 years, or 40 over a century's end.
_HORIZON_YEARS = 41


def cron_problem(expression: str) -> str | None:
    """Say what is wrong with `expression`, five fields or a macro; None when nothing is."""
    if expression in MACROS:
        return None
    fields = expression.split()
    if len(fields) != 5:
        return f"has {len(fields)} fields; five are needed: minute, hour, day of month, month, weekday"
    words = re.findall(r"[A-Za-z]+", expression)
    if re.search(r"[^-0-9A-Za-z*?/, ]", expression) or any(word.lower() not in _NAMES for word in words):
        return "only digits, names such as MON and JAN, and * ? , - / may stand in it"
    if re.search(r"(^|[-,])[7-9]", fields[4]):
        return "weekdays go from 0 (Sunday) to 6"
    for first, last in _RANGE.findall(expression):
        if _number(first) > _number(last):
            return f"the range {first}-{last} runs backwards; write two ranges with a comma between them"
    try:
        start = datetime(2024, 1, 1, tzinfo=UTC)
        croniter.croniter(expression, start, max_years_between_matches=_HORIZON_YEARS).get_next()
    except croniter.CroniterBadDateError:
        return "that date never comes"
    except (croniter.CroniterError, ValueError, KeyError) as error:
        return f"is not a schedule: {error}"
    return None


def zone_problem(name: str) -> str | None:
    """Say that no time zone has this name; None when one does."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f'no time zone is called "{name}"; use a name such as "Europe/Berlin" or "Etc/UTC"'
    return None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NAMES[text.lower()]
