"""Who else somebody is, where and when: the judgement of :class:`personvlm.video.identity.Gallery` over what is stored.

The same people are compared, by the same likeness and ways between cameras, as in a run; a link is made only between
people who have both left, so that it does not matter which of them was described first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.schema import Described, Track
from personvlm.schema.groups import column_slices, columns
from personvlm.store import links
from personvlm.store.codes import Terms, decode
from personvlm.store.database import is_sqlite
from personvlm.store.links import StoredLink
from personvlm.store.store import Store
from personvlm.store.tables import cameras, descriptions, embeddings, tracks
from personvlm.video.identity import Gallery, Identity, Link, Sighting
from personvlm.video.likeness import Looks

LINKING = 0x7065726C6E
"""Lock of PostgreSQL that is held by who links: of two people who are stored at the same time, the second sees the
first."""

_LONGEST = 86_400.0
"""Seconds for which nobody stands before one camera; lets the database look at few people."""


@dataclass(frozen=True)
class Other:
    """Somebody who may be the person that was asked about.

    Attributes:
        person, camera, track: the sighting that is most alike.
        first_seen, last_seen: seconds since the epoch.
        probability: calibrated, that this is the same person; None where it cannot be judged: seen too long before or
            after, on the way between two cameras that takes another time, described by another model, or undone.
        link: whether they are linked, or were and somebody took it back.
        linked: probability that the link was made with.
        linked_by: who made the link, or took it back.
        also: ids of further sightings of the same person.
    """

    person: str
    camera: str
    track: int
    first_seen: float
    last_seen: float
    probability: float | None
    link: Literal["linked", "undone"] | None = None
    linked: float | None = None
    linked_by: str | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Who:
    """Who else ``person`` is: the likeliest first, and then those of whom there is only a link to tell.

    Attributes:
        nobody: probability that it is nobody of the people who were compared.
    """

    person: str
    others: tuple[Other, ...]
    nobody: float


def who(store: Store, person: str, *, identity: Identity | None = None, within: float | None = None,
        top: int = 5) -> Who:  # fmt: skip
    """Who else ``person`` may be, where and when.

    Args:
        identity: how people are known again; ways between cameras stand there.
        within: seconds before and after, in place of ``identity.expiry``.
        top: people at most; whoever is linked is named in any case.

    Raises:
        InputError: nobody has this id, or nothing is known of the appearance.
    """
    settings = identity or Identity()
    if within is not None:
        settings = replace(settings, expiry=within)
    with store.read() as connection:
        asked = _Asked.of(connection, store.terms, person, settings)
        if asked.sighting.looks is None:
            raise InputError(f"person {person} has no embedding: {asked.model or 'its model'} gives none")
        mine = {_other(link, person): link for link in asked.mine}
        others = [link for link in asked.links if person not in (link.sighting, link.same_as)]
        rest = Gallery.of(asked.sightings, others)
        ranked = asked.gallery().ask(asked.sighting, max(1, len(asked.sightings)))
        found: list[Other] = []
        for number, (sighting, probability) in enumerate(ranked):
            group = rest.person(sighting.id)
            link = next((mine[each] for each in sorted(group) if each in mine and mine[each].undone_at is None), None)
            if number < top or link is not None:
                found.append(asked.other(sighting, probability, link, tuple(sorted(group - {sighting.id}))))
        named = {each for other in found for each in (other.person, *other.also)}
        left = [each for each in mine if each not in named]
        known = {row.person: row for row in connection.execute(_sightings().where(tracks.c.person.in_(left)))}
        found += [_told(known[each], mine[each]) for each in left if each in known]
    return Who(person, tuple(found), max(0.0, 1.0 - sum(probability for _, probability in ranked)))


def link_again(connection: sa.Connection, terms: Terms, person: str, identity: Identity | None = None,
               by: str = "identity") -> StoredLink | None:  # fmt: skip
    """Link ``person``, who has left, with whoever of those who have left it is, if that is sure enough.

    In the transaction that stores the person: done with it or not at all. What somebody undid is not linked again, and
    whoever is linked already stays so.

    Returns:
        The link that was made.
    """
    settings = identity or Identity()
    if not is_sqlite(connection):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LINKING})
    try:
        asked = _Asked.of(connection, terms, person, settings)
    except InputError:  # erased, or not stored
        return None
    if asked.sighting.looks is None or any(each.one == person and each.undone_at is None for each in asked.mine):
        return None
    asked = replace(asked, sightings=tuple(each for each in asked.sightings if each.over))
    made = asked.gallery().match(asked.sighting)
    if made is None or not links.link(connection, person, made.same_as, made.probability, by):
        return None
    return StoredLink(person, made.same_as, made.probability, time.time(), by)


class Linking:
    """Links who has left with whoever else it is, for :class:`personvlm.events.worker.Worker` and whoever else stores:
    called with what was new, in the transaction that stores it.

    Args:
        store: where people are.
        identity: how people are known again.
        then: called with the same afterwards (alerts, which ask who is one person).
    """

    def __init__(self, store: Store, identity: Identity | None = None,
                 then: Callable[[Sequence[Described], sa.Connection], Any] | None = None) -> None:  # fmt: skip
        self._store, self._identity, self._then = store, identity, then

    def __call__(self, described: Sequence[Described], connection: sa.Connection) -> Any:
        """Link the people of ``described`` of whom nothing more will come."""
        for person in dict.fromkeys(one.request.person for one in described if one.request.final):
            link_again(connection, self._store.terms, person, self._identity)
        return None if self._then is None else self._then(described, connection)


@dataclass(frozen=True)
class _Asked:
    """A person and everybody who may be compared, with what is said of who is who."""

    sighting: Sighting
    model: str
    sightings: tuple[Sighting, ...]
    mine: tuple[StoredLink, ...]
    links: tuple[Link, ...]
    apart: tuple[tuple[str, str], ...]
    settings: Identity

    @classmethod
    def of(cls, connection: sa.Connection, terms: Terms, person: str, settings: Identity) -> _Asked:
        own = connection.execute(_sightings().where(tracks.c.person == person)).first()
        if own is None:
            raise InputError(f"no person {person!r} in this store")
        near = _sightings().where(
            tracks.c.person != person, embeddings.c.model == own.model,
            tracks.c.last_seen >= own.first_seen - settings.expiry,
            tracks.c.last_seen <= own.last_seen + settings.expiry + _LONGEST,
            tracks.c.first_seen <= own.last_seen + settings.expiry,
        ).order_by(sa.func.abs(tracks.c.last_seen - own.last_seen), tracks.c.id).limit(settings.most)  # fmt: skip
        rows = connection.execute(near).all()
        seen = _looked_at([*rows, own], terms, settings)
        said = links.among(connection, [one.id for one in seen])
        return cls(
            seen[-1], own.model or own.said_by, tuple(seen),
            tuple(each for each in said if person in (each.one, each.other)),
            tuple(Link(each.one, each.other, each.probability) for each in said if each.undone_at is None),
            tuple((each.one, each.other) for each in said if each.undone_at is not None), settings,
        )  # fmt: skip

    def gallery(self) -> Gallery:
        return Gallery.of(self.sightings, self.links, self.apart, self.settings)

    def other(self, sighting: Sighting, probability: float, link: StoredLink | None, also: tuple[str, ...]) -> Other:
        track = sighting.track
        alone = Other(sighting.id, track.camera, track.track_id, track.first_seen, track.last_seen, probability,
                      also=also)  # fmt: skip
        if link is None:
            return alone
        return replace(alone, link="linked", linked=link.probability, linked_by=link.made_by)


def _other(link: StoredLink, person: str) -> str:
    return link.other if link.one == person else link.one


def _told(row: Any, link: StoredLink) -> Other:
    undone = link.undone_at is not None
    return Other(row.person, row.camera_name, row.track_id, row.first_seen, row.last_seen, None,
                 "undone" if undone else "linked", link.probability,
                 link.undone_by if undone else link.made_by)  # fmt: skip


def _sightings() -> sa.Select[Any]:
    """Every track with what tells who it is."""
    joined = tracks.join(descriptions, descriptions.c.id == tracks.c.description)
    joined = joined.join(cameras, cameras.c.id == tracks.c.camera)
    joined = joined.join(embeddings, embeddings.c.track == tracks.c.id, isouter=True)
    return sa.select(
        tracks.c.person, tracks.c.track_id, tracks.c.first_seen, tracks.c.last_seen, tracks.c.final,
        cameras.c.name.label("camera_name"), descriptions.c.trigger, descriptions.c.scores,
        descriptions.c.model.label("said_by"), embeddings.c.model, embeddings.c.vector,
    ).select_from(joined)  # fmt: skip


def _looked_at(rows: Sequence[Any], terms: Terms, settings: Identity) -> list[Sighting]:
    scores, vectors = _scores([row.scores for row in rows], terms), iter(_vectors(rows))
    long_ago = time.time() - settings.expiry
    found = []
    for row, own in zip(rows, scores, strict=True):
        looks = None if row.vector is None else Looks(next(vectors), own)
        # Who brings pictures says of nobody that they have left; what is old or was found in an archive is over.
        over = bool(row.final) or row.trigger == "backfill" or row.last_seen < long_ago
        # Unchecked, since thousands are made for each question and the store holds what was checked.
        track = Track.model_construct(camera=row.camera_name, track_id=row.track_id, first_seen=row.first_seen,
                                      last_seen=row.last_seen)  # fmt: skip
        found.append(Sighting(row.person, track, looks, over))
    return found


def _vectors(rows: Sequence[Any]) -> NDArray[np.float32]:
    """Appearances ``[N, E]`` of the rows that have one, which are all of one model, L2-normalised."""
    stored = [row.vector for row in rows if row.vector is not None]
    if not stored:
        return np.zeros((0, 0), np.float32)
    found = np.frombuffer(b"".join(stored), "<f2").reshape(len(stored), -1).astype(np.float32)
    return np.asarray(found / np.maximum(1e-9, np.linalg.norm(found, axis=1, keepdims=True)), np.float32)


def _scores(stored: Sequence[bytes | None], terms: Terms) -> NDArray[np.float32]:
    """Probabilities ``[N, C]`` over :func:`personvlm.schema.groups.columns`, as :class:`Looks` has them."""
    numbers = np.array([terms.ids.get(each, terms.size) for each in columns()], np.int64)
    codes = np.zeros((len(stored), terms.size + 1), np.uint16)  # the last stands for what this database never knew
    for row, data in enumerate(stored):
        if data is not None:
            given = np.frombuffer(data, "<u2")
            codes[row, : len(given)] = given
    found = decode(codes[:, numbers]).astype(np.float32)
    for where in column_slices().values():
        part = found[:, where]
        known = ~np.isnan(part).all(1)
        part[known] = np.nan_to_num(part[known], nan=0.0)
    return found
