"""Putting described events into the tables: once each, and only the latest revision of a person holds."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from personvlm.store import bulk, corrections, texts
from personvlm.store.codes import Terms
from personvlm.store.database import is_sqlite
from personvlm.store.rows import Said, Seen
from personvlm.store.tables import attributes, cameras, descriptions, embeddings, search_recent, tracks

Row = tuple[Seen, Said]

ERASING = 0x7065727378
"""Lock of PostgreSQL that is shared by writers and held alone by who erases."""


@dataclass
class _Held:
    """A track as it stands: what holds of it, and what the indexes say of that."""

    id: int
    revision: int
    described_at: float
    first_seen: float
    last_seen: float
    final: bool
    text: str | None
    attributes: str | None
    description: int
    corrected: bool
    said: Said | None = None


def insert(connection: sa.Connection, rows: Sequence[Row], terms: Terms) -> list[bool]:
    """Store ``rows`` in the transaction of ``connection``; False for each that was stored before, or is about
    somebody who was erased."""
    new: list[bool] = []
    _keep_erasers_out(connection)
    for part in bulk.chunks(rows):
        new += _insert(connection, part, terms)
    return new


def _keep_erasers_out(connection: sa.Connection) -> None:
    """Whoever erases waits for those who write, and they for him: nobody comes back by being written meanwhile."""
    if not is_sqlite(connection):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": ERASING})


@contextlib.contextmanager
def correcting(connection: sa.Connection, person: str, terms: Terms) -> Iterator[None]:
    """Let what people put right hold of ``person``, and nothing that was taken back, as they leave it at the end.
    Whoever else writes about the person waits."""
    _keep_erasers_out(connection)
    held = _tracks(connection, [person]).get(person)
    yield
    base = corrections.base_of(connection, terms, person)
    if held is None or base is None:
        return
    held.description, held.said = corrections.rewrite(connection, terms, *base) or base[1:]
    connection.execute(tracks.update().where(tracks.c.id == held.id).values(description=held.description))
    _index(connection, [held], terms)


def known(connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of (event id, model) that are stored."""
    wanted = set(keys)
    found: set[tuple[str, str]] = set()
    for part in bulk.chunks(sorted({event for event, _ in wanted})):
        rows = bulk.among(connection, "SELECT event_id, model FROM descriptions WHERE event_id {these}", part)
        found |= {(event, model) for event, model in rows} & wanted
    return found


def _insert(connection: sa.Connection, rows: Sequence[Row], terms: Terms) -> list[bool]:
    before = known(connection, ((seen.event_id, said.model) for seen, said in rows))
    fresh: dict[tuple[str, str], Row] = {}
    gone = erased_people(connection, {seen.person for seen, _ in rows})
    for seen, said in rows:
        if (seen.event_id, said.model) not in before and seen.person not in gone:
            fresh.setdefault((seen.event_id, said.model), (seen, said))
    if not fresh:
        return [False] * len(rows)
    held = _held(connection, [seen for seen, _ in fresh.values()])
    ids = _describe(connection, fresh, held)
    changed = _settle(connection, ids, fresh, held, terms)
    _index(connection, changed, terms)
    stored, result = set(ids), []
    for seen, said in rows:
        result.append((seen.event_id, said.model) in stored)
        stored.discard((seen.event_id, said.model))  # the same again in one call is stored once
    return result


def erased_people(connection: sa.Connection, people: set[str]) -> set[str]:
    """Those of ``people`` who were erased."""
    return {person for (person,) in bulk.among(connection, "SELECT person FROM erased WHERE person {these}", people)}


def _held(connection: sa.Connection, seen: Sequence[Seen]) -> dict[str, _Held]:
    """The tracks of ``seen`` by person, made where they are new, and locked where others could change them."""
    names = sorted({one.camera for one in seen})
    known_cameras = _cameras(connection, names)
    if missing := [name for name in names if name not in known_cameras]:
        bulk.insert(connection, cameras, ("name",), [(name,) for name in missing], "ignore")
        known_cameras = _cameras(connection, names)
    people = {one.person: one for one in seen}
    there = {person for (person,) in bulk.among(connection, "SELECT person FROM tracks WHERE person {these}", people)}
    if new := [people[person] for person in sorted(people.keys() - there)]:
        bulk.insert(
            connection, tracks,
            ("person", "camera", "track_id", "first_seen", "last_seen", "final", "revision", "description"),
            [(one.person, known_cameras[one.camera], one.track_id, one.first_seen, one.last_seen, False, 0, 0)
             for one in new], "ignore",
        )  # fmt: skip
    return _tracks(connection, people)


def _tracks(connection: sa.Connection, people: Collection[str]) -> dict[str, _Held]:
    """Tracks by person, locked where others could change them."""
    if not is_sqlite(connection):
        # First the locks: what others changed while one waited for them is seen by the statement that follows.
        bulk.among(connection, "SELECT id FROM tracks WHERE person {these} ORDER BY id FOR UPDATE", people)
    return {
        person: _Held(number, revision, at or 0.0, first, last, bool(final), text, listed, description, bool(base))
        for person, number, revision, at, first, last, final, text, listed, description, base in bulk.among(
            connection, "SELECT person, tracks.id, tracks.revision, described_at, first_seen, last_seen, tracks.final, "
            "text, attributes, description, corrects FROM tracks LEFT JOIN descriptions "
            "ON descriptions.id = tracks.description WHERE person {these}", people)
    }  # fmt: skip


def _cameras(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in bulk.among(connection, "SELECT name, id FROM cameras WHERE name {these}", names)}


def _describe(connection: sa.Connection, fresh: dict[tuple[str, str], Row],
              held: dict[str, _Held]) -> dict[tuple[str, str], int]:  # fmt: skip
    """Insert the descriptions; (event id, model) -> descriptions.id of those that nobody else stored meanwhile."""
    names = ("event_id", "model", "track", "revision", "trigger", "frame_time", "described_at", "final", "text",
             "attributes", "scores", "quality", "crops")  # fmt: skip
    rows = [
        (seen.event_id, said.model, held[seen.person].id, seen.revision, seen.trigger, seen.frame_time,
         seen.described_at, seen.final, said.text, said.attributes,
         None if said.codes is None else said.codes.astype("<u2").tobytes(), said.quality, seen.crops)
        for seen, said in fresh.values()
    ]  # fmt: skip
    return {(event, model): number for (event, model), number
            in bulk.insert_new(connection, descriptions, names, rows, ("event_id", "model")).items()}  # fmt: skip


def _settle(connection: sa.Connection, ids: dict[tuple[str, str], int], fresh: dict[tuple[str, str], Row],
            held: dict[str, _Held], terms: Terms) -> list[_Held]:  # fmt: skip
    """Bring tracks up to date; those whose latest description is another one now."""
    touched: dict[int, _Held] = {}
    for key, number in ids.items():
        seen, said = fresh[key]
        track = held[seen.person]
        touched[track.id] = track
        track.first_seen = min(track.first_seen, seen.first_seen)
        track.last_seen = max(track.last_seen, seen.last_seen)
        track.final = track.final or seen.final
        if (seen.revision, seen.described_at) >= (track.revision, track.described_at):
            track.revision, track.described_at = seen.revision, seen.described_at
            track.description, track.said = number, said
    for track in touched.values():
        if track.corrected and track.said is not None:  # what people put right stays right
            right = corrections.rewrite(connection, terms, track.id, track.description, track.said)
            track.description, track.said = right or (track.description, track.said)
    bulk.update(connection, tracks, "id", ("first_seen", "last_seen", "final", "revision", "description"),
                [(one.id, one.first_seen, one.last_seen, one.final, one.revision, one.description)
                 for one in touched.values()])  # fmt: skip
    # A track that was made for an event which another transaction stored first, under another person, says nothing.
    empty = [one.id for one in held.values() if one.revision == 0]
    if empty:
        connection.execute(tracks.delete().where(tracks.c.id.in_(empty), tracks.c.revision == 0))
    return [one for one in touched.values() if one.said is not None]


def _index(connection: sa.Connection, changed: Sequence[_Held], terms: Terms) -> None:
    """What search knows of people whose latest description is another one now."""
    said = [(one.id, one.said) for one in changed if one.said is not None]
    unindex(connection, [(one.id, one.text or "", one.attributes or "{}") for one in changed if one.text is not None],
            terms)  # fmt: skip
    texts.add(connection, [(track, what.text) for track, what in said])
    facts = sorted((term, track, confidence) for track, what in said for term, confidence in what.facts)
    bulk.insert(connection, attributes, ("term", "track", "confidence"), facts)
    vectors = [(track, what.model, what.vector) for track, what in said if what.vector is not None]
    bulk.insert(connection, embeddings, ("track", "model", "vector"), vectors, "replace")
    bulk.delete(connection, embeddings, ("track",), [(track,) for track, what in said if what.vector is None])
    now = time.time()
    bulk.insert(connection, search_recent, ("track", "stamp"), sorted((track, now) for track, _ in said), "replace")


def unindex(connection: sa.Connection, rows: Sequence[tuple[int, str, str]], terms: Terms) -> None:
    """Take (tracks.id, text, attributes as JSON) that held until now out of full text and attributes."""
    if not rows:
        return
    texts.remove(connection, [(track, text) for track, text, _ in rows])
    gone = [
        (terms.ids[name, value], track)
        for track, _, asserted in rows for name, (values, _, _) in json.loads(asserted).items()
        for value in ([values] if isinstance(values, str) else values) if (name, value) in terms.ids
    ]  # fmt: skip
    bulk.delete(connection, attributes, ("term", "track"), gone)
