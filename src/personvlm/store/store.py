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
from personvlm.store import audit, database, erasing, fold, links, reading, retention, search, writing
from personvlm.store.audit import Entry
from personvlm.store.blobs import Blobs
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
        bare = self._without_crops(connection)
        rows = [(Seen.of(one.request, one.described_at, self._keep(one, bare)), Said.of(one.description, self.terms))
                for one in described]  # fmt: skip
        new = self.insert(rows, connection)
        self._refused([one for one, is_new in zip(described, new, strict=True) if not is_new], connection)
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

    def _without_crops(self, connection: sa.Connection | None) -> set[str]:
        if self.blobs is None:
            return set()
        with database.reading(self.engine, connection) as own:
            return retention.without_crops(own)

    def _refused(self, old: Sequence[Described], connection: sa.Connection | None) -> None:
        """Delete the pictures again of those who are not stored because they were erased."""
        if self.blobs is None or not old:
            return
        people = {one.request.person for one in old}
        with database.reading(self.engine, connection) as own:
            gone = writing.erased_people(own, people)
        for one in old:
            for number in range(len(one.request.crops) if one.request.person in gone else 0):
                self.blobs.delete(Blobs.reference(f"{one.request.event_id}-{number}"))

    def _keep(self, one: Described, bare: set[str]) -> tuple[str | None, ...]:
        """References of the pictures, which are put into the blobs first.

        Their names follow from the event, so that doing it again replaces them, and a transaction that fails leaves
        nothing that could not be found again.
        """
        if self.blobs is None or one.request.camera in bare:
            return tuple(None for _ in one.request.crops)
        kept: list[str | None] = []
        for number, crop in enumerate(one.request.crops):
            data = crop.data
            if data is None and crop.reference is not None and crop.reference.startswith("until/"):
                data = self.blobs.get(crop.reference)  # it would expire
            if data is not None:
                kept.append(self.blobs.put(data, name=f"{one.request.event_id}-{number}"))
            else:
                kept.append(crop.reference)
        return tuple(kept)

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
        """Everything that was ever said, by time of the frame; times in seconds since the epoch, both included."""
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
        left = ("the free space of the database: `personvlm store scrub`",)
        return replace(receipt, remaining=erasing.scrub(self.engine) if scrub else left)

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
