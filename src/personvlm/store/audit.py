"""The audit: who did what, in rows that can only be added, each holding the hash of the one before.

It does not stop somebody who owns the database file from writing it anew from the first row on; it shows everybody
else's changes, and whoever keeps a copy of the last hash notices even that.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from personvlm.store.database import is_sqlite
from personvlm.store.tables import audit

_LOCK = 0x7065727375  # PostgreSQL: one row after the other
_BEGINNING = "0" * 64
_NO_TEXT = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One row. ``at`` is in seconds since the epoch, ``detail`` what else there is to know."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


def add(connection: sa.Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any],
        at: float | None = None) -> Entry:  # fmt: skip
    """Write a row in the transaction of ``connection``: it stands if and only if what it tells of does."""
    if not is_sqlite(connection):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    newest = last(connection)
    number, previous = (newest[0] + 1, newest[1]) if newest else (1, _BEGINNING)
    when = round(time.time() if at is None else at, 6)
    # What is no text (file names need not be) is written out as `\udcXX`: what happened is told in any case.
    actor, action, subject = (_NO_TEXT.sub(_written_out, each) for each in (actor, action, subject))
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True, allow_nan=False)
    text = _NO_TEXT.sub(lambda found: "\\" + _written_out(found), text)
    row = {"id": number, "at": when, "actor": actor, "action": action, "subject": subject, "detail": text,
           "previous": previous}  # fmt: skip
    digest = _digest(row)
    connection.execute(audit.insert().values(**row, hash=digest))
    return Entry(number, when, actor, action, subject, json.loads(text), digest)


def _written_out(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def last(connection: sa.Connection) -> tuple[int, str] | None:
    """Number and hash of the latest row."""
    row = connection.execute(sa.select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)).first()
    return None if row is None else (row.id, row.hash)


def entries(connection: sa.Connection, after: int = 0, limit: int = 100) -> list[Entry]:
    """Rows with a higher number than ``after``, the oldest first."""
    found = connection.execute(sa.select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(limit))
    return [Entry(row.id, row.at, row.actor, row.action, row.subject, json.loads(row.detail), row.hash)
            for row in found]  # fmt: skip


def verify(connection: sa.Connection, last_hash: str | None = None) -> str | None:
    """What is wrong with the chain, or None.

    Args:
        last_hash: of a row that was seen before; it must still be there.
    """
    previous, seen = _BEGINNING, last_hash is None
    for number, row in enumerate(connection.execute(sa.select(audit).order_by(audit.c.id)), start=1):
        if row.id != number:
            return f"row {number} of the audit is missing"
        if row.previous != previous or row.hash != _digest(row._mapping):
            return f"row {number} of the audit was changed, or the one before it"
        previous = row.hash
        seen = seen or previous == last_hash
    return None if seen else "the audit was cut off or written anew: the row that was seen before is not there"


_SIGNED: Sequence[str] = ("id", "at", "actor", "action", "subject", "detail", "previous")


def _digest(row: Mapping[Any, Any]) -> str:
    return hashlib.sha256(json.dumps([row[name] for name in _SIGNED], ensure_ascii=False).encode()).hexdigest()
