"""What a run tells about people, and the thread that finds the words for it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from personvlm.base import tracing
from personvlm.pipeline.record import record
from personvlm.schema import DescribeResult, PersonDescription, event_id
from personvlm.video.describing import TrackDescriber
from personvlm.video.triggers import Kind, Occasion

_REMEMBERED = 1024
"""People who left and whose last revision is still known, should somebody ask who else they are."""


@dataclass(frozen=True)
class SameAs:
    """Another sighting of the same person, with the probability that it is. Times are seconds since the epoch."""

    id: str
    camera: str
    probability: float
    first_seen: float
    last_seen: float

    def record(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {"id": self.id, "camera": self.camera, "probability": round(self.probability, 4),
                "first_seen": round(self.first_seen, 3), "last_seen": round(self.last_seen, 3)}  # fmt: skip


@dataclass(frozen=True)
class PersonEvent:
    """One revision of what is known about one person on one camera.

    Attributes:
        id: the same in all revisions of a person.
        revision: from 1; a higher one replaces a lower one. An answer to "who else is this" has that of what is known.
        occasion: why it was told, with its crops in the order of the model, the best first; ``kind`` is ``new``,
            ``update``, ``end`` or ``reid``.
        description: what is said, or None where that failed or is somebody else's work.
        error: why it failed.
        latency_ms: from the occasion to the words.
        same_as: who this is on other cameras and at other times; of a ``reid`` everybody who may be, likeliest first.
    """

    id: str
    revision: int
    occasion: Occasion
    description: PersonDescription | None
    error: str | None
    latency_ms: float
    same_as: tuple[SameAs, ...] = ()

    def record(self) -> dict[str, Any]:
        """Fit for JSON; other programs rely on it. Times are seconds since the epoch, boxes corners in pixels."""
        occasion, track = self.occasion, self.occasion.track
        said: dict[str, Any] = {}
        if self.description is not None or self.error is not None:
            said = record(DescribeResult(description=self.description, error=self.error, latency_ms=self.latency_ms))
            del said["input"]
        crop = occasion.crops[0] if occasion.crops else None
        return {
            "id": self.id, "revision": self.revision, "event": occasion.kind, "event_id": occasion.event_id,
            "camera": track.camera, "track": track.track_id, "time": round(occasion.time, 3),
            "first_seen": round(track.first_seen, 3), "last_seen": round(track.last_seen, 3),
            "crops": len(occasion.crops), "box": [round(value, 1) for value in crop.box] if crop else None,
            "crop_time": round(crop.time, 3) if crop else None, "same_as": [other.record() for other in self.same_as],
            **said,
        }  # fmt: skip


Tell = Callable[[PersonEvent], None]
_RANK: dict[Kind, int] = {"reid": -1, "new": 0, "end": 1, "update": 2}


@dataclass
class Waiting:
    """What waits to be said about one person.

    Attributes:
        occasions: in order of time.
        since: when the first of them came, on the monotonic clock.
    """

    occasions: list[Occasion] = field(default_factory=list)
    since: float = 0.0

    @property
    def rank(self) -> tuple[int, float]:
        """Who comes first."""
        return min(_RANK[occasion.kind] for occasion in self.occasions), self.since


class Occasions:
    """Takes occasions and works on them in a thread of its own: those that somebody asked for first, then new people,
    then those who left, then updates.

    A newer update of a person replaces one that still waits; more waiting updates than ``most`` are shed, the oldest
    first. Both are counted. New people and ends are never dropped: where too many wait, :meth:`put` waits.

    Attributes:
        superseded, shed: updates that were replaced by newer ones of the same person, and that were dropped.
        unchanged: updates that were not told, because they would have said the same again.
        described: revisions that were told.
        queued: revisions that somebody else will describe.
        failed: revisions without words.

    Args:
        most: people who may wait.
    """

    def __init__(self, most: int = 64) -> None:
        self.superseded = self.shed = self.unchanged = self.described = self.queued = self.failed = 0
        self._most = most
        self._waiting: dict[tuple[str, int], Waiting] = {}
        self._revisions: dict[tuple[str, int], int] = {}
        self._past: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._change = threading.Condition()
        self._busy = self._closed = False
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="describing", daemon=True)
        self._thread.start()

    def work(self, key: tuple[str, int], item: Waiting) -> None:
        """Say what is to be said about one person (camera, track number)."""
        raise NotImplementedError

    def put(self, occasion: Occasion) -> None:
        """Have ``occasion`` described; those of one person must come in order.

        Raises:
            Exception: whatever :meth:`work` raised before, for example because a file could not be written.
        """
        key = (occasion.track.camera, occasion.track.track_id)
        with self._change:
            waiting = self._waiting.get(key)
            if waiting is None and occasion.kind == "update":
                if not self._make_room():
                    return
            elif waiting is None and occasion.kind != "reid":
                self._change.wait_for(lambda: len(self._waiting) < self._most or self._broken is not None)
            self._check()
            waiting = self._waiting.setdefault(key, Waiting(since=time.monotonic()))
            if occasion.kind == "reid":  # it has the evidence of what was told last: what waits knows more
                waiting.occasions.insert(0, occasion)
            else:
                if waiting.occasions and waiting.occasions[-1].kind == "update":
                    waiting.occasions.pop()  # whatever comes knows more
                    self.superseded += 1
                waiting.occasions.append(occasion)
            self._change.notify_all()

    def _make_room(self) -> bool:
        """Shed an update if too many people wait; whether there is room for another now."""
        if len(self._waiting) < self._most:
            return True
        self.shed += 1
        updates = [key for key, item in self._waiting.items() if item.rank[0] == _RANK["update"]]
        if not updates:
            return False
        del self._waiting[min(updates, key=lambda key: self._waiting[key].since)]
        return True

    @property
    def waiting(self) -> int:
        """People who wait for words."""
        return len(self._waiting)

    def settle(self) -> None:
        """Return when nobody waits any more. Raises like :meth:`put`."""
        with self._change:
            self._change.wait_for(lambda: not (self._waiting or self._busy) or self._broken is not None)
            self._check()

    def close(self) -> None:
        """Describe whoever waits, then end. Raises like :meth:`put`."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()
        self._check()

    def abandon(self) -> None:
        """End without describing whoever waits."""
        with self._change:
            self._waiting.clear()
            self._closed = True
            self._change.notify_all()
        self._thread.join()

    def revise(self, occasion: Occasion) -> int:
        """The revision that ``occasion`` leads to; what comes after the last one leads to no further."""
        key = (occasion.track.camera, occasion.track.track_id)
        if occasion.kind == "reid":
            return self._revisions.get(key) or self._past.get(key, 1)
        revision = self._revisions.get(key, 0) + 1
        if occasion.kind == "end":
            self._revisions.pop(key, None)
            self._past[key] = revision
            while len(self._past) > _REMEMBERED:
                self._past.popitem(last=False)
        else:
            self._revisions[key] = revision
        return revision

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while True:
                with self._change:
                    self._change.wait_for(lambda: self._waiting or self._closed)
                    if not self._waiting:
                        return
                    key = min(self._waiting, key=lambda key: self._waiting[key].rank)
                    item = self._waiting.pop(key)
                    self._busy = True
                    self._change.notify_all()
                with tracing.span("camera", event_id=item.occasions[-1].event_id):
                    self.work(key, item)
                with self._change:
                    self._busy = False
                    self._change.notify_all()
        except BaseException as error:
            with self._change:
                self._broken = error
                self._waiting.clear()
                self._change.notify_all()


class Describing(Occasions):
    """Finds the words in this process.

    Args:
        describer: finds the words.
        tell: gets every event, in the thread of this object.
        most: people who may wait.
    """

    def __init__(self, describer: TrackDescriber, tell: Tell, most: int = 64) -> None:
        self._describer, self._tell = describer, tell
        self._said: dict[tuple[str, int], str] = {}
        super().__init__(most)

    def work(self, key: tuple[str, int], item: Waiting) -> None:
        """See :class:`Occasions`."""
        # The latest occasion has all the evidence of those before it.
        description, problem, told = None, None, item.occasions
        try:
            latest = item.occasions[-1]
            with tracing.span("describe", event_id=latest.event_id):
                description = self._describer.describe(latest.crops, latest.posture)
                # The picture that stands for the person is the one that the model finds best.
                told = [replace(one, crops=self._describer.ranked(one.crops)) for one in item.occasions]
        except Exception as error:
            # One person who cannot be described must not silence all the others.
            problem = f"{type(error).__name__}: {error}"
        for occasion in told:
            if occasion.kind == "update" and description is not None and description.text == self._said.get(key):
                self.unchanged += 1
                continue
            latency = 1000 * (time.monotonic() - item.since)
            self.described += description is not None
            self.failed += description is None
            if description is not None and occasion.kind != "reid":  # its words are no revision
                self._said[key] = description.text
            self._tell(PersonEvent(person_of(occasion), self.revise(occasion), occasion, description, problem, latency))
            if key not in self._revisions:  # the person has left
                self._said.pop(key, None)


def person_of(occasion: Occasion) -> str:
    """Id of a person on a camera: the same in all events of one track."""
    track = occasion.track
    return event_id(track.camera, track.track_id, "new_track", track.first_seen)
