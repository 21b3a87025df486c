"""Where somebody is heading, told from boxes that pillars and other people nibble at."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.float32]
"""``[4]``: x1, y1, x2, y2."""


class Path:
    """Where somebody was and is heading, told from boxes that show the whole width of the body.

    A box shrinks when its person disappears behind a pillar. Its center then slows down and its edge stands still,
    which misleads any filter that believes it.
    """

    _SPAN = 1.5
    _WHOLE = 0.8

    def __init__(self) -> None:
        self._whole: deque[tuple[float, Box]] = deque(maxlen=64)

    def add(self, time: float, box: Box) -> None:
        """Take a later box."""
        # What is too old first: somebody who turned, and is narrower now for good, is no longer on the old way.
        while self._whole and time - self._whole[0][0] > self._SPAN:
            self._whole.popleft()
        if self._whole and _shape(box) < self._WHOLE * float(np.median([_shape(old) for _, old in self._whole])):
            return
        self._whole.append((time, box))

    def expect(self, time: float) -> Box:
        """The whole box at ``time``, along a straight line and at the size that was seen last."""
        at, last = self._whole[-1]
        return self.moved(last, time - at)

    def moved(self, box: Box, seconds: float) -> Box:
        """``box`` after ``seconds`` more on this way; where it leads is told once it is 0.2 s long."""
        times = np.array([at for at, _ in self._whole])
        if len(times) < 3 or times[-1] - times[0] < 0.2:
            return np.asarray(box, np.float32)
        boxes = np.stack([whole for _, whole in self._whole])
        slope = np.polyfit(times - times[-1], (boxes[:, :2] + boxes[:, 2:]) / 2, 1)[0] * seconds
        return np.asarray(box + np.concatenate([slope, slope]), np.float32)

    def off(self, box: Box, time: float) -> float:
        """How far ``box`` reaches out of the expected one, and how different its feet and its height are; in heights.

        A box that lies inside the expected one fits: somebody who comes out from behind a pillar comes in parts.
        """
        expected = self.expect(time)
        height = float(expected[3] - expected[1])
        aside = max(0.0, float(expected[0] - box[0])) + max(0.0, float(box[2] - expected[2]))
        if box[0] > expected[2] or box[2] < expected[0]:
            aside = max(aside, float(box[0] - expected[2]), float(expected[0] - box[2]))
        feet, tall = abs(float(box[3] - expected[3])), abs(float(box[3] - box[1]) - height)
        return (aside + 0.5 * feet + 0.5 * tall) / max(1.0, height)

    def is_part(self, box: Box, time: float) -> bool:
        """Whether ``box`` is much narrower than the expected one."""
        expected = self.expect(time)
        return bool(box[2] - box[0] < self._WHOLE * (expected[2] - expected[0]))

    def stays(self, time: float, size: tuple[int, ...]) -> bool:
        """Whether the middle of the expected box is inside a frame of ``size`` (height, width) at ``time``: somebody
        who walked out of it is not hidden behind a pillar.
        """
        x1, y1, x2, y2 = (float(value) for value in self.expect(time))
        return 0 <= (x1 + x2) / 2 <= size[1] and 0 <= (y1 + y2) / 2 <= size[0]


def _shape(box: Box) -> float:
    return float(box[2] - box[0]) / max(1.0, float(box[3] - box[1]))
