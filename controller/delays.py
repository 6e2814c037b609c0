"""Which resource is due, and when? A bounded, de-duplicating delay queue with one pass a key at a time.

A key is in it once: of several deadlines the earliest wins. A key that is being worked on and is woken meanwhile is
worked on again afterwards. The clock and the waiting are the caller's, so that tests need neither.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
SPARE: Final = 64


class QueueFull(Exception):  # noqa: N818 - named for the state it reports
    """There are more keys than the queue is meant for."""


@dataclass(slots=True)
class DelayQueue(Generic[K]):
    """Keys with deadlines, in seconds on any one clock."""

    capacity: int
    _due: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _active: set[K] = field(default_factory=set)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._due)

    def due_count(self, now: float) -> int:
        """Return how many keys are due and wait for a worker."""
        return sum(1 for key, due in self._due.items() if due <= now and key not in self._active)

    def add(self, key: K, *, due: float) -> None:
        """Let `key` be due at `due`, or earlier where it already is. Raises QueueFull."""
        known = self._due.get(key)
        if known is not None and known <= due:
            return
        if known is None and len(self._due) >= self.capacity:
            raise QueueFull(f"{self.capacity} resources are queued already")
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 2 * len(self._due) + SPARE:
            # An entry whose key has an earlier deadline now would stay until its own has passed, which may be hours.
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def take(self, now: float) -> K | None:
        """Return a key that is due and not worked on, which is then being worked on; None where there is none."""
        busy: list[tuple[float, int, K]] = []
        taken = None
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            due, _, key = entry
            if self._due.get(key) != due:
                continue  # An earlier deadline took its place, or the key was dropped.
            if key in self._active:
                busy.append(entry)
                continue
            del self._due[key]
            self._active.add(key)
            taken = key
            break
        for entry in busy:
            heapq.heappush(self._heap, entry)
        return taken

    def done(self, key: K) -> None:
        """End the work on `key`; what was added meanwhile is due from now on."""
        self._active.discard(key)

    def drop(self, key: K) -> None:
        """Forget the key's deadline."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest deadline of a key that is not being worked on; None where there is none."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        if self._heap[0][2] not in self._active:
            return self._heap[0][0]
        return min((due for key, due in self._due.items() if key not in self._active), default=None)
