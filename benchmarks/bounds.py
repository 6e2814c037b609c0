"""What has to hold, what is aimed at, and was it reached? And how sure is a share that was counted?"""

from dataclasses import dataclass, field

from scipy.stats import binomtest


@dataclass(slots=True)
class Bounds:
    """Collects the bounds of a benchmark. A missed must makes the exit code 1, a missed aim is said."""

    _lines: list[str] = field(default_factory=list)
    _failed: bool = False

    def must(self, what: str, figure: str, *, met: bool) -> None:
        self._add("must", what, figure, met=met)
        self._failed |= not met

    def aim(self, what: str, figure: str, *, met: bool) -> None:
        self._add("aim", what, figure, met=met)

    def report(self) -> int:
        """Print them all; return the exit code."""
        print(f"\n{'bound':6}{'':64}{'measured':28}")
        for line in self._lines:
            print(line)
        return int(self._failed)

    def _add(self, kind: str, what: str, figure: str, *, met: bool) -> None:
        self._lines.append(f"{kind:6}{what:64}{figure:28}{'met' if met else 'MISSED'}")


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, two-sided."""
    exact = binomtest(hits, n).proportion_ci(method="exact")
    return float(exact.low), float(exact.high)
