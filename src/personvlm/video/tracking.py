"""From detections to tracks: a tracker of the `trackers` library per camera, and people found again after occlusion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import supervision as sv
import trackers
from numpy.typing import NDArray

from personvlm.schema import Track
from personvlm.video.frame import Frame
from personvlm.video.path import Box, Path

Images = list[NDArray[np.uint8]]
Embed = Callable[[Images], NDArray[np.float32]]
"""Crops, RGB ``uint8 [H, W, 3]``, to L2-normalised appearance vectors ``[N, E]``."""


@dataclass(frozen=True)
class Tracking:
    """How one camera's people are followed.

    Attributes:
        name: ByteTrack (Zhang et al. 2022), OC-SORT (Cao et al. 2023) or BoT-SORT (Aharon et al. 2022).
        sure: confidence from which a detection may begin a track. Less likely ones only continue tracks, and for no
            longer than ``patience``.
        settle: detections until somebody new counts, at least 2. Somebody who is found again counts at once.
        coast: seconds that a track which is not detected is followed by its motion alone.
        patience: seconds after which somebody who is not detected has left. Until then they may be found again.
        alike: cosine similarity of appearance from which a new track continues one that was lost, wherever within
            reach it begins. With the shipped model the same person some seconds later is above it three times in
            four, and of different people one pair in a hundred.
        akin: the same for a track that begins where the lost one was heading, while that can be told (``coast``).
    """

    name: Literal["bytetrack", "ocsort", "botsort"] = "bytetrack"
    sure: float = 0.6
    settle: int = 3
    coast: float = 2.0
    patience: float = 5.0
    alike: float = 0.63
    akin: float = 0.28


FIRST_SEEN = "first_seen"
"""Key of ``Tracked.people.data``: when each person was seen first, ``float [N]``."""

_OFF, _DRIFT = 0.3, 0.35
"""Body heights, and more of them per second out of sight, that somebody may be off the expected way."""


class _Library(Protocol):
    def update(self, detections: sv.Detections, *, timestamp: float | None = None) -> sv.Detections: ...


@dataclass
class _Followed:
    track_id: int
    source: int  # the library's own number
    first: float
    last: float
    sure: float
    box: Box
    path: Path = field(default_factory=Path)
    crop: NDArray[np.uint8] | None = None
    looks: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Tracked:
    """The people of one frame.

    Attributes:
        people: tracks that are detected in this frame; ``tracker_id`` counts from 1 in every camera, and
            ``data["first_seen"]`` says since when.
        ended: tracks whose people have left, each reported once.
    """

    people: sv.Detections
    ended: tuple[Track, ...]


class Tracker:
    """Follows the people of one camera.

    Example:
        >>> tracker = Tracker("gate", rate=10)
        >>> frame = Frame("gate", 0, 0.0, np.zeros((48, 64, 3), np.uint8))
        >>> len(tracker.update(frame, sv.Detections.empty()).people)
        0

    Attributes:
        count: people so far, which is the number of the latest.

    Args:
        camera: its name.
        rate: detections per second that are to be expected.
        settings: see :class:`Tracking`.
        embed: appearance of crops. Without it nobody is found again by their looks.
    """

    def __init__(self, camera: str, rate: float, settings: Tracking | None = None, embed: Embed | None = None) -> None:
        self.camera, self.settings = camera, settings or Tracking()
        self._embed, self._rate = embed, rate
        self._library = _library(self.settings, rate)
        self._of_source: dict[int, _Followed] = {}
        self._alive: dict[int, _Followed] = {}
        self._new: dict[int, tuple[float, int]] = {}
        self.count = 0

    def update(self, frame: Frame, detections: sv.Detections) -> Tracked:
        """Take the detections of a frame that is later than the one before."""
        found = self._library.update(detections, timestamp=frame.time)
        if found.tracker_id is None or found.confidence is None:  # what an empty result looks like
            found = sv.Detections.empty()
            found.tracker_id, found.confidence = np.zeros(0, int), np.zeros(0, np.float32)
        assert found.tracker_id is not None
        people = found[found.tracker_id >= 0]
        assert isinstance(people, sv.Detections)
        assert people.tracker_id is not None
        sources = [int(source) for source in people.tracker_id]
        busy = {self._of_source[source].track_id for source in sources if self._owner(source) is not None}
        ids = []
        confidence = people.confidence
        assert confidence is not None
        for source, box, sure in zip(sources, np.asarray(people.xyxy, np.float32),
                                     confidence >= self.settings.sure, strict=True):  # fmt: skip
            followed = self._owner(source)
            if followed is None and sure:
                followed = self._found_again(frame, box, busy) or self._settled(frame, box, source)
                if followed is not None:
                    followed.source = source
                    self._of_source[source] = followed
                    busy.add(followed.track_id)
            if followed is not None and sure:
                followed.sure = frame.time
            if followed is not None and frame.time - followed.sure > self.settings.patience:
                followed = None  # a signpost that somebody passed: seen for ever, and never for sure
            if followed is not None:
                self._see(followed, frame, box)
            ids.append(-1 if followed is None else followed.track_id)
        people.tracker_id = np.array(ids, int)
        settled = people[people.tracker_id >= 0]
        assert isinstance(settled, sv.Detections)
        settled.data[FIRST_SEEN] = np.array([self._alive[track].first for track in ids if track >= 0], float)
        return Tracked(settled, self._leave(frame.time))

    def expect(self, people: sv.Detections, time: float) -> sv.Detections:
        """The ``people`` of the last :meth:`update` where they will be at a later ``time``, each on the way that the
        track has taken. Boxes may reach out of the frame.
        """
        ids = [] if people.tracker_id is None else people.tracker_id.tolist()
        boxes = [self._alive[track].path.moved(box, time - self._alive[track].last) if track in self._alive else box
                 for track, box in zip(ids, np.asarray(people.xyxy, np.float32), strict=True)]  # fmt: skip
        return replace(people, xyxy=np.stack(boxes)) if boxes else people

    def finish(self) -> tuple[Track, ...]:
        """End all tracks that have not ended: the camera stops, or shows something else from now on. Whoever comes
        later is somebody new, under a new number.
        """
        self._library = _library(self.settings, self._rate)
        return self._leave(math.inf)

    def _owner(self, source: int) -> _Followed | None:
        """The track that the library's number ``source`` stands for; None if it stands for none, or no longer."""
        followed = self._of_source.get(source)
        return followed if followed is not None and followed.source == source else None

    def _settled(self, frame: Frame, box: Box, source: int) -> _Followed | None:
        """A new track, once it was seen often enough."""
        first, times = self._new.get(source, (frame.time, 1))  # the library itself wants to see everything twice
        self._new[source] = (first, times + 1)
        if times + 1 < self.settings.settle:
            return None
        del self._new[source]
        self.count += 1
        followed = _Followed(self.count, source, first, frame.time, frame.time, box)
        self._alive[followed.track_id] = followed
        return followed

    def _see(self, followed: _Followed, frame: Frame, box: Box) -> None:
        followed.path.add(frame.time, box)
        followed.box, followed.last = box, frame.time
        if self._embed is not None:
            followed.crop, followed.looks = cut(frame.image, box), None

    def _found_again(self, frame: Frame, box: Box, busy: set[int]) -> _Followed | None:
        """The lost track that somebody who appears continues: of the same looks and within reach, or on its way."""
        lost = [one for one in self._alive.values() if one.track_id not in busy and one.last < frame.time]
        off = [one.path.off(box, frame.time) for one in lost]
        heading = [frame.time - one.last <= self.settings.coast and distance <= _OFF + _DRIFT * (frame.time - one.last)
                   and one.path.stays(frame.time, frame.image.shape[:2])
                   for one, distance in zip(lost, off, strict=True)]  # fmt: skip
        if self._embed is None:
            near = [index for index in range(len(lost)) if heading[index]]
            return lost[min(near, key=lambda index: off[index])] if near else None
        possible = [index for index, one in enumerate(lost) if heading[index] or _reachable(one, box, frame.time)]
        if not possible:
            return None
        self._look([lost[index] for index in possible])
        looks = self._embed([cut(frame.image, box)])[0]
        likeness = {index: float(one.looks @ looks) for index in possible if (one := lost[index]).looks is not None}
        settings = self.settings
        # Of somebody who just comes out from behind a pillar too little is seen to tell by looks who it is.
        part = {index: heading[index] and lost[index].path.is_part(box, frame.time) for index in likeness}
        good = {index: (settings.akin if part[index] else like) - 0.3 * min(off[index], 2.0)
                for index, like in likeness.items()
                if part[index] or like >= (settings.akin if heading[index] else settings.alike)}  # fmt: skip
        return lost[max(good, key=good.__getitem__)] if good else None

    def _look(self, lost: list[_Followed]) -> None:
        new = [one for one in lost if one.looks is None and one.crop is not None]
        if new and self._embed is not None:
            for one, looks in zip(new, self._embed([one.crop for one in new if one.crop is not None]), strict=True):
                one.looks = looks

    def _leave(self, now: float) -> tuple[Track, ...]:
        gone = [one for one in self._alive.values() if now - one.last > self.settings.patience]
        for one in gone:
            del self._alive[one.track_id]
        self._of_source = {source: one for source, one in self._of_source.items() if one.track_id in self._alive}
        self._new = {source: new for source, new in self._new.items() if now - new[0] <= self.settings.patience}
        return tuple(Track(camera=self.camera, track_id=one.track_id, first_seen=one.first, last_seen=one.last)
                     for one in gone)  # fmt: skip


def cut(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """A copy of what ``box`` (x1, y1, x2, y2) shows of ``image``; at least one pixel."""
    height, width = image.shape[:2]
    x1, y1 = min(width - 1, max(0, math.floor(box[0]))), min(height - 1, max(0, math.floor(box[1])))
    x2, y2 = max(x1 + 1, min(width, math.ceil(box[2]))), max(y1 + 1, min(height, math.ceil(box[3])))
    return image[y1:y2, x1:x2].copy()


def _library(settings: Tracking, rate: float) -> _Library:
    buffer, rate = round(30 * settings.coast), max(1.0, rate)
    if settings.name == "ocsort":
        return trackers.OCSORTTracker(
            lost_track_buffer=buffer, frame_rate=rate, minimum_consecutive_frames=1,
            minimum_iou_threshold=0.2, high_conf_det_threshold=settings.sure,
        )  # fmt: skip
    if settings.name == "botsort":
        return trackers.BoTSORTTracker(
            lost_track_buffer=buffer, frame_rate=rate, minimum_consecutive_frames=1,
            track_activation_threshold=settings.sure, high_conf_det_threshold=settings.sure, enable_cmc=False,
            instant_first_frame_activation=False,
        )  # fmt: skip
    return trackers.ByteTrackTracker(
        lost_track_buffer=buffer, frame_rate=rate, minimum_consecutive_frames=1,
        track_activation_threshold=settings.sure, high_conf_det_threshold=0.85 * settings.sure,
        minimum_iou_threshold=0.3,  # with the library's 0.1 tracks change over to whoever passes by
    )  # fmt: skip


def _center(box: Box) -> NDArray[np.float32]:
    return np.asarray((box[:2] + box[2:]) / 2, np.float32)


def _reachable(lost: _Followed, box: Box, now: float) -> bool:
    """Whether somebody who was last seen at ``lost.box`` can be at ``box``: nobody runs faster than three body
    heights per second, and nobody halves or doubles their size behind a pillar.
    """
    before, after = float(lost.box[3] - lost.box[1]), float(box[3] - box[1])
    if not 0.5 < after / max(before, 1.0) < 2.0:
        return False
    elapsed = now - lost.last
    # From where the person was, or from where they were heading.
    places = (_center(lost.box), _center(lost.path.expect(now)))
    distance = min(float(np.linalg.norm(_center(box) - place)) for place in places)
    return distance <= max(before, after) * min(4.0, 0.5 + 3.0 * elapsed)
