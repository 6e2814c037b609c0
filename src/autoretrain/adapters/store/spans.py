"""Minutes, hours and days of UTC, in which messages are counted."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Span = Literal["minute", "hour", "day"]

LENGTHS: Final[Mapping[Span, timedelta]] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def spans_of(span: Span, *, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield begin and end of each span, from the one that `since` is in to the one that `until` is in.

    >>> noon = datetime(2026, 3, 1, 12, 59, tzinfo=UTC)
    >>> [f"{begin:%H:%M} to {end:%H:%M}" for begin, end in spans_of("hour", since=noon, until=noon + LENGTHS["minute"])]
    ['12:00 to 13:00', '13:00 to 14:00']
    """
    length = LENGTHS[span]
    begin = since.astimezone(UTC) - (since - _EPOCH) % length
    while begin <= until:
        yield begin, begin + length
        begin += length
