"""How often to look where there is more to do than time."""

from __future__ import annotations

import math

FEWEST = 4.0
"""Detections per second that a tracker needs to follow people who walk."""

_WINDOW = 2.0
_MANY, _FEW = 0.2, 0.02
_CALM, _MOST_CALM = 3, 24


class Load:
    """Raises the distance between two detections while frames are lost, and lowers it again when none are.

    It tells by the gaps in the numbers of the frames. In a window of two seconds more than a fifth of them lost is too
    many; after three windows with next to none it tries again how it goes, and when that was too early it waits twice
    as long the next time. The first window counts nothing: everything is loaded then.

    Attributes:
        every: detect in every how many frames, now.
        raised: how often that became more.

    Args:
        every: what it never falls below.
        rate: frames per second, 0 where unknown.
    """

    def __init__(self, every: int, rate: float) -> None:
        self.every = self._least = every
        self.raised = 0
        self._most = max(every, round(rate / FEWEST)) if rate > 0 else 2 * every
        self._start: float | None = None
        self._last = self._taken = self._lost = 0
        self._quiet, self._calm, self._since = 0, _CALM, _CALM
        self._warm = False

    @property
    def strained(self) -> bool:
        """Whether people are detected less often than they should be."""
        return self.every > self._least

    def take(self, index: int, time: float) -> None:
        """Note that frame ``index``, taken at ``time`` (seconds), is there; those between it and the last are lost."""
        if self._start is None:
            self._start, self._last = time, index
            return
        self._taken += 1
        self._lost += max(0, index - self._last - 1)
        self._last = index
        if time - self._start >= _WINDOW:
            self._judge(self._lost / (self._lost + self._taken))
            self._start, self._taken, self._lost = time, 0, 0

    def _judge(self, lost: float) -> None:
        self._since += 1
        if not self._warm:
            self._warm = True
        elif lost > _MANY:
            if self._since <= _CALM:  # it was lowered just now
                self._calm = min(_MOST_CALM, 2 * self._calm)
            self._quiet, self._since = 0, _CALM
            if self.every < self._most:
                self.every = min(self._most, math.ceil(1.5 * self.every))
                self.raised += 1
        elif lost > _FEW:
            self._quiet = 0
        else:
            self._quiet += 1
            if self._quiet >= self._calm and self.strained:
                self.every = max(self._least, math.floor(self.every / 1.5))
                self._quiet = self._since = 0
            elif self._quiet >= self._calm:
                self._calm = _CALM
