"""Who of the stored people are one person: links with a probability, that can be undone. Nothing is merged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from personvlm.base.errors import InputError
from personvlm.store import bulk
from personvlm.store.tables import links


@dataclass(frozen=True)
class StoredLink:
    """``one`` and ``other`` are ids of people, times seconds since the epoch; ``undone_at`` is None while it holds."""

    one: str
    other: str
    probability: float
    made_at: float
    made_by: str
    undone_at: float | None = None
    undone_by: str | None = None


def _between(one: str, other: str) -> sa.ColumnElement[bool]:
    return sa.or_(sa.and_(links.c.one == one, links.c.other == other),
                  sa.and_(links.c.one == other, links.c.other == one))  # fmt: skip


def link(connection: sa.Connection, one: str, other: str, probability: float, by: str) -> bool:
    """Say that two people are one. False where that was said before, was undone by somebody, or would make one person
    of two of whom somebody said that they are not.

    Raises:
        InputError: a person and itself, or no probability.
    """
    if one == other or not 0.0 <= probability <= 1.0:
        raise InputError(f"cannot link {one} and {other} with probability {probability}: two people, and 0 to 1")
    if connection.execute(sa.select(links.c.id).where(_between(one, other)).limit(1)).first() is not None:
        return False
    if _apart(connection, same_as(connection, one), same_as(connection, other)):
        return False
    connection.execute(links.insert().values(one=one, other=other, probability=probability, made_at=time.time(),
                                             made_by=by))  # fmt: skip
    return True


def _apart(connection: sa.Connection, some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a link between one of ``some`` and one of ``others`` was undone."""
    query = sa.select(links.c.id).where(links.c.undone_at.is_not(None), sa.or_(
        sa.and_(links.c.one.in_(some), links.c.other.in_(others)),
        sa.and_(links.c.one.in_(others), links.c.other.in_(some)),
    )).limit(1)  # fmt: skip
    return connection.execute(query).first() is not None


def undo(connection: sa.Connection, one: str, other: str, by: str) -> None:
    """Take back that two people are one; :func:`link` does not link them again.

    Raises:
        InputError: they are not linked.
    """
    update = links.update().where(_between(one, other), links.c.undone_at.is_(None))
    if connection.execute(update.values(undone_at=time.time(), undone_by=by)).rowcount == 0:
        raise InputError(f"people {one} and {other} are not linked")


def all_links(connection: sa.Connection, person: str | None = None, *, undone: bool = False) -> list[StoredLink]:
    """Links of ``person``, or all, in the order in which they were made."""
    query = sa.select(links).order_by(links.c.id)
    if person is not None:
        query = query.where(sa.or_(links.c.one == person, links.c.other == person))
    if not undone:
        query = query.where(links.c.undone_at.is_(None))
    return [StoredLink(row.one, row.other, row.probability, row.made_at, row.made_by, row.undone_at, row.undone_by)
            for row in connection.execute(query)]  # fmt: skip


def among(connection: sa.Connection, people: Sequence[str]) -> list[StoredLink]:
    """Links of these people, those that were undone included, in the order in which they were made."""
    names = ", ".join(column.name for column in links.columns)
    rows = {row[0]: row[1:] for end in ("one", "other")
            for row in bulk.among(connection, f"SELECT {names} FROM links WHERE {end} {{these}}", people)}  # fmt: skip
    return [StoredLink(*rows[number]) for number in sorted(rows)]


def same_as(connection: sa.Connection, person: str, least: float = 0.0) -> tuple[str, ...]:
    """Everybody whom links of at least probability ``least`` connect with ``person``, itself first."""
    reached, edge = {person: None}, [person]
    while edge:
        query = sa.select(links.c.one, links.c.other).where(
            links.c.undone_at.is_(None), links.c.probability >= least,
            sa.or_(links.c.one.in_(edge), links.c.other.in_(edge)),
        )  # fmt: skip
        near = [each for pair in connection.execute(query) for each in pair]
        edge = [each for each in dict.fromkeys(near) if each not in reached]
        reached.update(dict.fromkeys(edge))
    return tuple(reached)
