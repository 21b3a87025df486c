"""Detectors: frames in, people out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.video.frame import Frame

Floats = NDArray[np.float32]


class Detector(Protocol):
    """Finds people."""

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """People in every frame, those that are barely likely too: trackers know what to do with them.

        Args:
            frames: of one or several cameras; those of one camera in order of time.

        Returns:
            One per frame: ``xyxy`` ``float32 [N, 4]`` in pixels inside the frame, ``confidence`` ``float32 [N]``,
            ``class_id`` all 0.

        Raises:
            InputError: the detector cannot work on such frames.
        """


def detections(boxes: Floats, confidence: Floats, size: tuple[int, int]) -> sv.Detections:
    """Boxes ``[N, 4]`` cut to ``size`` (height, width); those of which less than a pixel is left are dropped."""
    height, width = size
    boxes = np.clip(boxes.reshape(-1, 4), 0, (width, height, width, height)).astype(np.float32)
    keep = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    return sv.Detections(xyxy=boxes[keep], confidence=confidence.reshape(-1)[keep].astype(np.float32),
                         class_id=np.zeros(int(keep.sum()), int))  # fmt: skip


class GivenDetector:
    """Takes the boxes that come with the frames."""

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """See :class:`Detector`."""
        found = []
        for frame in frames:
            if frame.given is None:
                raise InputError(f"{frame.camera}: no boxes come with this source; take another detector than `given`")
            boxes = np.array([item.box for item in frame.given], np.float32)
            confidence = np.array([item.confidence for item in frame.given], np.float32)
            found.append(detections(boxes, confidence, frame.image.shape[:2]))
        return found


class MotionDetector:
    """Takes for a person whatever moves and is shaped like one. Needs no weights, and a camera that stands still.

    People who stand still for long become part of the background, and people who walk together become one. Use it
    where there is nothing better. The background model is OpenCV's MOG2 (Zivkovic 2004), one per camera.

    Args:
        smallest: height of the smallest person, as a share of the frame's.
    """

    WIDTH = 480
    """Frames are made this wide at most; more detail only adds noise."""

    def __init__(self, smallest: float = 0.08) -> None:
        self._smallest = smallest
        self._models: dict[str, tuple[tuple[int, int], cv2.BackgroundSubtractorMOG2]] = {}

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """See :class:`Detector`. The confidence is the share of the box that moves, from 0.5 on."""
        return [self._detect(frame) for frame in frames]

    def _detect(self, frame: Frame) -> sv.Detections:
        height, width = frame.image.shape[:2]
        scale = min(1.0, self.WIDTH / width)
        small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shape = small.shape[:2]
        known = self._models.get(frame.camera)
        if known is None or known[0] != shape:
            known = (shape, cv2.createBackgroundSubtractorMOG2(history=300, varThreshold=25, detectShadows=True))
            self._models[frame.camera] = known
        moving = known[1].apply(small)
        mask = np.where(moving == 255, 255, 0).astype(np.uint8)  # shadows are 127
        cleaned = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        # Taller than wide: it joins head, body and legs of one person rather than two people side by side.
        reach = max(3, round(0.06 * shape[0]))
        joined = cv2.morphologyEx(cleaned, cv2.MORPH_CLOSE, np.ones((reach, max(3, reach // 3)), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8))
        boxes, confidence = [], []
        for x, y, w, h, area in stats[1:]:
            filled = area / (w * h)
            everything = w > 0.9 * shape[1] and h > 0.9 * shape[0]  # the light was switched, the camera was pushed
            if h >= self._smallest * shape[0] and 0.9 <= h / w <= 6.0 and filled >= 0.3 and not everything:
                boxes.append((x, y, x + w, y + h))
                confidence.append(0.5 + 0.5 * filled)
        return detections(np.array(boxes, np.float32) / scale, np.array(confidence, np.float32), (height, width))
