"""The numbered steps that a start prints, with the time since it began. Standard library only, like `preflight`."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_HANDOVER = "AUTORETRAIN_STEPS"


class Steps:
    """Counts and times steps; a bootstrap hands its count to the process that it becomes."""

    def __init__(self, *, own: int) -> None:
        """`own` is how many steps this program makes; those handed over come before them."""
        count, _, started = os.environ.pop(_HANDOVER, "").partition(":")
        self.count = int(count) if count else 0
        self.total = self.count + own
        self.started = float(started) if started else time.time()

    def hand_over(self) -> None:
        """Let the program that this process is about to become go on counting."""
        os.environ[_HANDOVER] = f"{self.count}:{self.started}"

    @property
    def elapsed_seconds(self) -> float:
        return time.time() - self.started

    @contextmanager
    def step(self, title: str, *, talks: bool = False) -> Iterator[list[str]]:
        """Print the step when it begins and how it ended; what the body appends is shown behind "ok".

        `talks` says that the body prints lines of its own.
        """
        self.count += 1
        sys.stderr.write(f"[{self.count}/{self.total}] {title} ...{chr(10) if talks else ' '}")
        sys.stderr.flush()
        notes: list[str] = []
        try:
            yield notes
        except BaseException:
            sys.stderr.write("stopped\n")
            raise
        note = f": {'; '.join(notes)}" if notes else ""
        sys.stderr.write(f"{'      ' if talks else ''}ok{note} ({self.elapsed_seconds:.0f} s)\n")
        sys.stderr.flush()
