"""The store: everything that was said about people, found again in plain words."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from personvlm.base.errors import InputError
from personvlm.schema import Described
from personvlm.store import (
    audit,
    corrections,
    database,
    erasing,
    fold,
    links,
    pictures,
    reading,
    retention,
    search,
    writing,
)
from personvlm.store.audit import Entry
from personvlm.store.blobs import Blobs
from personvlm.store.corrections import Correction
from personvlm.store.erasing import Receipt
from personvlm.store.judge import Looks
from personvlm.store.links import StoredLink
from personvlm.store.query import Query
from personvlm.store.reading import EVERYBODY, Camera, Filters, Page
from personvlm.store.retention import Sweep
from personvlm.store.rows import Said, Seen
from personvlm.store.search import Results
from personvlm.store.segments import Segments
from personvlm.store.vocabulary import numbered


class Store:
    """Descriptions of people, on SQLite or PostgreSQL.

    Attributes:
        engine: for tables of :mod:`personvlm.store.tables` that other rooms keep in the same database.
        blobs: where pictures go; None drops them.

    Example:
        >>> import tempfile
        >>> store = Store.open(tempfile.mkdtemp() + "/people.db")
        >>> store.add([])
        []
    """

    def __init__(self, engine: sa.Engine, blobs: Blobs | None) -> None:
        self.engine, self.blobs = engine, blobs
        self.terms = numbered(engine)
        self._segments = Segments()
        self._added = 0

    @classmethod
    def open(cls, where: str | Path, *, blobs: Blobs | str | Path | None = None, keep_crops: bool = True,
             upgrade: bool | None = None) -> Store:  # fmt: skip
        """The store at a path, ``sqlite:///path`` or ``postgresql://user:password@host/name``.

        Args:
            blobs: where pictures of people go: a folder or an address for fsspec. By default a folder beside a SQLite
                file, named ``<file>.crops``; with PostgreSQL none are kept.
            keep_crops: False keeps no pictures at all.
            upgrade: see :func:`personvlm.store.database.connect`.

        Raises:
            InputError: the database cannot be reached, or its tables are of another version.
        """
        engine = database.connect(where, upgrade=upgrade)
        if blobs is None and database.is_sqlite(engine):
            blobs = f"{engine.url.database}.crops"
        opened = blobs if blobs is None or isinstance(blobs, Blobs) else Blobs.open(blobs)
        return cls(engine, opened if keep_crops else None)

    def close(self) -> None:
        """Give connections back."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction that may write. On SQLite only one is open at a time; others wait for it."""
        with self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and sees one moment of the database. It waits for nobody."""
        with database.reading(self.engine) as connection:
            yield connection

    def ping(self) -> None:
        """Raise ``sqlalchemy.exc.SQLAlchemyError`` where the database does not answer."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    # ---- writing

    def add(self, described: Sequence[Described], connection: sa.Connection | None = None) -> list[bool]:
        """Store what was said; doing it twice stores it once.

        Args:
            described: of any people, in any order.
            connection: write in this transaction, which somebody else commits.

        Returns:
            For each, whether it is new; False where the same event was described by the same model before.
        """
        if not described:
            return []
        kept = pictures.keep(self.engine, self.blobs, described, connection)
        seen = [Seen.of(one.request, one.described_at, references)
                for one, references in zip(described, kept, strict=True)]  # fmt: skip
        said = Said.of([one.description for one in described], self.terms)
        new = self.insert(list(zip(seen, said, strict=True)), connection)
        old = [one for one, is_new in zip(described, new, strict=True) if not is_new]
        pictures.refuse(self.engine, self.blobs, old, connection)
        return new

    def insert(self, rows: Sequence[tuple[Seen, Said]], connection: sa.Connection | None = None) -> list[bool]:
        """Store rows as :meth:`add` makes them; for who loads millions."""
        with database.writing(self.engine, connection) as own:
            new = writing.insert(own, rows, self.terms)
            self._added += sum(new)
            if self._added >= fold.MOST // 2:
                self._added = 0
                if fold.due(own):
                    fold.fold(own)
        return new

    def fold(self) -> int:
        """Move everybody who was stored lately into the segments that search reads; returns how many.

        It happens by itself whenever there are some two thousand; worth a call after a large load.
        """
        with self.begin() as connection:
            return fold.fold(connection, everybody=True)

    def known(self, event_ids: Sequence[str], model: str) -> set[str]:
        """Those of ``event_ids`` that ``model`` has described."""
        with self.read() as connection:
            return {event for event, _ in writing.known(connection, ((event, model) for event in event_ids))}

    # ---- reading

    def latest(self, person: str) -> Described | None:
        """What holds of the person with this id, or None where nobody has it."""
        with self.read() as connection:
            return reading.latest(connection, self.terms, person)

    def story(self, person: str) -> list[Described]:
        """Everything that was said about one person, the first revision first."""
        with self.read() as connection:
            return reading.story(connection, self.terms, person)

    def people(self, filters: Filters = EVERYBODY, *, after: str | None = None, limit: int = 50) -> Page:
        """What holds of people, who was seen last first; ``after`` is :attr:`Page.next` of the page before."""
        with self.read() as connection:
            return reading.people(connection, self.terms, filters, after, limit)

    def history(self, since: float | None = None, until: float | None = None, cameras: Sequence[str] = (),
                people: Sequence[str] | None = None) -> Iterator[Described]:  # fmt: skip
        """Everything that models ever said, by time of the frame; times in seconds since the epoch, both included."""
        asked = Filters(tuple(cameras), since, until, None if people is None else tuple(people))
        with self.read() as connection:
            yield from reading.history(connection, self.terms, asked)

    def after(self, number: int, limit: int = 100) -> list[tuple[int, Described]]:
        """What was stored after row ``number`` (see :meth:`last_number`), each with its own number.

        On PostgreSQL a transaction that commits late may add rows below numbers that were given before.
        """
        with self.read() as connection:
            return reading.after(connection, self.terms, number, limit)

    def last_number(self) -> int:
        """The highest number of a stored description; 0 where there is none."""
        with self.read() as connection:
            return reading.last_number(connection)

    def cameras(self) -> list[Camera]:
        """Every camera, by name."""
        with self.read() as connection:
            return reading.all_cameras(connection)

    def camera_of(self, reference: str) -> str | None:
        """The camera whose picture lies at ``reference`` of :attr:`blobs`; None where nobody has it."""
        with self.read() as connection:
            return reading.camera_of(connection, reference)

    # ---- search

    def search(self, query: Query | str = "", *, filters: Filters = EVERYBODY, looks: Looks | None = None,
               limit: int = 20, offset: int = 0, facets: Sequence[str] = ()) -> Results:  # fmt: skip
        """People who fit, the most probable first.

        Args:
            query: plain words ("woman in a red jacket without a hat, about thirty"), or parsed ones.
            filters: who is looked at in the first place; their ``attributes`` are not used here: ask for them.
            looks: an appearance that is looked for as well.
            limit, offset: which part of the ranking.
            facets: "camera" or groups, whose values are counted among those who fit.

        Raises:
            InputError: there is no such camera or facet.
        """
        with self.read() as connection:
            return search.search(connection, self._segments, self.terms, query, filters=filters, looks=looks,
                                 limit=limit, offset=offset, facets=facets)  # fmt: skip

    def similar(self, person: str, *, filters: Filters = EVERYBODY, limit: int = 20) -> Results:
        """People who look like ``person``, who comes first.

        Raises:
            InputError: nobody has this id, or nothing is known of the appearance.
        """
        described = self.latest(person)
        if described is None:
            raise InputError(f"no person {person!r} in this store")
        said = described.description
        if said.embedding is None:
            raise InputError(f"person {person} has no embedding: {said.model or 'its model'} gives none")
        return self.search(filters=filters, looks=Looks(said.embedding, said.model), limit=limit)

    # ---- who is who

    def link(self, one: str, other: str, probability: float, by: str = "identity",
             connection: sa.Connection | None = None) -> bool:  # fmt: skip
        """Say that two people are one; see :func:`personvlm.store.links.link`."""
        with database.writing(self.engine, connection) as own:
            return links.link(own, one, other, probability, by)

    def undo(self, one: str, other: str, by: str = "somebody", connection: sa.Connection | None = None) -> None:
        """Take back that two people are one; see :func:`personvlm.store.links.undo`."""
        with database.writing(self.engine, connection) as own:
            links.undo(own, one, other, by)

    def links(self, person: str | None = None, *, undone: bool = False) -> list[StoredLink]:
        """Links of one person, or all."""
        with self.read() as connection:
            return links.all_links(connection, person, undone=undone)

    def same_as(self, person: str, connection: sa.Connection | None = None) -> tuple[str, ...]:
        """Everybody whom links connect with ``person``, itself first."""
        with database.reading(self.engine, connection) as own:
            return links.same_as(own, person)

    # ---- putting right

    def correct(self, person: str, group: str, value: str | Sequence[str], by: str = "somebody",
                connection: sa.Connection | None = None) -> Correction:  # fmt: skip
        """Put one attribute of a person right. From now on it holds with probability 1, source ``given``, whatever a
        model says later, in lists, search, facets and the live feed; what was said before stays in the story. Said
        twice, it is kept once. ``value`` is one, several of a set, or ``unknown``.

        Raises:
            InputError: nobody has this id, or there is no such group or value (with the legal ones).
        """
        with database.writing(self.engine, connection) as own, writing.correcting(own, person, self.terms):
            return corrections.correct(own, person, group, value, by)

    def undo_correction(self, number: int, by: str = "somebody", connection: sa.Connection | None = None) -> Correction:
        """Take a correction back: what was put right before it holds again, or what the model says. ``InputError``
        where there is none of this number, or it was undone before."""
        with database.writing(self.engine, connection) as own:
            person = corrections.person_of(own, number)
            with writing.correcting(own, person, self.terms):
                return corrections.undo(own, number, by)

    def corrections(self, person: str | None = None, *, undone: bool = False) -> list[Correction]:
        """What was put right of one person, or of all, the oldest first. Of each person and group the latest holds."""
        with self.read() as connection:
            return corrections.kept(connection, person, undone=undone)

    # ---- forgetting

    def erase(self, people: Sequence[str], *, identity: bool = False, actor: str = "somebody", reason: str = "",
              scrub: bool = True) -> Receipt:  # fmt: skip
        """Forget people: descriptions, vectors, pictures, search rows, links, alerts and what waits in the queue of
        this database. Who was erased is not stored again, however late an answer comes.

        :func:`personvlm.pipeline.erase.erase` reaches queues and caches elsewhere too.

        Args:
            people: ids of tracks; those that nobody has count as erased.
            identity: everybody whom links connect with them as well.
            scrub: overwrite the free space too, which takes as long as copying the database. Until it is done, bytes
                of the people may be found in the files.
        """
        with self.begin() as connection:
            receipt = erasing.erase(connection, self.blobs, self.terms, people, identity=identity, actor=actor,
                                    reason=reason)  # fmt: skip
        left = erasing.scrub(self.engine) if scrub else (erasing.FREE_SPACE,)
        return replace(receipt, remaining=(*receipt.remaining, *left))

    def keep(self, camera: str, *, days: float | None = None, crop_days: float | None = None,
             crops: bool = True) -> None:  # fmt: skip
        """Say how long people of a camera are kept (None: for ever), their pictures, and whether there are any."""
        with self.begin() as connection:
            retention.keep(connection, camera, days=days, crop_days=crop_days, crops=crops)

    def sweep(self, now: float | None = None, *, scrub: bool = False) -> Sweep:
        """Erase who is older than their camera says, and blobs that have expired."""
        with self.begin() as connection:
            swept = retention.sweep(connection, self.blobs, self.terms, now)
        if scrub and swept.people:
            erasing.scrub(self.engine)
        return swept

    def scrub(self) -> tuple[str, ...]:
        """Overwrite free space; see :func:`personvlm.store.erasing.scrub`."""
        return erasing.scrub(self.engine)

    # ---- audit

    def audit(self, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None,
              connection: sa.Connection | None = None) -> Entry:  # fmt: skip
        """Write down who did what. In a transaction of its own, or in that of ``connection``."""
        with database.writing(self.engine, connection) as own:
            return audit.add(own, actor, action, subject, detail or {}, at=time.time())

    def audited(self, after: int = 0, limit: int = 100) -> list[Entry]:
        """Rows of the audit with a higher number than ``after``, the oldest first."""
        with self.read() as connection:
            return audit.entries(connection, after, limit)

    def last_audited(self) -> tuple[int, str] | None:
        """Number and hash of the latest row of the audit."""
        with self.read() as connection:
            return audit.last(connection)

    def verify_audit(self, last_hash: str | None = None) -> str | None:
        """What is wrong with the audit, or None; see :func:`personvlm.store.audit.verify`."""
        with self.read() as connection:
            return audit.verify(connection, last_hash)
