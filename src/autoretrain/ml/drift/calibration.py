"""What does a metric say when nothing has drifted? Its noise floor by size, and the calibrated score above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.15
"""The score at the noise floor's upper quantile; the default of `spec.triggers.drift.threshold`."""

FALSE_ALARMS = 0.005
"""Share of undrifted windows in which any metric at all may reach THRESHOLD."""

_TAIL = 0.02


@dataclass(frozen=True, slots=True)
class Floor:
    """One metric's median and upper quantile over undrifted windows, at ascending `sizes` of messages."""

    sizes: tuple[int, ...]
    medians: tuple[float, ...]
    uppers: tuple[float, ...]

    def at(self, size: float) -> tuple[float, float]:
        """Median and upper quantile at `size`, interpolated over 1/sqrt(size), in which sampling noise is linear.

        Outside the sizes the nearest one's are taken.
        """
        scale = [-(size**-0.5) for size in self.sizes]
        place = -(size**-0.5)
        return float(np.interp(place, scale, self.medians)), float(np.interp(place, scale, self.uppers))

    def as_json(self) -> list[list[float]]:
        return [list(row) for row in zip(self.sizes, self.medians, self.uppers, strict=True)]

    @classmethod
    def from_json(cls, rows: Sequence[Sequence[Any]]) -> "Floor":
        return cls(
            tuple(int(row[0]) for row in rows),
            tuple(float(row[1]) for row in rows),
            tuple(float(row[2]) for row in rows),
        )


def calibrated(raw: float, *, median: float, upper: float, largest: float) -> float:
    """The score in [0, 1]: 0 up to the median, THRESHOLD at `upper`, 1 at `largest`, straight lines between.

    >>> [round(calibrated(x, median=0.2, upper=0.4, largest=0.9), 3) for x in (0.1, 0.3, 0.4, 0.9)]
    [0.0, 0.075, 0.15, 1.0]
    """
    if raw <= upper:
        return THRESHOLD * max(0.0, raw - median) / (upper - median)
    return min(1.0, THRESHOLD + (1.0 - THRESHOLD) * (raw - upper) / max(largest - upper, 1e-9))


def floors_of(samples: Mapping[int, Mapping[str, NDArray[np.float64]]], *, metrics: int) -> dict[str, Floor]:
    """The floor of each metric from its undrifted values at each size; `metrics` is how many share FALSE_ALARMS.

    Each metric counts twice: alone, and accumulated over windows.
    """
    sizes = tuple(sorted(samples))
    names = samples[sizes[0]] if sizes else {}
    rare = FALSE_ALARMS / (2 * metrics)
    floors = {}
    for name in names:
        pairs = [_median_and_upper(samples[size][name], rare=rare, size=size) for size in sizes]
        floors[name] = Floor(sizes, tuple(m for m, _ in pairs), tuple(q for _, q in pairs))
    return floors


def _median_and_upper(values: NDArray[np.float64], *, rare: float, size: int) -> tuple[float, float]:
    """The quantile 1 - `rare` lies beyond what resampling can count, so an exponential tail over the top 2 % gives it.

    For tails lighter than that, as sums of many messages have, this errs towards fewer alarms. Half a message's worth
    is the least that counts: where all resamplings agree, one odd message must not be drift.
    """
    median = float(np.median(values))
    start = float(np.quantile(values, 1.0 - _TAIL))
    beyond = values[values > start] - start
    upper = start + (float(beyond.mean()) if len(beyond) else 0.0) * float(np.log(_TAIL / rare))
    # Rounded, so that the artefact's bytes do not hang on the last bits of a matrix product.
    return round(median, 6), round(max(upper, median + 0.5 / size), 6)
