"""Whether somebody stands, walks or runs, told from how their box moves."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from personvlm.video.path import Box

_SPAN = 2.0
_LEAST_SPAN, _LEAST_BOXES = 1.0, 6
_STANDS, _WALKS, _RUNS = 0.05, 0.12, 1.6
"""Body heights per second below which somebody stands, above which they walk, and above which they run. Somebody who
comes straight on at 0.7 m/s, 12 m away, grows and sinks by 0.08 to 0.13 of it; 1.6 are some 2.7 m/s across."""

_SLACK, _RUN_SLACK = 0.02, 0.35
"""How well these are known: standard deviations, beside what the boxes' own trembling leaves open."""

_UPRIGHT = 2.0
_SURE = 0.9


class Gait:
    """The last two seconds of one track."""

    def __init__(self) -> None:
        self._boxes: deque[tuple[float, Box]] = deque(maxlen=128)

    def add(self, time: float, box: Box, size: tuple[int, ...]) -> None:
        """Take a later box, of a frame of ``size`` (height, width). One that the frame cuts moves as the frame wants,
        and is left out."""
        height, width = size[:2]
        if box[0] > 2 and box[1] > 2 and box[2] < width - 2 and box[3] < height - 2:
            self._boxes.append((time, box))
        while self._boxes and time - self._boxes[0][0] > _SPAN:
            self._boxes.popleft()

    def posture(self) -> dict[str, float] | None:
        """Probabilities of ``standing``, ``walking`` and ``running``; None where too little was seen, or where somebody
        does not move and is no upright box: sitting and squatting do not tell themselves from standing by motion.

        A speed between standing and walking is either, and none of them is sure.
        """
        if len(self._boxes) < _LEAST_BOXES or self._boxes[-1][0] - self._boxes[0][0] < _LEAST_SPAN:
            return None
        times = np.array([time for time, _ in self._boxes])
        boxes = np.stack([box for _, box in self._boxes]).astype(np.float64)
        tall = np.maximum(1.0, boxes[:, 3] - boxes[:, 1])
        body = float(np.median(tall))
        # Feet, and how tall somebody looks: the first tell ways across, the last ways straight on.
        tracks = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], tall]) / body
        centered = times - times.mean()
        spread = float((centered**2).sum())
        slopes = centered @ tracks / spread
        rest = tracks - tracks.mean(0) - centered[:, None] * slopes
        trembling = float(np.sqrt((rest**2).sum() / 3 / max(1, len(times) - 2) / spread))
        speed = float(np.linalg.norm(slopes))
        error = math.hypot(_SLACK, trembling)
        standing = 1 - _normal((speed - _STANDS) / error)
        running = _normal((speed - _RUNS) / math.hypot(_RUN_SLACK, trembling))
        moving = _normal((speed - _WALKS) / error)
        if standing > moving and float(np.median(tall / np.maximum(1.0, boxes[:, 2] - boxes[:, 0]))) < _UPRIGHT:
            return None
        found = {"standing": standing, "walking": moving * (1 - running), "running": moving * running}
        total = max(1.0, sum(found.values()))
        open_ = 1 - sum(found.values()) / total
        # Motion is not all there is to a posture: a bicycle moves as well.
        return {name: _SURE * (value / total + open_ / 3) + (1 - _SURE) / 3 for name, value in found.items()}


def _normal(value: float) -> float:
    """Probability that a standard normal variable is below ``value``."""
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))
