"""Many rows at once, by one statement on either database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from personvlm.store.database import is_sqlite

Rows = Sequence[tuple[Any, ...]]
_Item = TypeVar("_Item")

CHUNK = 1000
"""Rows, or members of a list that is looked for, per statement."""


def among(connection: sa.Connection, statement: str,
          members: Collection[str] | Collection[int]) -> Sequence[tuple[Any, ...]]:  # fmt: skip
    """Rows of a statement in which ``{these}`` stands for a list of texts or of numbers: ``WHERE person {these}``.

    It is the same text for lists of any length, which is what makes it cheap: SQLAlchemy writes ``IN`` anew for each,
    and databases plan it anew.
    """
    if is_sqlite(connection):
        these = "IN (SELECT value FROM json_each(?))"
        return connection.exec_driver_sql(statement.format(these=these), (json.dumps(list(members)),)).all()
    kind = "text" if isinstance(next(iter(members), ""), str) else "bigint"
    return connection.exec_driver_sql(statement.format(these=f"= ANY (%s::{kind}[])"), (list(members),)).all()


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
        connection.exec_driver_sql(statement, _columns(table, names, part))


def insert_new(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows,
               key: Sequence[str]) -> dict[tuple[Any, ...], int]:  # fmt: skip
    """Insert rows that get a number (``id``) each, in this order; values of the unique ``key`` -> number. On PostgreSQL
    those are missing whose key was taken; on SQLite the caller, who writes alone, has looked."""
    if is_sqlite(connection):
        numbers = next_ids(connection, table, len(rows))
        insert(connection, table, ("id", *names), [(number, *row) for number, row in zip(numbers, rows, strict=True)])
        places = [names.index(name) for name in key]
        return {tuple(row[place] for place in places): number for number, row in zip(numbers, rows, strict=True)}
    found: dict[tuple[Any, ...], int] = {}
    listed = ", ".join(f'"{name}"' for name in names)
    for part in chunks(rows):
        made = connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({listed}) SELECT * FROM {_unnest(connection, table, names)} "
            f"ON CONFLICT DO NOTHING RETURNING {', '.join(key)}, id", _columns(table, names, part),
        )  # fmt: skip
        found |= {tuple(row[:-1]): row[-1] for row in made}
    return found


def update(connection: sa.Connection, table: sa.Table, key: str, names: Sequence[str], rows: Rows) -> None:
    """Set the columns ``names`` of rows; each of ``rows`` is (value of ``key``, values of ``names``)."""
    for part in chunks(rows):
        if is_sqlite(connection):
            settings = ", ".join(f"{name} = ?" for name in names)
            connection.exec_driver_sql(f"UPDATE {table.name} SET {settings} WHERE {key} = ?",
                                       [(*row[1:], row[0]) for row in part])  # fmt: skip
            continue
        settings = ", ".join(f"{name} = new.{name}" for name in names)
        columns = (key, *names)
        given, listed = _unnest(connection, table, columns), ", ".join(columns)
        connection.exec_driver_sql(f"UPDATE {table.name} SET {settings} FROM {given} AS new ({listed}) "
                                   f"WHERE {table.name}.{key} = new.{key}", _columns(table, columns, part))  # fmt: skip


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
                                   _columns(table, names, part))  # fmt: skip


_PLAIN = (sa.Integer, sa.Float, sa.Boolean)
"""Types whose values need no quotes in an array."""


def _unnest(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> str:
    """Rows for PostgreSQL from one list per column: numbers travel as one text, everything else in binary form."""
    lists = []
    for kind in (table.c[name].type for name in names):
        mark = "%s" if isinstance(kind, _PLAIN) else "%b"
        lists.append(f"{mark}::{kind.compile(dialect=connection.dialect)}[]")
    return f"unnest({', '.join(lists)})"


def _columns(table: sa.Table, names: Sequence[str], rows: Rows) -> tuple[Any, ...]:
    # psycopg looks at each member of a list, which for numbers takes longer than all the rest.
    return tuple(
        "{" + ",".join("NULL" if each is None else str(each) for each in column) + "}"
        if isinstance(table.c[name].type, _PLAIN) else list(column)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    )  # fmt: skip


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
