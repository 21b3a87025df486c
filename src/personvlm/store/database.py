"""Engines for the two databases, and transactions on them that behave alike.

SQLite: write-ahead log, every commit synced, one writer at a time. A transaction takes the writer's place when it
begins (``BEGIN IMMEDIATE``), so that none fails halfway; who only reads says so (:func:`reading`) and waits for nobody.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from personvlm.base.errors import InputError, extra
from personvlm.store import migrate

BUSY_SECONDS = 60.0
"""How long a writer waits for its turn."""

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY", "cache_size=-65536",
            "mmap_size=1073741824", "journal_size_limit=67108864")  # fmt: skip


def as_url(where: str | Path) -> sa.URL:
    """A path or an address as the URL of a database.

    Raises:
        InputError: it is neither a path nor an address of SQLite or PostgreSQL.
    """
    text = str(where)
    if "://" not in text:
        return sa.URL.create("sqlite+pysqlite", database=text)
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise InputError("the address of a store cannot be read; give a path or postgresql://user@host/name") from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url.set(drivername="sqlite+pysqlite")
    raise InputError(f"{backend}:// is not a database that a store knows; give a path, sqlite:/// or postgresql://")


def connect(where: str | Path, *, upgrade: bool | None = None) -> sa.Engine:
    """An engine on a database whose tables are those of this version.

    Args:
        where: a path, ``sqlite:///path`` or ``postgresql://user:password@host/name``.
        upgrade: run migrations that are due. By default SQLite's are, and those of an empty PostgreSQL database; a
            PostgreSQL database with older tables is left alone.

    Raises:
        InputError: the database cannot be reached, or its tables are older or newer than this version's.
    """
    url = as_url(where)
    if url.get_backend_name() == "sqlite" and not url.database:
        raise InputError("a store in memory is not possible, since several connections share it; give a path")
    with extra("PostgreSQL", "postgres"):
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    shown = url.render_as_string(hide_password=True)
    try:
        migrate.check(engine, shown, upgrade)
    except SQLAlchemyError as error:
        engine.dispose()
        raise InputError(f"{shown}: {reason(error)}") from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def reason(error: Exception) -> str:
    """What the database itself said, in one line."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())


def away(error: Exception) -> bool:
    """Whether the database did not answer: nothing is wrong with what was asked of it, and it may be asked again."""
    return isinstance(error, (OperationalError, InterfaceError, TimeoutError)) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def _postgresql(url: sa.URL) -> sa.Engine:
    # Compiling and sharing out queries that take milliseconds costs more than it gives, and so does a plan that must
    # suit frequent words and rare ones alike.
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args={
        "options": "-c jit=off -c max_parallel_workers_per_gather=0 -c plan_cache_mode=force_custom_plan"})  # fmt: skip

    event.listen(engine, "handle_error", _refused)
    return engine


def _refused(context: ExceptionContext) -> None:
    """Text that no database takes, from a command line or out of JSON, is nobody's defect."""
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, DataError) and "NUL (0x00)" in str(error):
        raise InputError("PostgreSQL keeps no text with a NUL (0x00) in it") from None
    if isinstance(error, UnicodeEncodeError):
        raise InputError(f"{str(error.object)[:64]!r} is no text: it cannot be written as UTF-8") from None


def _sqlite(url: sa.URL) -> sa.Engine:
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no such folder {path.parent}; make it first")
    # Python's own handling of transactions is switched off: it begins them late, and as readers.
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None,
                                                 "check_same_thread": False})  # fmt: skip

    event.listen(engine, "handle_error", _refused)

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, record: Any) -> None:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchone()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        only_reads = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def is_sqlite(connection: sa.Connection | sa.Engine) -> bool:
    """Whether SQLite is behind it."""
    return connection.dialect.name == "sqlite"


@contextlib.contextmanager
def reading(engine: sa.Engine, connection: sa.Connection | None = None) -> Iterator[sa.Connection]:
    """One snapshot of the database: whatever others commit meanwhile is not seen. Or the transaction of
    ``connection``, which somebody else ends."""
    if connection is not None:
        yield connection
        return
    options: dict[str, Any] = {"reading": True}
    if not is_sqlite(engine):
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def writing(engine: sa.Engine, connection: sa.Connection | None = None) -> Iterator[sa.Connection]:
    """A transaction of its own, or the one of ``connection``, which somebody else commits."""
    if connection is not None:
        yield connection
        return
    with engine.begin() as own:
        yield own
