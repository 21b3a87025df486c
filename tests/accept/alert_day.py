"""A rendered day: scenes of a minute at hours spread over the day, followed and described as a pipeline does it, with
the truth about everybody. Near-twins and pillars are in every scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from personvlm.data.rendered.scene import Scene, Settings
from personvlm.schema import Described, Values
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.schema.groups import GROUP
from personvlm.video.scenes import ENOUGH, START, given

CAMERAS = 2
_LONG = 15  # frames, a second and a half: who is seen for less need not be found


@dataclass
class Visit:
    """One person's way past one camera."""

    person: str
    camera: str
    start: float
    whole: Values  # what the person wears and carries, seen or not
    frames: int = 0
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)  # (group, value) -> frames that show it

    def shows(self, group: str, values: tuple[str, ...]) -> bool:
        """Whether the camera could see it: in a fourth of the frames and in a second at least."""
        frames = sum(count for (name, value), count in self.seen.items()
                     if name == group and any(GROUP[group].covers(wanted, value) for wanted in values))  # fmt: skip
        return frames >= max(10, 0.25 * self.frames)

    def has(self, group: str, values: tuple[str, ...]) -> bool:
        """Whether it is so, seen or not."""
        true = self.whole.get(group, ())
        return any(GROUP[group].covers(wanted, value) for wanted in values for value in true)


@dataclass
class RenderedDay:
    """What was described, in order of time, and who it really was."""

    described: list[Described] = field(default_factory=list)
    visits: dict[tuple[str, int], Visit] = field(default_factory=dict)  # (person, number of the visit)
    owner: dict[str, tuple[str, int]] = field(default_factory=dict)  # track's person id -> visit

    @property
    def long(self) -> dict[tuple[str, int], Visit]:
        """Visits that can be expected to be found."""
        return {key: visit for key, visit in self.visits.items() if visit.frames >= _LONG}


def rendered_day(seeds: list[int], describer: Any, **options: Any) -> RenderedDay:
    """One scene per seed, the first at midnight."""
    day = RenderedDay()
    for index, seed in enumerate(seeds):
        for number in range(CAMERAS):
            add_camera(day, seed, number, START + 86400 * index / len(seeds), describer, **options)
    return day


def add_camera(day: RenderedDay, seed: int, number: int, start: float, describer: Any, *, seconds: float = 45.0,
               people: int = 12, rate: float = 10.0) -> None:  # fmt: skip
    """What one camera of the scene ``seed``, which begins at ``start``, has to tell."""
    from personvlm.video.detectors import GivenDetector
    from personvlm.video.frame import Frame
    from personvlm.video.watch import CameraWatch

    scene = Scene(Settings(seed=seed, cameras=CAMERAS, people=people, twins=people // 4, seconds=seconds, rate=rate))
    camera, detector = ("gate", "hall", "yard", "shop")[number], GivenDetector()
    watch = CameraWatch(camera, rate, embed=describer.embed)
    overlap: dict[int, Counter[tuple[str, int]]] = {}
    occasions = []
    for index in range(scene.frames):
        image, truth = scene.shoot(number, index)
        frame = Frame(camera, index, start + index / rate, image, given(truth))
        watched = watch.step(frame, detector.detect([frame])[0])
        occasions += [(occasion, describer.describe(occasion.crops)) for occasion in watched.occasions]
        tracks = [] if watched.people.tracker_id is None else watched.people.tracker_id.tolist()
        for seen in truth:
            if seen.shown is None or seen.visible < ENOUGH:
                continue
            key = _visit(scene, number, seen.person, index)
            visit = day.visits.setdefault(key, Visit(key[0], camera, frame.time, scene.people[seen.person].values))
            visit.frames += 1
            visit.seen.update((group, value) for group, values in seen.values.items() for value in values)
            for track, box in zip(tracks, watched.people.xyxy, strict=True):
                if np.abs(np.array(seen.shown) - box).max() < 1:
                    overlap.setdefault(track, Counter())[key] += 1
    occasions += [(occasion, describer.describe(occasion.crops)) for occasion in watch.finish()]
    revisions: Counter[int] = Counter()
    for occasion, description in occasions:
        track = occasion.track.track_id
        revisions[track] += 1
        crops = [Crop(time=crop.time, score=min(1.0, crop.score), box=crop.box) for crop in occasion.crops]
        request = DescribeRequest.build(
            camera, track, "new_track" if occasion.kind == "new" else "track_update", occasion.time, crops[0],
            others=tuple(crops[1:]), first_seen=occasion.track.first_seen, revision=revisions[track],
            final=occasion.kind == "end")  # fmt: skip
        day.described.append(Described(request=request, description=description, described_at=occasion.time))
        day.owner[request.person] = overlap[track].most_common(1)[0][0]
    day.described.sort(key=lambda item: (item.request.frame_time, item.request.revision))


def _visit(scene: Scene, camera: int, person: int, index: int) -> tuple[str, int]:
    time = index / scene.settings.rate
    number = next(number for number, visit in enumerate(scene.people[person].visits)
                  if visit.camera == camera and visit.start <= time < visit.end)  # fmt: skip
    return f"{scene.settings.seed}/{person}", number
