"""A run beside the truth, where the source knows it: rendered scenes, and MOTChallenge sequences with ground truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from supervision import box_iou_batch

from personvlm.base.errors import InputError
from personvlm.metrics.reid import cross_camera
from personvlm.pipeline.run_events import PersonEvent
from personvlm.pipeline.truth import count, judge
from personvlm.schema import Values
from personvlm.video.crops import Crop, take
from personvlm.video.describing import TrackDescriber
from personvlm.video.frame import Frame, Truth
from personvlm.video.identity import Link
from personvlm.video.mot import MotLog
from personvlm.video.watch import Watched

LONG = 1.0
"""Seconds that somebody must be visible to count as one who should be described."""

_PASSING = frozenset({"view", "posture", "activity", "visibility"})

Key = tuple[str, int]
"""Camera and track number."""


class Referee:
    """Watches a run and knows the truth: give :meth:`seen` and :meth:`told` to it, then ask for the :meth:`report`.

    Args:
        seed: of the random crops that chosen ones are compared with.
    """

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._log = MotLog()
        self._owners: dict[Key, Counter[str]] = defaultdict(Counter)
        self._person: dict[str, str] = {}
        self._values: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        self._visible: dict[str, list[float]] = {}  # visit -> first time, seconds
        self._random: dict[Key, tuple[int, Crop]] = {}
        self._events: dict[str, list[PersonEvent]] = {}

    def seen(self, frame: Frame, watched: Watched) -> None:
        """One frame, as :data:`personvlm.pipeline.run.Seen` has it."""
        if frame.truth is None or not watched.looked:
            return
        shown = [one for one in frame.truth if one.box is not None]
        for one in frame.truth:
            self._note(one, frame)
        boxes = np.array([one.box for one in shown], np.float32).reshape(-1, 4)
        people = watched.people
        ids = [] if people.tracker_id is None else people.tracker_id.tolist()
        tracked = np.asarray(people.xyxy, np.float32).reshape(-1, 4)
        keys = [(frame.camera, int(track)) for track in ids]
        self._log.add([one.visit for one in shown], boxes, keys, tracked)
        if not shown or not keys:
            return
        overlap = box_iou_batch(boxes, tracked)
        for index, key in enumerate(keys):
            best = int(overlap[:, index].argmax())
            if overlap[best, index] >= 0.5:
                self._owners[key][shown[best].visit] += 1
                self._draw(key, frame, tracked, index)

    def _note(self, one: Truth, frame: Frame) -> None:
        self._person[one.visit] = one.person
        if one.values is not None:
            self._values[one.person] |= {name: tuple(value) for name, value in one.values.items()}
        if one.box is not None:
            span = self._visible.setdefault(one.visit, [frame.time, 0.0, frame.time])
            span[1] += min(1.0, frame.time - span[2])
            span[2] = frame.time

    def _draw(self, key: Key, frame: Frame, boxes: NDArray[np.float32], index: int) -> None:
        """Any of the track's crops, each as likely."""
        number = self._random[key][0] + 1 if key in self._random else 1
        if self._rng.random() < 1 / number:
            self._random[key] = (number, take(frame.image, boxes, index, frame.time, 1.0))
        else:
            self._random[key] = (number, self._random[key][1])

    def told(self, event: PersonEvent) -> None:
        """One event. Words to "who else is this" do not count."""
        if event.occasion.kind != "reid":
            self._events.setdefault(event.id, []).append(event)

    def report(self, links: Sequence[Link], describer: TrackDescriber | None = None) -> dict[str, Any]:
        """Figures, fit for JSON; what cannot be known of these sources is None.

        Args:
            links: who was found to be one person.
            describer: describes crops with ``say="all"``, to compare chosen with random ones; None leaves that out.

        Raises:
            InputError: no source knew the truth.
        """
        if not self._person:
            raise InputError("no source knows the truth: it is known of rendered: scenes, and of MOTChallenge "
                             "sequences with gt/gt.txt")  # fmt: skip
        stories = {key: story for key, story in self._events.items() if self._owner(story[0]) is not None}
        return {
            "tracking": {name: round(value, 4) for name, value in asdict(self._log.score()).items()},
            "described": self._described(stories), "delay_s": self._delays(stories),
            "crop_choice": None if describer is None else self._choice(stories, describer),
            "reid": self._reid(stories), "links": self._links(stories, links),
        }  # fmt: skip

    def _owner(self, event: PersonEvent) -> str | None:
        """The visit that a track shows."""
        track = event.occasion.track
        votes = self._owners.get((track.camera, track.track_id))
        return votes.most_common(1)[0][0] if votes else None

    def _described(self, stories: Mapping[str, list[PersonEvent]]) -> dict[str, Any]:
        due = {visit for visit, (_, seconds, _) in self._visible.items() if seconds >= LONG}
        told = [visit for story in stories.values() if (visit := self._owner(story[0])) is not None]
        people, reached = {self._person[visit] for visit in due}, {self._person[visit] for visit in told}
        visits = set(told)
        return {
            "people": len(people), "people_share": _share(len(people & reached), len(people)),
            "visits": len(due), "visits_share": _share(len(due & visits), len(due)),
            "first_per_visit": _share(len(told), len(visits)),
            "revisions_per_visit": _share(sum(map(len, stories.values())), len(visits)),
            "nobody": len(self._events) - len(stories),
        }  # fmt: skip

    def _delays(self, stories: Mapping[str, list[PersonEvent]]) -> dict[str, Any] | None:
        """From the first sight of somebody, on the camera's clock, to the first words, which add their own time."""
        first: dict[str, float] = {}
        for story in stories.values():
            event, visit = story[0], self._owner(story[0])
            if visit in self._visible and event.description is not None:
                at = event.occasion.time + event.latency_ms / 1000 - self._visible[visit][0]
                first[visit] = min(at, first.get(visit, at))
        if not first:
            return None
        low, high = np.quantile(list(first.values()), [0.5, 0.95])
        return {"median": round(float(low), 3), "p95": round(float(high), 3), "n": len(first)}

    def _choice(self, stories: Mapping[str, list[PersonEvent]], describer: TrackDescriber) -> dict[str, Any] | None:
        """Share of the known attributes that one crop alone gets right."""
        chosen, drawn = list[float](), list[float]()
        for story in stories.values():
            visit, track = self._owner(story[0]), story[-1].occasion.track
            crops, other = story[-1].occasion.crops, self._random.get((track.camera, track.track_id))
            truth = self._truth(None if visit is None else self._person[visit])
            if truth and crops and other is not None:
                for crop, found in ((crops[0], chosen), (other[1], drawn)):
                    score = count([judge(describer.describe([crop]).attributes, truth)])
                    found.append(score.right / max(1, score.known))
        if not chosen:
            return None
        gain = np.array(chosen) - np.array(drawn)
        return {"chosen": round(float(np.mean(chosen)), 4), "random": round(float(np.mean(drawn)), 4),
                "gain": round(float(gain.mean()), 4), "gain_se": round(float(gain.std() / len(gain) ** 0.5), 4),
                "n": len(chosen)}  # fmt: skip

    def _truth(self, person: str | None) -> Values:
        known = self._values.get(person or "", {})
        return {name: value for name, value in known.items() if name not in _PASSING}

    def _reid(self, stories: Mapping[str, list[PersonEvent]]) -> dict[str, Any] | None:
        """Every track asks for its person among the tracks of all other cameras."""
        rows = [(self._person[visit], event.occasion.track.camera, event.description.embedding)
                for story in stories.values() for event in story[-1:] if (visit := self._owner(event)) is not None
                and event.description is not None and event.description.embedding is not None]  # fmt: skip
        if not any(one[0] == other[0] and one[1] != other[1] for one in rows for other in rows):
            return None
        people, cameras, looks = zip(*rows, strict=True)
        found = cross_camera(looks, people, cameras)
        return {"rank1": round(found.rank1, 4), "map": round(found.map, 4), "n": found.n}

    def _links(self, stories: Mapping[str, list[PersonEvent]], links: Sequence[Link]) -> dict[str, Any] | None:
        """Links that are right, and how many of those that it takes to connect every person's tracks were made."""
        who = {key: self._person[visit] for key, story in stories.items()
               if (visit := self._owner(story[0])) is not None}  # fmt: skip
        owed = len(who) - len(set(who.values()))
        if not owed:
            return None
        right = [link for link in links if who.get(link.sighting, link.sighting) == who.get(link.same_as)]
        # Links form no circles: each right one connects two parts of one person.
        return {"made": len(links), "owed": owed, "precision": _share(len(right), len(links)),
                "recall": _share(len(right), owed)}  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
