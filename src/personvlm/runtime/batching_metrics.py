"""What a batch engine counts, as plain numbers: a snapshot that any monitoring can be filled from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)
"""Upper bounds of a histogram's buckets in milliseconds; one more bucket holds what is above."""

OUTCOMES = ("answered", "failed", "refused", "shed", "timed_out", "cancelled", "abandoned")
"""How a request can end. Their sum, what waits and what runs is what was submitted: nothing is lost in silence."""


@dataclass
class Histogram:
    """Times in milliseconds: how many, their sum, the longest, and how many fell into each bucket of
    :data:`BOUNDS_MS`."""

    count: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))

    def add(self, ms: float) -> None:
        """Count one more."""
        self.count += 1
        self.total_ms += ms
        self.longest_ms = max(self.longest_ms, ms)
        self.buckets[bisect_left(BOUNDS_MS, ms)] += 1

    @property
    def mean_ms(self) -> float:
        """0 before the first."""
        return self.total_ms / self.count if self.count else 0.0

    def copy(self) -> Histogram:
        """One that no longer changes."""
        return Histogram(self.count, self.total_ms, self.longest_ms, list(self.buckets))


@dataclass(frozen=True)
class Timing:
    """A request that was worked on, answered or not. Times are of ``time.perf_counter``."""

    submitted: float
    started: float
    ended: float
    batch: int


@dataclass(frozen=True)
class Snapshot:
    """A batch engine at one moment.

    Attributes:
        queued: requests that wait, by the name of their priority.
        oldest_ms: how long the oldest of them has waited.
        running: requests inside a batch.
        submitted: all requests ever, those refused included.
        ended: outcome (:data:`OUTCOMES`) -> requests; ``late`` answers, which came after their timeout and were
            dropped, are counted in ``late`` and not here a second time.
        late: see ``ended``.
        batch_sizes: size -> batches that left with it.
        stages: stage -> times. ``queue``: from submitting to leaving in a batch, one per request. ``batch``: one per
            call of the work, which is called more than once for a batch that holds something bad. Further stages are
            the work's own.
    """

    queued: Mapping[str, int]
    oldest_ms: float
    running: int
    submitted: int
    ended: Mapping[str, int]
    late: int
    batch_sizes: Mapping[int, int]
    stages: Mapping[str, Histogram]

    @property
    def mean_batch(self) -> float:
        """Mean size of the batches; 0 before the first."""
        batches = sum(self.batch_sizes.values())
        return sum(size * count for size, count in self.batch_sizes.items()) / batches if batches else 0.0
