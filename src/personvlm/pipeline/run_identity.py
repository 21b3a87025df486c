"""Who of the people of a run are one person, told with the events and asked for from outside."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from personvlm.base.errors import InputError
from personvlm.pipeline.run_events import PersonEvent, SameAs
from personvlm.schema import event_id
from personvlm.video.identity import Gallery, Identity, Link, Sighting
from personvlm.video.likeness import Looks
from personvlm.video.triggers import Occasion

_PICTURES = 64
"""People who left and of whom a picture is kept, should somebody ask for them. Their looks are kept for longer."""


class Identities:
    """The gallery of a run. May be used from any thread.

    Args:
        settings: None links nobody and remembers no looks.
        pictures: people who left and can still be described anew.
    """

    def __init__(self, settings: Identity | None = None, pictures: int = _PICTURES) -> None:
        self._gallery = None if settings is None else Gallery(settings)
        self._pictures = pictures
        self._present: dict[str, Occasion] = {}
        self._left: OrderedDict[str, Occasion] = OrderedDict()
        self._lock = threading.Lock()

    def told(self, event: PersonEvent) -> PersonEvent:
        """``event`` with whom it shows on other cameras and at other times. To be asked once for every event."""
        with self._lock:
            if event.occasion.kind == "reid":
                return replace(event, same_as=self._who(event.id))
            self._remember(event)
            looks = None if event.description is None else Looks.of(event.description)
            if self._gallery is None or looks is None:
                return event
            sighting = Sighting(event.id, event.occasion.track, looks, event.occasion.kind == "end")
            link = self._gallery.see(sighting)
            if link is None:
                return event
            return replace(event, same_as=(_same(self._gallery.sighting(link.same_as), link.probability),))

    def _remember(self, event: PersonEvent) -> None:
        occasion = event.occasion
        if occasion.kind != "end":
            self._present[event.id] = occasion
            return
        self._present.pop(event.id, None)
        self._left[event.id] = replace(occasion, crops=occasion.crops[:1])
        while len(self._left) > self._pictures:
            self._left.popitem(last=False)

    def who(self, person: str) -> tuple[SameAs, ...]:
        """Who else ``person`` may be, where and when, likeliest first: one sighting of each of the people who are
        possible.

        Raises:
            InputError: the person is unknown, or was forgotten.
        """
        with self._lock:
            if self._gallery is None:
                raise InputError("people are not told apart in this run: its `identity` is switched off")
            self._gallery.sighting(person)
            return self._who(person)

    def _who(self, person: str) -> tuple[SameAs, ...]:
        try:
            ranked = [] if self._gallery is None else self._gallery.ask(self._gallery.sighting(person))
        except InputError:  # somebody whose looks are not known, or not any more
            ranked = []
        return tuple(_same(sighting, probability) for sighting, probability in ranked)

    def question(self, person: str) -> Occasion | None:
        """The occasion to look at ``person`` again because somebody asks who else it is; None where no picture of the
        person is left."""
        with self._lock:
            occasion = self._present.get(person) or self._left.get(person)
        if occasion is None:
            return None
        track = occasion.track
        asked = event_id(track.camera, track.track_id, "reid_request", occasion.time)
        return replace(occasion, kind="reid", event_id=asked)

    def links(self) -> list[Link]:
        """Links that hold."""
        with self._lock:
            return [] if self._gallery is None else self._gallery.links()

    def undo(self, one: str, other: str) -> None:
        """Take back that two are one person; see :meth:`personvlm.video.identity.Gallery.undo`."""
        with self._lock:
            if self._gallery is None:
                raise InputError("nobody is linked in this run: its `identity` is switched off")
            self._gallery.undo(one, other)


def _same(sighting: Sighting, probability: float) -> SameAs:
    track = sighting.track
    return SameAs(sighting.id, track.camera, probability, track.first_seen, track.last_seen)
