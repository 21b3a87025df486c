"""Getting stored people back: the latest of each, the story of one, lists in pages, history in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import sqlalchemy as sa

from personvlm.base.errors import InputError
from personvlm.schema import GROUP, Described
from personvlm.store import rows
from personvlm.store.codes import Terms
from personvlm.store.tables import attributes, cameras, descriptions, embeddings, tracks


@dataclass(frozen=True)
class Filters:
    """Who is asked for. Everything that is given must hold.

    Attributes:
        cameras: on one of these; empty is everywhere.
        since, until: there between these times, in seconds since the epoch, both included.
        people: ids of people; None is everybody.
        attributes: group -> value that is asserted, a parent or a child of it not counted.

    Raises:
        InputError: ``since`` is later than ``until``.
    """

    cameras: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    people: tuple[str, ...] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise InputError("`since` is later than `until`, and nobody is there then; change them round")

    def on_tracks(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """``query``, which has ``tracks``, with everything but attributes."""
        if self.cameras:
            query = query.where(tracks.c.camera.in_(sa.select(cameras.c.id).where(cameras.c.name.in_(self.cameras))))
        if self.since is not None:
            query = query.where(tracks.c.last_seen >= self.since)
        if self.until is not None:
            query = query.where(tracks.c.first_seen <= self.until)
        if self.people is not None:
            query = query.where(tracks.c.person.in_(self.people))
        return query


EVERYBODY = Filters()

LARGEST = 2**63 - 1
"""Number that a database can hold."""


@dataclass(frozen=True)
class Page:
    """Part of a list; ``next`` is where the following part begins, None at the end."""

    items: tuple[Described, ...]
    next: str | None


@dataclass(frozen=True)
class Held:
    """What holds of one person: number of the track, when last seen (seconds since the epoch), and what was said."""

    number: int
    last_seen: float
    described: Described

    @property
    def place(self) -> str:
        """Of this person in a list: what follows begins behind it."""
        return f"{self.last_seen.hex()}_{self.number}"


@dataclass(frozen=True)
class Camera:
    """One camera: how many people it saw, when the last one, and what is kept for how long (None: for ever)."""

    name: str
    people: int
    last_seen: float | None
    keep_days: float | None
    crop_days: float | None
    keep_crops: bool


_EVENT = (
    descriptions.c.id, descriptions.c.event_id, descriptions.c.model, descriptions.c.revision, descriptions.c.trigger,
    descriptions.c.frame_time, descriptions.c.described_at, descriptions.c.final, descriptions.c.text,
    descriptions.c.attributes, descriptions.c.scores, descriptions.c.quality, descriptions.c.crops, tracks.c.person,
    tracks.c.track_id, tracks.c.first_seen, tracks.c.last_seen, cameras.c.name.label("camera_name"),
)  # fmt: skip


def _events() -> sa.Select[Any]:
    """Every description with its track."""
    joined = descriptions.join(tracks, tracks.c.id == descriptions.c.track)
    joined = joined.join(cameras, cameras.c.id == tracks.c.camera)
    return sa.select(*_EVENT).select_from(joined)


def _holding(scores: bool = True) -> sa.Select[Any]:
    """Every track with the description that holds; with scores and embedding, or without."""
    joined = tracks.join(descriptions, descriptions.c.id == tracks.c.description)
    joined = joined.join(cameras, cameras.c.id == tracks.c.camera)
    if not scores:
        columns = [sa.null().label("scores") if column is descriptions.c.scores else column for column in _EVENT]
        return sa.select(*columns, tracks.c.id.label("track")).select_from(joined)
    joined = joined.join(embeddings, embeddings.c.track == tracks.c.id, isouter=True)
    return sa.select(*_EVENT, tracks.c.id.label("track"), embeddings.c.vector).select_from(joined)


def latest(connection: sa.Connection, terms: Terms, person: str) -> Described | None:
    """What holds of ``person``, or None where nobody has this id."""
    row = connection.execute(_holding().where(tracks.c.person == person)).mappings().first()
    return None if row is None else rows.described(row, terms)


_BY_TRACKS = {scores: _holding(scores).where(tracks.c.id.in_(sa.bindparam("numbers", expanding=True)))
              for scores in (True, False)}  # fmt: skip


def by_tracks(connection: sa.Connection, terms: Terms, numbers: Sequence[int], *,
              scores: bool = True) -> dict[int, Described]:  # fmt: skip
    """tracks.id -> what holds of the person, with or without scores and embedding."""
    found = connection.execute(_BY_TRACKS[scores], {"numbers": numbers}).mappings()
    return {row["track"]: rows.described(row, terms) for row in found}


def story(connection: sa.Connection, terms: Terms, person: str) -> list[Described]:
    """Everything that was said about ``person``, by revision; empty where nobody has this id."""
    query = _events().where(tracks.c.person == person)
    query = query.order_by(descriptions.c.revision, descriptions.c.described_at, descriptions.c.id)
    return [rows.described(row, terms) for row in connection.execute(query).mappings()]


def people(connection: sa.Connection, terms: Terms, filters: Filters, after: str | None, limit: int) -> Page:
    """What holds of people, who was seen last first. Raises what :func:`held` does."""
    found = held(connection, terms, filters, limit + 1, after)
    return Page(tuple(one.described for one in found[:limit]), found[limit - 1].place if len(found) > limit else None)


def held(connection: sa.Connection, terms: Terms, filters: Filters, limit: int, after: str | None = None, *,
         scores: bool = True) -> list[Held]:  # fmt: skip
    """What holds of people, who was seen last first, with scores and embeddings or without.

    Raises:
        InputError: the cursor is none of ours, or an attribute does not exist.
    """
    query = filters.on_tracks(_holding(scores))
    for group, value in filters.attributes.items():
        if (group, value) not in terms.ids:
            legal = ", ".join(GROUP[group].values if group in GROUP else GROUP)
            raise InputError(f"{group} = {value!r} cannot be asked for; legal: {legal}")
        asserted = sa.select(attributes.c.track).where(attributes.c.term == terms.ids[group, value])
        query = query.where(tracks.c.id.in_(asserted))
    if after is not None:
        try:
            time, number = after.split("_")
            place = (float.fromhex(time), int(number))
            if not (isfinite(place[0]) and abs(place[1]) <= LARGEST):
                raise ValueError
        except (ValueError, OverflowError):
            raise InputError(f"{after[:80]!r} is not a place in a list of people") from None
        query = query.where(sa.tuple_(tracks.c.last_seen, tracks.c.id) < place)
    query = query.order_by(tracks.c.last_seen.desc(), tracks.c.id.desc()).limit(limit)
    found = connection.execute(query).mappings()
    return [Held(row["track"], float(row["last_seen"]), rows.described(row, terms)) for row in found]


def history(connection: sa.Connection, terms: Terms, filters: Filters, part: int = 500) -> Iterator[Described]:
    """Everything that models said between the times of ``filters``, by time of the frame, then as it was stored."""
    query = _events().where(descriptions.c.corrects.is_(None))
    if filters.cameras:
        query = query.where(cameras.c.name.in_(filters.cameras))
    if filters.people is not None:
        query = query.where(tracks.c.person.in_(filters.people))
    if filters.since is not None:
        query = query.where(descriptions.c.frame_time >= filters.since)
    if filters.until is not None:
        query = query.where(descriptions.c.frame_time <= filters.until)
    query = query.order_by(descriptions.c.frame_time, descriptions.c.id).limit(part)
    place: tuple[float, int] | None = None
    while True:
        here = query
        if place is not None:
            here = query.where(sa.tuple_(descriptions.c.frame_time, descriptions.c.id) > place)
        found = connection.execute(here).mappings().all()
        yield from (rows.described(row, terms) for row in found)
        if len(found) < part:
            return
        place = (found[-1]["frame_time"], found[-1]["id"])


def after(connection: sa.Connection, terms: Terms, number: int, limit: int) -> list[tuple[int, Described]]:
    """What was stored after row ``number``, in that order, each with its own number."""
    query = _events().where(descriptions.c.id > number).order_by(descriptions.c.id).limit(limit)
    return [(row["id"], rows.described(row, terms)) for row in connection.execute(query).mappings()]


def last_number(connection: sa.Connection) -> int:
    """The highest number of a stored description; 0 where there is none."""
    return connection.scalar(sa.select(sa.func.max(descriptions.c.id))) or 0


def all_cameras(connection: sa.Connection) -> list[Camera]:
    """Cameras by name."""
    counted = sa.select(tracks.c.camera, sa.func.count().label("people"), sa.func.max(tracks.c.last_seen).label("last"))
    seen = counted.group_by(tracks.c.camera).subquery()
    query = sa.select(cameras, seen.c.people, seen.c.last).join_from(cameras, seen, seen.c.camera == cameras.c.id,
                                                                     isouter=True)  # fmt: skip
    return [Camera(row.name, row.people or 0, row.last, row.keep_days, row.crop_days, row.keep_crops)
            for row in connection.execute(query.order_by(cameras.c.name))]  # fmt: skip


def camera_of(connection: sa.Connection, reference: str) -> str | None:
    """The camera whose picture lies at ``reference`` of the blobs, or None where no description has it."""
    event = reference.rpartition("/")[2].partition("-")[0]
    query = _events().where(descriptions.c.event_id == event)
    for row in connection.execute(query).mappings():
        if f'"{reference}"' in row["crops"]:
            return str(row["camera_name"])
    return None
