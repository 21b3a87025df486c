"""Forgetting people: every row, every index, every picture, and the free space where they stood."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from personvlm.store import audit, bulk, fold, links, texts, writing
from personvlm.store.blobs import REFERENCE, Blobs, expired
from personvlm.store.codes import Terms
from personvlm.store.database import is_sqlite
from personvlm.store.tables import (
    alert_people,
    alert_states,
    alerts,
    corrections,
    deliveries,
    descriptions,
    embeddings,
    erased,
    queue_events,
    tracks,
)
from personvlm.store.tables import links as links_table

_REFERENCE = re.compile(REFERENCE.encode())
_REWRITTEN = ("descriptions", "tracks", "attributes", "embeddings", "corrections", "search_text", "search_columns",
              "search_recent", "alerts", "alert_people", "alert_states", "deliveries", "queue_events",
              "links")  # fmt: skip


FREE_SPACE = "the free space of the database: `personvlm store scrub`"
"""What remains until it is overwritten."""


@dataclass(frozen=True)
class Receipt:
    """What was erased, to be kept by whoever asked for it.

    Attributes:
        at: when, in seconds since the epoch.
        people: ids of the people, which say nothing about them.
        counts: how much of what.
        remaining: places that could hold copies and are not in reach of this program.
        audit: number and hash of the row of the audit that tells of it.
    """

    at: float
    actor: str
    reason: str
    people: tuple[str, ...]
    counts: dict[str, int]
    audit: tuple[int, str]
    remaining: tuple[str, ...] = field(default=())


def erase(connection: sa.Connection, blobs: Blobs | None, terms: Terms, people: Sequence[str], *, identity: bool,
          actor: str, reason: str, remember: bool = True) -> Receipt:  # fmt: skip
    """Delete people in the transaction of ``connection``; see :meth:`personvlm.store.store.Store.erase`.

    Pictures go first: if one is out of reach, nothing is erased and the same call can be made again. Where the place of
    pictures is not known, or another, the receipt names those that are left.
    """
    if not is_sqlite(connection):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": writing.ERASING})
    asked = list(dict.fromkeys(people))
    if identity:
        asked = list(dict.fromkeys(each for one in asked for each in links.same_as(connection, one)))
    counts: dict[str, int] = {}
    left: list[str] = []
    for part in bulk.chunks(asked):
        counted, missed = _erase(connection, blobs, terms, part)
        left += missed
        for name, number in counted.items():
            counts[name] = counts.get(name, 0) + number
    now = time.time()
    if remember:
        bulk.insert(connection, erased, ("person", "at"), [(person, now) for person in asked], "ignore")
    detail = {"reason": reason, "identity": identity, "people": asked, "counts": counts}
    entry = audit.add(connection, actor, "erase", " ".join(asked[:3]) + (" ..." if len(asked) > 3 else ""), detail, now)
    return Receipt(entry.at, actor, reason, tuple(asked), counts, (entry.id, entry.hash), _remaining(left, blobs, now))


def _remaining(left: Sequence[str], blobs: Blobs | None, now: float) -> tuple[str, ...]:
    """Pictures that were not found where they should be, and whose time is not over. Nothing else names them now."""
    kept = sorted(each for each in left if not (each.startswith("until/") and expired(each, now)))
    where = "no place of pictures was named (--blobs)" if blobs is None else f"they are not in {blobs.where}"
    return (f"pictures, since {where}; delete them where they are: {', '.join(kept)}",) if kept else ()


def _erase(connection: sa.Connection, blobs: Blobs | None, terms: Terms,
           people: Sequence[str]) -> tuple[dict[str, int], list[str]]:  # fmt: skip
    """What was deleted, by name, and references of pictures that were not found."""
    query = sa.select(tracks.c.id, descriptions.c.text, descriptions.c.attributes).join_from(
        tracks, descriptions, descriptions.c.id == tracks.c.description, isouter=True
    )
    held = connection.execute(query.where(tracks.c.person.in_(people))).all()
    numbers = [row.id for row in held]
    said = connection.execute(sa.select(descriptions.c.id, descriptions.c.crops, descriptions.c.event_id)
                              .where(descriptions.c.track.in_(numbers))).all()  # fmt: skip
    raised = list(connection.scalars(sa.union(
        sa.select(alerts.c.id).where(alerts.c.person.in_(people)),
        sa.select(alert_people.c.alert).where(alert_people.c.person.in_(people)),
    )))  # fmt: skip
    queued = connection.execute(sa.select(queue_events.c.id, queue_events.c.message, queue_events.c.event_id)
                                .where(queue_events.c.person.in_(people))).all()  # fmt: skip
    pictures: set[str] = {crop[0] for row in said for crop in json.loads(row.crops) if crop[0]}
    # What an alert shows of somebody else, who joined it, stays theirs; what is kept of these people was named above.
    shown = sa.select(alerts.c.crop).where(alerts.c.id.in_(raised), alerts.c.crop.like("until/%"))
    pictures |= {crop for crop in connection.scalars(shown) if _REFERENCE.fullmatch(crop.encode())}
    pictures |= {found.decode() for row in queued for found in _REFERENCE.findall(row.message)}
    deleted, left = 0, sorted(pictures)
    if blobs is not None:
        # Also what a transaction put there that never committed: names follow from the event.
        events = {row.event_id for row in (*said, *queued)}
        every = pictures | {blobs.reference(f"{event}-{number}") for event in events for number in range(8)}
        gone_now = {picture for picture in sorted(every) if blobs.delete(picture)}
        deleted, left = len(gone_now), sorted(pictures - gone_now)
    writing.unindex(connection, [(row.id, row.text, row.attributes) for row in held if row.text is not None], terms)
    fold.blank(connection, numbers)
    gone = {
        "corrections": corrections.c.track.in_(numbers),
        "embeddings": embeddings.c.track.in_(numbers), "descriptions": descriptions.c.track.in_(numbers),
        "tracks": tracks.c.id.in_(numbers), "deliveries": deliveries.c.alert.in_(raised),
        "alert_people": alert_people.c.alert.in_(raised), "alerts": alerts.c.id.in_(raised),
        "alert_states": alert_states.c.person.in_(people), "queue_events": queue_events.c.person.in_(people),
        "links": sa.or_(links_table.c.one.in_(people), links_table.c.other.in_(people)),
    }  # fmt: skip
    counts = {name: connection.execute(sa.delete(tracks.metadata.tables[name]).where(where)).rowcount
              for name, where in gone.items()}  # fmt: skip
    return {**counts, "pictures": deleted}, left


def scrub(engine: sa.Engine) -> tuple[str, ...]:
    """Overwrite the free space of the database; returns what remains elsewhere.

    SQLite: the full text index is merged, the file written anew, the log emptied. PostgreSQL: the tables are written
    anew (``VACUUM FULL``, which locks them meanwhile). It takes as long as copying the database.
    """
    if is_sqlite(engine):
        with engine.begin() as connection:
            texts.scrub(connection)
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("VACUUM")
            busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            raw.close()
        log = ("the write-ahead log, until everybody who reads the database is done",)
        return (*(log if busy else ()), "backups of the database file")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in _REWRITTEN:
            connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table}")
        with contextlib.suppress(SQLAlchemyError):  # only a superuser may; samples of words stand there until then
            connection.exec_driver_sql("VACUUM (FULL) pg_statistic")
            connection.exec_driver_sql("CHECKPOINT")
    return ("PostgreSQL's write-ahead log, until the server reuses its files (wal_recycle = off: deletes them)",
            "backups and archived logs")  # fmt: skip


def old_people(connection: sa.Connection, camera: int, before: float) -> list[str]:
    """Ids of people whom a camera last saw before a time."""
    query = sa.select(tracks.c.person).where(tracks.c.camera == camera, tracks.c.last_seen < before)
    return list(connection.scalars(query))


def pictured(connection: sa.Connection, camera: int, before: float) -> dict[str, int]:
    """How many pictures are kept of people whom a camera last saw before a time, by their ids."""
    found: dict[str, set[str]] = {}
    for _, crops, person in connection.execute(_pictures(camera, before)):
        found.setdefault(person, set()).update(crop[0] for crop in json.loads(crops) if crop[0])
    return {person: len(references) for person, references in found.items()}


def _pictures(camera: int, before: float) -> sa.Select[Any]:
    query = sa.select(descriptions.c.id, descriptions.c.crops, tracks.c.person).join_from(
        descriptions, tracks, tracks.c.id == descriptions.c.track
    )
    return query.where(tracks.c.camera == camera, tracks.c.last_seen < before, descriptions.c.crops.like('%["%'))


def drop_pictures(connection: sa.Connection, blobs: Blobs, camera: int, before: float) -> int:
    """Delete the pictures of people whom a camera last saw before a time; what was said stays. Returns how many.

    Alerts that show one of them show none from then on.
    """
    deleted, kept = 0, []
    gone: dict[str, set[str]] = {}
    for number, crops, person in connection.execute(_pictures(camera, before)).all():
        listed = json.loads(crops)
        references = {crop[0] for crop in listed if crop[0]}
        gone.setdefault(person, set()).update(references)
        deleted += sum(blobs.delete(reference) for reference in references)
        kept.append((number, json.dumps([[None, *crop[1:]] for crop in listed], separators=(",", ":"))))
    bulk.update(connection, descriptions, "id", ("crops",), kept)
    _drop_from_alerts(connection, gone)
    return deleted


def _drop_from_alerts(connection: sa.Connection, gone: dict[str, set[str]]) -> None:
    """Let alerts not name pictures that are gone, by person, any more."""
    for people in bulk.chunks(gone):
        theirs = sa.select(alert_people.c.alert).where(alert_people.c.person.in_(people))
        query = sa.select(alerts.c.id, alerts.c.crop).where(alerts.c.id.in_(theirs), alerts.c.crop.is_not(None))
        references = set().union(*(gone[person] for person in people))
        bare = [(id, None) for id, crop in connection.execute(query).all() if crop in references]
        bulk.update(connection, alerts, "id", ("crop",), bare)
