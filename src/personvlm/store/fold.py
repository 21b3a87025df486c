"""Keeping segments in step with the tables: recent people are folded in, erased ones are blanked out."""

from __future__ import annotations

import time
from collections.abc import Collection

import numpy as np
import sqlalchemy as sa

from personvlm.store import bulk
from personvlm.store.database import is_sqlite
from personvlm.store.segments import (
    BITS,
    CAMERA,
    FIRST_SEEN,
    LAST_SEEN,
    MODEL,
    SIZE,
    VECTORS,
    Array,
    Row,
    codes_of,
    dtype,
    packed_vectors,
    read_rows,
)
from personvlm.store.tables import search_columns, search_recent, search_segments

MOST = 2048
"""Recent people that a search reads row by row; with more, folding is due."""

_AT_ONCE = 65_536
_LOCK = 0x7065727377


def due(connection: sa.Connection) -> bool:
    """Whether so many people are recent that searching them costs more than folding them in."""
    some = sa.select(search_recent.c.track).limit(MOST + 1).subquery()
    return (connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) > MOST


def fold(connection: sa.Connection, *, everybody: bool = False) -> int:
    """Move recent people into segments, in the transaction of ``connection``; returns how many.

    Those segments come first that most of them belong to; at least half of all are moved, ``everybody`` all. Where
    somebody else is at it, nothing happens.
    """
    if not is_sqlite(connection):
        lock = "SELECT pg_advisory_xact_lock(:key), true" if everybody else "SELECT pg_try_advisory_xact_lock(:key)"
        if not connection.execute(sa.text(lock), {"key": _LOCK}).one()[-1]:
            return 0
    moved = 0
    while True:
        query = sa.select(search_recent.c.track).order_by(search_recent.c.track).limit(_AT_ONCE)
        if not is_sqlite(connection):
            query = query.with_for_update(skip_locked=True)  # who changes at this moment stays recent
        numbers = list(connection.scalars(query))
        by_segment: dict[int, list[int]] = {}
        for number in numbers:
            by_segment.setdefault(number >> BITS, []).append(number)
        done = 0
        for segment in sorted(by_segment, key=lambda segment: -len(by_segment[segment])):
            if done * 2 >= len(numbers) and not everybody:
                break
            some = by_segment[segment]
            _patch(connection, segment, read_rows(connection, some), some)
            bulk.delete(connection, search_recent, ("track",), [(number,) for number in some])
            done += len(some)
        moved += done
        if len(numbers) < _AT_ONCE or not done:
            return moved


def blank(connection: sa.Connection, numbers: Collection[int]) -> None:
    """Overwrite what segments hold of these people with nothing."""
    if not is_sqlite(connection):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    bulk.delete(connection, search_recent, ("track",), [(number,) for number in numbers])
    by_segment: dict[int, list[int]] = {}
    for number in numbers:
        by_segment.setdefault(number >> BITS, []).append(number)
    segment = search_segments.c.segment
    there = set(connection.scalars(sa.select(segment).where(segment.in_(by_segment))))
    for number in sorted(there):
        _patch(connection, number, {}, by_segment[number])


def _patch(connection: sa.Connection, segment: int, rows: dict[int, Row], numbers: Collection[int]) -> None:
    """Write a segment anew, with ``numbers`` as they are in ``rows``, or nobody where they are not."""
    table = search_columns.c
    query = sa.select(table.name, table.data).where(table.segment == segment)
    columns: dict[int, Array] = {}
    for name, data in connection.execute(query):
        array = np.frombuffer(data, dtype(name)).copy()
        columns[name] = array.reshape(SIZE, -1) if name == VECTORS else array
    before = set(columns)
    gone = np.array([number & (SIZE - 1) for number in numbers if number not in rows], np.int64)
    for array in columns.values():
        array[gone] = 0
    if rows:
        _fill(columns, rows)
    filled = {name: array for name, array in columns.items() if array.any()}
    bulk.delete(connection, search_columns, ("segment", "name"), [(segment, name) for name in before - filled.keys()])
    bulk.insert(connection, search_columns, ("segment", "name", "data"),
                [(segment, name, array.tobytes()) for name, array in filled.items()], "replace")  # fmt: skip
    live = columns[CAMERA] > 0 if CAMERA in columns else np.zeros(SIZE, bool)
    if not live.any():
        connection.execute(search_segments.delete().where(search_segments.c.segment == segment))
        return
    head = (segment, time.time_ns(), int(live.sum()), float(columns[FIRST_SEEN][live].min()),
            float(columns[LAST_SEEN][live].max()))  # fmt: skip
    bulk.insert(connection, search_segments, ("segment", "version", "people", "first_seen", "last_seen"), [head],
                "replace")  # fmt: skip


def _fill(columns: dict[int, Array], rows: dict[int, Row]) -> None:
    places = np.array([number & (SIZE - 1) for number in rows], np.int64)
    listed = list(rows.values())
    terms = codes_of(listed, max(len(row.codes) for row in listed)) >> 8
    vectors = [row.vector for row in listed]
    had = columns.get(VECTORS)
    width = had.shape[1] if had is not None else max((len(each) for each in vectors if each is not None), default=0)
    values: dict[int, Array] = {
        CAMERA: np.array([row.camera for row in listed]), FIRST_SEEN: np.array([row.first_seen for row in listed]),
        LAST_SEEN: np.array([row.last_seen for row in listed]), MODEL: np.array([row.model for row in listed]),
        **{name: terms[:, name] for name in range(terms.shape[1])},
    }  # fmt: skip
    if width:
        values[VECTORS] = packed_vectors(vectors, width)
    for name in values.keys() | columns.keys():
        if name not in columns:
            shape: tuple[int, ...] = (SIZE, width) if name == VECTORS else (SIZE,)
            columns[name] = np.zeros(shape, dtype(name))
        columns[name][places] = values.get(name, 0)
