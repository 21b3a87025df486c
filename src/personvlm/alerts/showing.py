"""What a deployment shows of people: one place for what its server answers and what leaves it with an alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from personvlm.base.privacy import blur_head
from personvlm.language.realiser import realise
from personvlm.schema import Attribute, PersonDescription
from personvlm.schema.description import values_of
from personvlm.store.tables import descriptions, tracks

if TYPE_CHECKING:
    from personvlm.store import Store


@dataclass(frozen=True)
class Showing:
    """What may be seen and said.

    Attributes:
        gender, age: False: neither the group nor a word of it.
        blur: cameras whose pictures are shown with the head made coarse; ``*`` is every camera.
        hide: cameras whose pictures are not shown; ``*`` is every camera.

    Example:
        >>> Showing(age=False, hide=("gate",)).hides("gate")
        True
    """

    gender: bool = True
    age: bool = True
    blur: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()

    @property
    def hidden(self) -> frozenset[str]:
        """Groups that are not shown."""
        return frozenset(name for name, on in (("gender", self.gender), ("age", self.age)) if not on)

    def hides(self, camera: str | None) -> bool:
        """Whether pictures of ``camera`` are not shown. Of None, where it is not known, what is true of one camera is
        taken to be true of all."""
        return bool(self.hide) if camera is None else named(camera, self.hide)

    def blurs(self, camera: str | None) -> bool:
        """Whether pictures of ``camera`` (see :meth:`hides`) are made coarse."""
        return bool(self.blur) if camera is None else named(camera, self.blur)

    def seen(self, picture: bytes, camera: str | None) -> bytes:
        """An encoded picture of ``camera``, which is not hidden, as it may be seen."""
        return blur_head(picture) if self.blurs(camera) else picture

    def words(self, text: str, attributes: Mapping[str, Attribute]) -> tuple[str, Mapping[str, Attribute]]:
        """Text and attributes without what is not shown. The text is then made anew: who was called "he" would not be
        unsaid by leaving out a key."""
        off = self.hidden
        if off & attributes.keys():
            attributes = {name: item for name, item in attributes.items() if name not in off}
            text = realise(values_of(attributes))
        return text, attributes

    def alert(self, record: dict[str, Any], store: Store) -> dict[str, Any]:
        """:meth:`personvlm.alerts.alert.Alert.record` without what is not shown. An alert does not hold what its text
        could be said anew from, so that it is made of the description in ``store``; without that it is empty."""
        off = self.hidden
        if not off:
            return record
        said = _said(store, record["event_id"])
        return {**record, "text": "" if said is None else self.words(said.text, said.attributes)[0],
                "why": {term: share for term, share in record["why"].items() if _group(term) not in off}}  # fmt: skip


EVERYTHING = Showing()
"""Whatever is known."""


def named(camera: str, cameras: Iterable[str]) -> bool:
    """Whether ``camera`` is among them; ``*`` is every camera."""
    return camera in cameras or "*" in cameras


def _said(store: Store, event_id: str) -> PersonDescription | None:
    """What was said on an occasion, the latest if several models did."""
    whose = sa.select(tracks.c.person).join(descriptions, descriptions.c.track == tracks.c.id)
    with store.read() as connection:
        person = connection.scalar(whose.where(descriptions.c.event_id == event_id).limit(1))
    story = [] if person is None else store.story(person)
    return next((one.description for one in reversed(story) if one.request.event_id == event_id), None)


def _group(term: str) -> str:
    """The attribute that a part of a rule asks about, see :meth:`personvlm.alerts.rule.Has.__str__`."""
    return term.partition(" == ")[0] if " == " in term else term.rpartition(" in ")[2]
