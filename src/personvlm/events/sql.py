"""A queue as a table with leases, on SQLite (several processes of one machine) and PostgreSQL (many machines).

Every operation is one transaction. PostgreSQL's claimers pass over rows that another one is about to take
(``FOR UPDATE SKIP LOCKED``); SQLite has one writer at a time. Where the store is in the same database,
:meth:`SqlQueue.ack` can be part of the transaction that stores the description.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, decode
from personvlm.events.polling import Left, PollingQueue, chunks, left_by_bytes, run_out
from personvlm.events.port import (
    COUNTERS,
    LANES,
    Capabilities,
    Choose,
    DeadLetter,
    Lease,
    PutResult,
    QueueDownError,
    QueueSettings,
    QueueStats,
)
from personvlm.events.sql_put import Putting
from personvlm.events.sql_statements import COUNTED, NOW, Statements
from personvlm.schema.events import DescribeRequest
from personvlm.store.database import connect, is_sqlite, reading, reason
from personvlm.store.tables import queue_events

_ROWS = queue_events.c


class SqlQueue(PollingQueue):
    """See :class:`personvlm.events.port.Queue`.

    Args:
        engine: of :func:`personvlm.store.database.connect`; that of a store may be shared.
        clock: seconds since the epoch, for SQLite; PostgreSQL has a clock of its own, the same for all machines.
    """

    capabilities = Capabilities(transactional=True)

    def __init__(self, engine: sa.Engine, settings: QueueSettings | None = None, blobs: Blobs | None = None, *,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        super().__init__(settings, blobs)
        self.engine, self._clock, self._own = engine, clock, False
        self._sqlite = is_sqlite(engine)
        self._sql = Statements(self._sqlite)
        self._shard = os.getpid() % 64  # so that processes seldom wait for each other's counters
        self._plenty = False  # the last claim got all that it asked for
        self._claimer, self._claims = uuid.uuid4().hex[:12], itertools.count(1)

    @classmethod
    def open(cls, url: str, settings: QueueSettings | None = None, blobs: Blobs | None = None) -> SqlQueue:
        """A queue with an engine of its own.

        Raises:
            InputError: see :func:`personvlm.store.database.connect`.
        """
        queue = cls(connect(url), settings, blobs)
        queue._own = True
        return queue

    # What is asked.

    def stats(self) -> QueueStats:
        """See :class:`personvlm.events.port.Queue`."""
        with self._reading() as connection:
            lanes = connection.execute(self._sql.lanes, self._now()).all()
            dead = connection.scalar(self._sql.count_dead) or 0
            counts = connection.execute(self._sql.sum_counts).one()._mapping
        waiting = {LANES[row.lane]: int(row.waiting or 0) for row in lanes}
        leased = sum(row.queued for row in lanes) - sum(waiting.values())
        return QueueStats(
            waiting={lane: waiting.get(lane, 0) for lane in LANES}, leased=leased, dead=dead,
            oldest_s=max((max(0.0, float(row.age or 0.0)) for row in lanes), default=0.0),
            **{name: int(counts[name] or 0) for name in COUNTERS},
        )  # fmt: skip

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """See :class:`personvlm.events.port.Queue`."""
        with self._reading() as connection:
            rows = connection.execute(self._sql.dead, {"count": limit}).all()
        return [_letter(row) for row in rows]

    # What changes something.

    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        with self._writing() as connection:
            putting = Putting(self._sql, connection, self.settings.depth, self._now())
            results = putting.put(items)
            self.count(connection, putting.counts)
        self._unshelve(putting.left)
        return results

    def _claim(self, count: int) -> list[Lease]:
        # Looking does not take the writer's place; where there was plenty, there will be more.
        if count < 1 or (self._sqlite and not self._plenty and not self._anything()):
            return []
        token = f"{self._claimer}-{next(self._claims)}"
        leases = []
        with self._hurried() as connection:
            now = self._now()
            rows = connection.execute(self._sql.claim, {**now, "count": count, "token": token,
                                                        "lease": self.settings.lease_s}).all()  # fmt: skip
            died = 0
            for row in sorted(rows, key=lambda row: (row.lane, row.put_at, row.id)):
                try:
                    if row.attempts > self.settings.attempts:
                        raise InputError(run_out(row.attempts - 1, row.reason))
                    leases.append(Lease(decode(bytes(row.message)), row.attempts, (row.id, token)))
                except InputError as error:
                    died += 1
                    connection.execute(self._sql.bury, {**now, "row": row.id, "held": token, "why": str(error)})
            if died:
                self.count(connection, {"died": died, "depth": -died})
        self._plenty = len(rows) == count
        return leases

    def _anything(self) -> bool:
        with self._reading() as connection:
            return connection.scalar(self._sql.anything, self._now()) is not None

    def _ack(self, leases: Sequence[Lease], connection: Any) -> list[bool]:
        with self._hurried(connection) as own:
            held = self._held(own, self._sql.remove, leases)
            if any(held):
                self.count(own, {"acked": sum(held), "depth": -sum(held)})
        return held

    def _used(self, left: Left) -> Collection[str]:
        # One picture shows one person: it is enough to look at theirs.
        used: set[str] = set()
        with self._reading() as connection:
            for people in chunks(sorted(set(left.values()))):
                for message in connection.scalars(self._sql.messages, {"people": people}):
                    used |= left_by_bytes(bytes(message)).keys()
        return used

    def release(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        with self._hurried() as connection:
            return self._held(connection, self._sql.free, leases)

    def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        with self._hurried() as connection:
            return self._held(connection, self._sql.extend, leases, {**self._now(), "lease": self.settings.lease_s})

    def _held(self, connection: sa.Connection, statement: sa.Executable, leases: Sequence[Lease],
              more: Mapping[str, Any] | None = None) -> list[bool]:  # fmt: skip
        """Do ``statement`` to what is still ours; which that was."""
        found: set[tuple[int, str]] = set()
        for some in chunks([lease.token for lease in leases]):
            values = {"rows": [row for row, _ in some], "tokens": list({token for _, token in some}), **(more or {})}
            found.update((row.id, row.token) for row in connection.execute(statement, values))
        tokens = [(row, "" if statement is self._sql.free else token) for row, token in (x.token for x in leases)]
        # A lease that is named twice was held once.
        return [token in found and not found.discard(token) for token in tokens]  # type: ignore[func-returns-value]

    def nack(self, leases: Sequence[Lease], reason: str, *, dead: bool = False) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        held, died = [], 0
        with self._writing() as connection:
            now = self._now()
            for lease in leases:
                row, token = lease.token
                bury = dead or lease.attempt >= self.settings.attempts
                values = {**now, "row": row, "held": token, "why": reason}
                if not bury:
                    values["wait"] = self.settings.backoff(lease.attempt)
                done = connection.execute(self._sql.bury if bury else self._sql.retry, values).rowcount > 0
                held.append(done)
                died += bury and done
            if died:
                self.count(connection, {"died": died, "depth": -died})
        return held

    def replay(self, event_ids: Collection[str] | None = None) -> int:
        """See :class:`personvlm.events.port.Queue`."""
        replayed = 0
        with self._writing() as connection:
            every = sa.select(_ROWS.id, _ROWS.message).where(_ROWS.dead.is_(sa.true()))
            parts = [every] if event_ids is None else [every.where(_ROWS.event_id.in_(some))
                                                       for some in chunks(list(event_ids))]  # fmt: skip
            good = []
            for part in parts:
                for row in connection.execute(part):
                    with contextlib.suppress(InputError):
                        decode(bytes(row.message))
                        good.append(row.id)
            for some in chunks(good):
                replayed += connection.execute(self._sql.revive, {**self._now(), "rows": some}).rowcount
            if replayed:
                self.count(connection, {"replayed": replayed, "depth": replayed})
        return replayed

    def _time(self) -> float:
        return self._clock()

    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        every = self._sql.letters
        parts = [every] if event_ids is None else [every.where(_ROWS.event_id.in_(some))
                                                   for some in chunks(sorted(event_ids))]  # fmt: skip
        with self._reading() as connection:  # nobody waits while letters are looked at
            rows = [row.id for part in parts for row in connection.execute(part, execution_options={"yield_per": 100})
                    if chosen(_letter(row))]  # fmt: skip
        gone = 0
        with self._writing() as connection:
            for some in chunks(rows):
                gone += connection.execute(self._sql.drop_dead, {"rows": some}).rowcount
            if gone:
                self.count(connection, {"erased": gone})
        return gone

    def erase(self, people: Collection[str]) -> int:
        """See :class:`personvlm.events.port.Queue`."""
        gone: list[Any] = []
        with self._writing() as connection:
            for some in chunks(list(people)):
                gone += connection.execute(self._sql.erase, {"people": some}).all()
            if gone:
                self.count(connection, {"erased": len(gone), "depth": -[row.dead for row in gone].count(False)})
        self._delete({name for row in gone for name in left_by_bytes(bytes(row.message))})
        return len(gone)

    def close(self) -> None:
        """See :class:`personvlm.events.port.Queue`."""
        if self._own:
            self.engine.dispose()

    def count(self, connection: sa.Connection, counts: Mapping[str, int]) -> None:
        """Add to the counters, as the last thing of a transaction: others may wait for it."""
        changed = {name: value for name, value in counts.items() if value}
        if changed:
            connection.execute(self._sql.count, {"shard": self._shard, **dict.fromkeys(COUNTED, 0), **changed})

    def _now(self) -> dict[str, float]:
        return {NOW: self._clock()} if self._sqlite else {}

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with _told(self.engine), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _hurried(self, connection: sa.Connection | None = None) -> Iterator[sa.Connection]:
        """A transaction that may be forgotten when the power fails: what was claimed is then claimed again, and what
        was acknowledged is done again and stored once. Nobody waits for the disk. Or ``connection``'s own."""
        if connection is not None:
            yield connection
            return
        with _told(self.engine), self.engine.connect() as own:
            raw: Any = own.connection.dbapi_connection
            if self._sqlite:  # not possible inside a transaction
                raw.execute("PRAGMA synchronous=NORMAL")
            try:
                with own.begin():
                    if not self._sqlite:
                        own.exec_driver_sql("SET LOCAL synchronous_commit = off")
                    yield own
            finally:
                if self._sqlite:
                    raw.execute("PRAGMA synchronous=FULL")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _told(self.engine), reading(self.engine) as connection:
            yield connection


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(row.event_id, row.reason or "", bytes(row.message), row.attempts, row.died_at or 0.0)


@contextlib.contextmanager
def _told(engine: sa.Engine) -> Iterator[None]:
    """Errors of the engine as one of ours; nothing has happened then, or everything."""
    try:
        yield
    except SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise QueueDownError(f"{shown}: {reason(error)}") from error
