"""Many rows at once, by one statement on either database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from personvlm.store.database import is_sqlite

Rows = Sequence[tuple[Any, ...]]
_Item = TypeVar("_Item")

CHUNK = 1000
"""Rows, or members of a list that is looked for, per statement."""


def insert(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows,
           conflict: Literal["fail", "ignore", "replace"] = "fail") -> None:  # fmt: skip
    """Insert ``rows``, whose values are in the order of ``names``.

    Args:
        conflict: what happens where the primary key (``ignore``: any unique key) is taken.
    """
    listed = ", ".join(f'"{name}"' for name in names)
    keys = [column.name for column in table.primary_key]
    ending = {
        "fail": "",
        "ignore": " ON CONFLICT DO NOTHING",
        "replace": f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
        + ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys),
    }[conflict]
    for part in chunks(rows):
        if is_sqlite(connection):
            marks = ", ".join("?" * len(names))
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({listed}) VALUES ({marks}){ending}", list(part))
            continue
        statement = f"INSERT INTO {table.name} ({listed}) SELECT * FROM {_unnest(connection, table, names)}{ending}"
        connection.exec_driver_sql(statement, _columns(part))


def update(connection: sa.Connection, table: sa.Table, key: str, names: Sequence[str], rows: Rows) -> None:
    """Set the columns ``names`` of rows; each of ``rows`` is (value of ``key``, values of ``names``)."""
    for part in chunks(rows):
        if is_sqlite(connection):
            settings = ", ".join(f"{name} = ?" for name in names)
            connection.exec_driver_sql(f"UPDATE {table.name} SET {settings} WHERE {key} = ?",
                                       [(*row[1:], row[0]) for row in part])  # fmt: skip
            continue
        settings = ", ".join(f"{name} = new.{name}" for name in names)
        given = _unnest(connection, table, (key, *names))
        listed = ", ".join((key, *names))
        connection.exec_driver_sql(f"UPDATE {table.name} SET {settings} FROM {given} AS new ({listed}) "
                                   f"WHERE {table.name}.{key} = new.{key}", _columns(part))  # fmt: skip


def delete(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
    """Delete the rows whose ``names`` have these values."""
    for part in chunks(rows):
        if is_sqlite(connection):
            where = " AND ".join(f"{name} = ?" for name in names)
            connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {where}", list(part))
            continue
        where = " AND ".join(f"{table.name}.{name} = old.{name}" for name in names)
        given = _unnest(connection, table, names)
        connection.exec_driver_sql(f"DELETE FROM {table.name} USING {given} AS old ({', '.join(names)}) WHERE {where}",
                                   _columns(part))  # fmt: skip


def _unnest(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> str:
    """Rows for PostgreSQL from one list per column, which travel in binary form."""
    types = [table.c[name].type.compile(dialect=connection.dialect) for name in names]
    return f"unnest({', '.join(f'%b::{kind}[]' for kind in types)})"


def _columns(rows: Rows) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


def chunks(items: Iterable[_Item], size: int = CHUNK) -> Iterator[list[_Item]]:
    """Lists of ``size``; the last one may be shorter."""
    part: list[_Item] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def next_ids(connection: sa.Connection, table: sa.Table, count: int) -> list[int]:
    """Numbers that nobody else takes for rows of ``table``. On SQLite they hold because a writer is alone."""
    if is_sqlite(connection):
        first = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))) or 0
        return list(range(first + 1, first + count + 1))
    sequence = sa.func.nextval(sa.func.pg_get_serial_sequence(table.name, "id"))
    return list(connection.scalars(sa.select(sequence).select_from(sa.func.generate_series(1, count))))
