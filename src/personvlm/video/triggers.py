"""When somebody is worth describing: at first sight, when there is something new to see, and when they have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from personvlm.schema import Track, event_id
from personvlm.schema.events import Trigger
from personvlm.video.crops import Crop, Pool, difference, judge, take
from personvlm.video.frame import Frame
from personvlm.video.gait import Gait
from personvlm.video.tracking import FIRST_SEEN, Tracked

Kind = Literal["new", "update", "end", "reid"]

_AFTER = 0.001
"""Seconds by which an end is told after the last sight of a person, should that have been told itself."""


@dataclass(frozen=True)
class Timing:
    """When a track is described. Times are seconds of the camera's clock.

    Attributes:
        good: score of a crop that is worth describing at once.
        deadline: after first sight, whatever the crops are like.
        fleeting: whoever was seen for less than this before leaving is not described at all.
        every: between two updates, at least.
        novel: difference of a crop from all described ones (:func:`personvlm.video.crops.difference`) that makes it
            new evidence.
        better: factor by which a crop's score must beat the best described one to be new evidence.
        keep: crops kept of one track.
    """

    good: float = 0.45
    deadline: float = 1.5
    fleeting: float = 0.5
    every: float = 10.0
    novel: float = 0.06
    better: float = 1.4
    keep: int = 5


@dataclass(frozen=True)
class Occasion:
    """A reason to describe somebody.

    Attributes:
        kind: ``new`` comes first, ``end`` last; an ``end`` may come without a ``new`` before it. ``reid`` is somebody's
            question who else this is, and may come after the end.
        track: who, since when, until when.
        time: of the frame that gave the occasion (of an ``end``: when the person was last seen).
        crops: the evidence so far, the best first.
        event_id: the same occasion always has the same.
        posture: probabilities of postures, told from the way the person moves, or None.
    """

    kind: Kind
    track: Track
    time: float
    crops: tuple[Crop, ...] = field(repr=False)
    event_id: str
    posture: Mapping[str, float] | None = field(default=None, repr=False)


@dataclass
class _Story:
    first: float
    pool: Pool
    told: float | None = None  # time of the last occasion
    described: list[Crop] = field(default_factory=list)
    gait: Gait = field(default_factory=Gait)


class Triggers:
    """The occasions of one camera.

    Attributes:
        fleeting: people who were seen so shortly that they were not described.

    Args:
        camera: its name.
        timing: see :class:`Timing`.
    """

    def __init__(self, camera: str, timing: Timing | None = None) -> None:
        self.camera, self.timing = camera, timing or Timing()
        self.fleeting = 0
        self._stories: dict[int, _Story] = {}

    def see(self, frame: Frame, tracked: Tracked) -> list[Occasion]:
        """Look at one frame's people; returns what is to be described, those who left included."""
        occasions = []
        people = tracked.people
        ids: Sequence[int] = [] if people.tracker_id is None else people.tracker_id.tolist()
        boxes = np.asarray(people.xyxy, np.float32)
        for index, track_id in enumerate(ids):
            story = self._stories.get(track_id)
            if story is None:
                first = float(people.data[FIRST_SEEN][index])
                story = self._stories[track_id] = _Story(first, Pool(self.timing.keep))
            story.gait.add(frame.time, boxes[index], frame.image.shape)
            score = judge(frame.image, boxes, index).score
            if story.pool.wants(frame.time, score):
                story.pool.add(take(frame.image, boxes, index, frame.time, score))
            kind = self._due(story, frame.time)
            if kind is not None:
                track = Track(camera=self.camera, track_id=track_id, first_seen=story.first, last_seen=frame.time)
                occasions.append(self._tell(kind, track, story, frame.time))
        return occasions + self.end(tracked.ended)

    def end(self, tracks: Sequence[Track]) -> list[Occasion]:
        """The last occasion of everybody who has left."""
        occasions = []
        for track in tracks:
            story = self._stories.pop(track.track_id, None)
            if story is None:
                continue
            if story.told is None and track.last_seen - track.first_seen < self.timing.fleeting:
                self.fleeting += 1
                continue
            # Two occasions at one time would be one event.
            time = track.last_seen + (_AFTER if story.told == track.last_seen else 0.0)
            occasions.append(self._tell("end", track, story, time))
        return occasions

    def _due(self, story: _Story, now: float) -> Kind | None:
        best = story.pool.best
        if best is None:
            return None
        if story.told is None:
            ready = best.score >= self.timing.good or now - story.first >= self.timing.deadline
            return "new" if ready else None
        if now - story.told < self.timing.every:
            return None
        return "update" if any(self._is_news(crop, story) for crop in story.pool.crops) else None

    def _is_news(self, crop: Crop, story: _Story) -> bool:
        if any(crop is old for old in story.described):
            return False
        best = max(old.score for old in story.described)
        # A worse picture is no evidence, however different it is.
        different = min(difference(crop, old) for old in story.described) >= self.timing.novel
        return crop.score >= self.timing.better * best or (different and crop.score >= 0.7 * best)

    def _tell(self, kind: Kind, track: Track, story: _Story, time: float) -> Occasion:
        crops = tuple(sorted(story.pool.crops, key=lambda crop: -crop.score))
        story.told = time
        story.described = [*crops, *story.described][: 2 * self.timing.keep]
        trigger: Trigger = "new_track" if kind == "new" else "track_update"
        event = event_id(self.camera, track.track_id, trigger, time)
        return Occasion(kind, track, time, crops, event, story.gait.posture())
