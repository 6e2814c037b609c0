"""What do serving's own counters say of one version? The figures, and what of a latency somebody can feel."""

from dataclasses import dataclass
from typing import Final

FELT_SECONDS: Final = 0.025
"""Below this nobody feels a latency: 0.4 ms against 0.2 ms is a fresh cache or a busy machine, not a slow model."""
LEAST_REQUESTS: Final = 100
"""Of fewer requests a p95 is five of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """Counters of one served version; `p95_seconds` is None below LEAST_REQUESTS answered requests."""

    requests: float
    errors: float
    p95_seconds: float | None

    @property
    def felt_seconds(self) -> float | None:
        """The p95, or FELT_SECONDS where it is less than that."""
        return None if self.p95_seconds is None else max(self.p95_seconds, FELT_SECONDS)


def latency_ratio(now: LiveFigures | None, before: LiveFigures | None) -> float | None:
    """Return how the felt p95 of a version stands to that of the one before it; None where one is not known."""
    if now is None or before is None or now.felt_seconds is None or before.felt_seconds is None:
        return None
    return now.felt_seconds / before.felt_seconds
