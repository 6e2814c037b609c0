"""When do people want to be left alone? Quiet hours, as `22:00-07:00 Europe/Berlin`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from autoretrain.domain.errors import AutoRetrainError

_WRITTEN: Final = re.compile(r"([0-2]\d:[0-5]\d)-([0-2]\d:[0-5]\d)(?: (\S+))?")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Daily from `start` to `end`, the end excluded, by the clock of `zone`; over midnight where it starts later."""

    start: time
    end: time
    zone: tzinfo

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Return what `text` says; without a zone it is UTC. Raises AutoRetrainError."""
        written = _WRITTEN.fullmatch(text.strip())
        try:
            if written is None:
                raise ValueError
            start, end = (time.fromisoformat(part) for part in written.group(1, 2))
            zone = ZoneInfo(written[3]) if written[3] else UTC
        except (ValueError, KeyError, OSError):  # what is no hour, and what is no time zone
            # Not shown: it may be an address that was written into the wrong entry.
            raise AutoRetrainError("they are not written as 22:00-07:00 Europe/Berlin") from None
        if start == end:
            raise AutoRetrainError("they begin and end at once")
        return cls(start, end, zone)

    def cover(self, moment: datetime) -> bool:
        clock = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end
