"""People whom Frigate follows, described while they are there: its messages in, descriptions back to it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.integrations.frigate_api import AwayError, Frigate, FrigateError, GoneError
from personvlm.integrations.frigate_events import Kind, Told, Update, describe_request, from_database, told
from personvlm.integrations.frigate_jobs import Job, Jobs
from personvlm.integrations.frigate_pictures import Picture, cut, names, short, worth
from personvlm.schema import PersonDescription, Track
from personvlm.video.identity import Gallery, Link, Sighting
from personvlm.video.likeness import Looks

_GONE_TRIES = 3
_MOST_PEOPLE = 512


class Describes(Protocol):
    """What finds the words: :class:`personvlm.runtime.tracks.TrackModel`."""

    def look(self, images: list[NDArray[np.uint8]]) -> Sequence[Any]:
        """See each picture once."""
        ...

    def say(self, looks: Sequence[Any], scores: Sequence[float]) -> PersonDescription:
        """What all pictures of one person tell together."""
        ...


@dataclass(frozen=True)
class Following:
    """How people are followed. Times are seconds.

    Attributes:
        every: between two looks at one person, at least.
        better, larger: a snapshot is worth another look when Frigate's score has grown by this much, or the box in
            area by this factor.
        most: pictures of one person that are looked at together.
        patience: how long a description that Frigate does not take is tried again.
        forget: after which a person nothing is heard of is given up.
        sub_label: name people in a few words, too, unless they have a name already (a face that was recognized).
        attributes: set the attributes of Frigate's custom classifiers, too; clears what they found themselves.
        keep_crops: what is told holds the pictures' bytes.
        cameras: only these; empty: all.
    """

    every: float = 5.0
    better: float = 0.05
    larger: float = 1.3
    most: int = 5
    patience: float = 600.0
    forget: float = 3600.0
    sub_label: bool = True
    attributes: bool = False
    keep_crops: bool = False
    cameras: frozenset[str] = frozenset()


@dataclass
class Counts:
    """How it went.

    Attributes:
        people: that were described; ``revisions`` in all, ``unchanged`` had nothing new to say and were not repeated.
        again: people who were seen before.
        expired: Frigate had deleted the event.
        unseen: ended without any picture.
        failed: given up after ``patience``, or refused.
        ignored: messages about something else, and ``broken`` ones.
    """

    people: int = 0
    revisions: int = 0
    unchanged: int = 0
    again: int = 0
    expired: int = 0
    unseen: int = 0
    failed: int = 0
    ignored: int = 0
    broken: int = 0


@dataclass
class _Person:
    pictures: list[Picture] = field(default_factory=list)
    looks: list[Any] = field(default_factory=list)
    looked: Update | None = None
    looked_at: float = 0.0
    description: PersonDescription | None = None
    said: str | None = None  # last text that was told
    written: str | None = None  # last text that Frigate has
    label: str | None = None
    revision: int = 0
    ended: bool = False
    gone: bool = False
    same_as: bool = False
    touched: float = 0.0


class Bridge:
    """Describes, in a thread of its own, whom it is told of with :meth:`put`.

    New people come first, then those who left, then updates; of one person only the latest message waits. What Frigate
    cannot take now is tried again, and holds up nobody else.

    Args:
        api: Frigate.
        describer: finds the words.
        tell: gets every revision, in the thread of this object, before Frigate does. Where it raises an
            :class:`AwayError` it is tried again later, too; anything else ends the bridge.
        report: told of what goes wrong.
    """

    def __init__(self, api: Frigate, describer: Describes, tell: Callable[[Told], None] = lambda told: None,
                 following: Following | None = None,
                 report: Callable[[str], None] = lambda note: None) -> None:  # fmt: skip
        self.counts, self.following = Counts(), following or Following()
        self._api, self._describer, self._told, self._report = api, describer, tell, report
        self._gallery, self._sizes = Gallery(), dict[str, tuple[int, int]]()
        self._people: dict[str, _Person] = {}
        self._attributes = self.following.attributes
        self._jobs = Jobs()
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="frigate", daemon=True)
        self._thread.start()

    def put(self, update: Update) -> None:
        """Have a person described. Safe from any thread; raises what ended the bridge."""
        if self._broken is not None:
            raise self._broken
        if self.following.cameras and update.camera not in self.following.cameras:
            self.counts.ignored += 1
        else:
            self._jobs.put(update)

    def catch_up(self, after: float) -> None:
        """Ask Frigate for people since ``after`` (epoch) who are not described, and what became of those we follow."""
        self._jobs.put_past(after)

    def settle(self, seconds: float) -> bool:
        """Return when nothing waits, or after ``seconds``; whether nothing waits."""
        return self._jobs.settle(seconds)

    @property
    def working(self) -> bool:
        """False once ``tell`` has raised; :meth:`close` then raises the same."""
        return self._broken is None

    def close(self) -> None:
        """End after what is being done. Raises what ``tell`` raised."""
        self._jobs.close()
        self._thread.join()
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while (job := self._jobs.take()) is not None:
                self._attempt(job)
                self._forget()
        except BaseException as error:
            self._broken = error
            self._jobs.close()

    def _attempt(self, job: Job) -> None:
        update = job.update
        over = update is not None and update.kind == "end"
        try:
            if update is None:
                self._catch_up(job.after)
            else:
                self._handle(job, update, self._people.setdefault(update.event, _Person()))
        except AwayError as error:
            if job.tries == 0:
                self._report(f"{error}; trying again")
            if self._patient(job):
                return
        except GoneError:
            job.gone += 1
            if (not over or job.gone < _GONE_TRIES) and self._patient(job):
                return  # a new event gets its row a little later
            self.counts.expired += over
        except (FrigateError, InputError) as error:
            self.counts.failed += 1
            self._report(f"{job.key or 'what happened before'}: {error}")
        if over:
            self._people.pop(job.key, None)

    def _patient(self, job: Job) -> bool:
        """Try again later; False when that was done for long enough."""
        waited = time.monotonic() - job.since
        if waited <= self.following.patience:
            self._jobs.put_back(job)
            return True
        self.counts.failed += 1
        self._report(f"{job.key or 'what happened before'}: given up after {waited:.0f} s")
        return False

    def _handle(self, job: Job, update: Update, person: _Person) -> None:
        final = update.kind == "end"
        person.touched = time.monotonic()
        last = final and job.gone >= _GONE_TRIES - 1
        if self._worth_a_look(update, person) and self._look(update, person, last):
            scores = [picture.score for picture in person.pictures]
            person.description = self._describer.say(person.looks, scores)
        if person.description is None:
            self.counts.unseen += final
            return
        text = person.description.text
        if text != person.said or (final and not person.ended):
            self._tell(update, job.since, person, person.description)
        else:
            self.counts.unchanged += 1
        if person.gone or (final and not update.kept):
            return
        if text != person.written:
            self._api.describe(update.event, text)
            person.written = text
        self._label(update, person, person.description)

    def _worth_a_look(self, update: Update, person: _Person) -> bool:
        last, follow = person.looked, self.following
        if last is None:
            return update.has_picture or update.kind != "end"  # in progress there is one before Frigate says so
        if update.picture_time and update.picture_time == last.picture_time:
            return False
        if update.kind == "end":
            return update.has_picture
        if time.monotonic() - person.looked_at < follow.every:
            return False
        return (update.picture_score >= last.picture_score + follow.better
                or (last.area > 0 and update.area >= last.area * follow.larger))  # fmt: skip

    def _look(self, update: Update, person: _Person, last: bool) -> bool:
        try:
            data, taken = self._api.snapshot(update.event)
        except GoneError:  # for a moment after the end Frigate has the picture neither here nor there
            if not last or person.description is None:
                raise
            person.gone = True
            self.counts.expired += 1
            return False  # what was seen before is enough
        person.looked, person.looked_at = update, time.monotonic()
        if taken is not None and any(abs(taken - picture.time) < 1e-3 for picture in person.pictures):
            return False
        image = cut(decode(data), update.box, self._size(update.camera))
        picture = Picture(image, worth(image, update.picture_score), taken or update.picture_time or update.time,
                          update.box)  # fmt: skip
        looks = list(self._describer.look([image]))
        ranked = sorted(zip([*person.pictures, picture], [*person.looks, *looks], strict=True),
                        key=lambda item: -item[0].score)[: self.following.most]  # fmt: skip
        person.pictures, person.looks = [item[0] for item in ranked], [item[1] for item in ranked]
        return True

    def _tell(self, update: Update, since: float, person: _Person, description: PersonDescription) -> None:
        final, revision = update.kind == "end", person.revision + 1
        kind: Kind = "end" if final else "new" if revision == 1 else "update"
        crops = [_jpeg(one.image) if self.following.keep_crops else None for one in person.pictures]
        request = describe_request(update, person.pictures, crops, revision, final)
        track = Track(camera=update.camera, track_id=update.track, first_seen=update.start, last_seen=update.time)
        link = self._gallery.see(Sighting(request.person, track, Looks.of(description), over=final))
        same_as = (self._sighted(link),) if link is not None else ()
        self._told(told(update, request, description, kind, same_as=same_as, now=time.time(),
                        latency_ms=1000 * (time.monotonic() - since)))  # fmt: skip
        # Only now, since a store that is away has the whole of it tried again.
        self.counts.people += revision == 1
        self.counts.again += bool(same_as) - person.same_as
        self.counts.revisions += 1
        person.revision, person.same_as, person.said, person.ended = revision, bool(same_as), description.text, final

    def _sighted(self, link: Link) -> dict[str, Any]:
        track = self._gallery.sighting(link.same_as).track
        return {"id": link.same_as, "camera": track.camera, "probability": round(link.probability, 4),
                "first_seen": round(track.first_seen, 3), "last_seen": round(track.last_seen, 3)}  # fmt: skip

    def _label(self, update: Update, person: _Person, description: PersonDescription) -> None:
        if self.following.sub_label and update.sub_label in (None, person.label):
            label, score = short(description)
            if label != person.label:
                self._api.sub_label(update.event, label, score, update.camera)
                person.label = label
        if self._attributes and update.kind == "end":
            try:
                self._api.attributes(update.event, names(description))
            except GoneError:
                raise
            except FrigateError as error:
                self._attributes = False
                self._report(f"{error}; attributes are not sent any more")

    def _size(self, camera: str) -> tuple[int, int] | None:
        if camera not in self._sizes:
            self._sizes = self._api.sizes()
        return self._sizes.get(camera)

    def _catch_up(self, after: float) -> None:
        rows = {str(row.get("id")): row for row in (*self._api.events(in_progress=1, labels="person", limit=200),
                                               *self._api.events(after=after, labels="person", limit=200))}  # fmt: skip
        for event in self._people.keys() - rows.keys():
            try:
                rows[event] = self._api.event(event)
            except GoneError:
                del self._people[event]
                self.counts.expired += 1
        for event, row in rows.items():
            try:
                if event in self._people or not (row.get("data") or {}).get("description"):
                    self.put(from_database(row, self._size(str(row.get("camera")))))
            except ValueError:
                self.counts.broken += 1

    def _forget(self) -> None:
        now = time.monotonic()
        old = [event for event, person in self._people.items() if now - person.touched > self.following.forget]
        crowd = list(self._people)[: max(0, len(self._people) - _MOST_PEOPLE)]
        for event in {*old, *crowd}:
            del self._people[event]


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()
