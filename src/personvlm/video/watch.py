"""One camera from frames to occasions: when to detect, whom to follow, what to have described."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import supervision as sv

from personvlm.video.frame import Frame, Report
from personvlm.video.load import Load
from personvlm.video.tracking import Embed, Tracked, Tracker, Tracking
from personvlm.video.triggers import Occasion, Timing, Triggers

_log = logging.getLogger(__name__)

DETECTIONS_PER_SECOND = 10.0
"""More hardly helps a tracker, and costs as much again."""


@dataclass(frozen=True)
class Watched:
    """What one frame led to.

    Attributes:
        people: tracks that were detected last: in this frame if it was looked at, else where they should be by now on
            the way that they have taken.
        occasions: what is to be described.
        looked: whether people were detected in this frame.
    """

    people: sv.Detections
    occasions: list[Occasion]
    looked: bool = True


class CameraWatch:
    """Watches one camera. Not for several threads.

    Attributes:
        camera: its name.
        load: how often people are detected; see :class:`personvlm.video.load.Load`.
        triggers: see :class:`personvlm.video.triggers.Triggers`.
        tracks: people who were followed so far.

    Args:
        camera: its name.
        rate: frames per second, 0 where unknown.
        every: detect in every how many frames; by default so that there are about ten detections per second.
        tracking, timing: see there.
        embed: appearance of crops; None tracks by motion alone.
        adapt: detect less often while frames are lost, as a live camera loses them where time is short.
        report: told when the picture changes its size.
    """

    def __init__(self, camera: str, rate: float, *, every: int | None = None, tracking: Tracking | None = None,
                 timing: Timing | None = None, embed: Embed | None = None, adapt: bool = False,
                 report: Report = _log.warning) -> None:  # fmt: skip
        self.camera = camera
        self.load = Load(every or max(1, round(rate / DETECTIONS_PER_SECOND)), rate)
        self._adapt = adapt
        self.triggers = Triggers(camera, timing)
        self._tracker = Tracker(camera, (rate or DETECTIONS_PER_SECOND) / self.every, tracking, embed)
        self._report = report
        self._looked: int | None = None
        self._size: tuple[int, ...] | None = None
        self._people = sv.Detections.empty()

    @property
    def every(self) -> int:
        """People are detected in every how many frames, now."""
        return self.load.every

    @property
    def tracks(self) -> int:
        """People who were followed so far."""
        return self._tracker.count

    def due(self, frame: Frame) -> bool:
        """Whether people are to be detected in ``frame``, the next one.

        Frames that were dropped before it count as well: where time is short, every frame that is left is looked at.
        """
        return self._looked is None or not 0 <= frame.index - self._looked < self.every

    def step(self, frame: Frame, detections: sv.Detections | None) -> Watched:
        """Take the next frame; ``detections`` is None where it was not looked at."""
        size, occasions = frame.image.shape[:2], []
        if self._size is not None and size != self._size:
            before, now = ("x".join(map(str, each[::-1])) for each in (self._size, size))
            self._report(f"{self.camera}: the picture changed from {before} to {now}; whoever is in it counts as new")
            occasions = self.finish()
        self._size = size
        if self._adapt:
            self.load.take(frame.index, frame.time)
        if detections is not None:
            self._looked = frame.index
            tracked: Tracked = self._tracker.update(frame, detections)
            occasions += self.triggers.see(frame, tracked)
            self._people = tracked.people
            return Watched(self._people, occasions)
        people = _visible(self._tracker.expect(self._people, frame.time), size)
        return Watched(people, occasions, looked=False)

    def finish(self) -> list[Occasion]:
        """The occasions of everybody who is left when the camera ends."""
        self._people = sv.Detections.empty()
        return self.triggers.end(self._tracker.finish())


def _visible(people: sv.Detections, size: tuple[int, ...]) -> sv.Detections:
    """``people`` cut to a frame of ``size`` (height, width); those of whom less than a pixel is left are gone."""
    boxes = np.clip(people.xyxy, 0, np.array((size[1], size[0]) * 2, np.float32))
    visible = replace(people, xyxy=boxes)[(boxes[:, 2:] - boxes[:, :2] >= 1).all(1)]
    assert isinstance(visible, sv.Detections)
    return visible
