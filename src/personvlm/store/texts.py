"""Full text of the descriptions that hold, by stems: FTS5 in SQLite, a ``tsvector`` in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from personvlm.store.bulk import Rows, chunks
from personvlm.store.database import is_sqlite


def add(connection: sa.Connection, rows: Rows) -> None:
    """Index (tracks.id, text) of people who are not indexed."""
    for part in chunks(rows):
        if is_sqlite(connection):
            connection.exec_driver_sql("INSERT INTO search_text (rowid, text) VALUES (?, ?)", list(part))
        else:
            connection.exec_driver_sql(
                "INSERT INTO search_text (track, words) SELECT track, search_words(text) "
                "FROM unnest(%b::bigint[], %b::text[]) AS new (track, text)",
                ([track for track, _ in part], [text for _, text in part]),
            )


def remove(connection: sa.Connection, rows: Rows) -> None:
    """Take (tracks.id, text) out of the index; the text must be the one that was indexed."""
    for part in chunks(rows):
        if is_sqlite(connection):
            connection.exec_driver_sql(
                "INSERT INTO search_text (search_text, rowid, text) VALUES ('delete', ?, ?)", list(part)
            )
        else:
            connection.exec_driver_sql("DELETE FROM search_text WHERE track = ANY (%s::bigint[])",
                                       ([track for track, _ in part],))  # fmt: skip


def scrub(connection: sa.Connection) -> None:
    """Leave nothing of what was removed: FTS5 marks removals, and only merging everything drops what they mark."""
    if is_sqlite(connection):
        connection.exec_driver_sql("INSERT INTO search_text (search_text) VALUES ('optimize')")


def find(connection: sa.Connection, words: Sequence[str], *, lowest: int, below: int, phrase: bool = False,
         limit: int = 500) -> list[int]:  # fmt: skip
    """tracks.id of people whose text has all ``words`` (``phrase``: one after the other), the newest first.

    Args:
        words: letters and digits only; see :func:`personvlm.language.tokens.split`.
        lowest, below: only numbers from ``lowest`` on, and under ``below``; the nearer to those that there are, the
            quicker.
        limit: how many at most; of what few have, everybody comes at once.
    """
    if is_sqlite(connection):
        quoted = [f'"{word}"' for word in words]
        query = '"' + " ".join(words) + '"' if phrase else " AND ".join(quoted)
        found = connection.exec_driver_sql(
            "SELECT rowid FROM search_text WHERE search_text MATCH ? AND rowid >= ? AND rowid < ? "
            "ORDER BY rowid DESC LIMIT ?", (query, lowest, below, limit),
        )  # fmt: skip
        return [row[0] for row in found.all()]
    return _Postgres(connection, " ".join(words), phrase and len(words) > 1, lowest, limit).newest(below)


def those(connection: sa.Connection, words: Sequence[str], numbers: Sequence[int], *,
          phrase: bool = False) -> list[int] | None:  # fmt: skip
    """Those of ``numbers``, a few thousand at most, whose text has the words, the newest first. None on SQLite, whose
    index is walked from the newest on faster than it is asked about single people."""
    if is_sqlite(connection):
        return None
    return _Postgres(connection, " ".join(words), phrase and len(words) > 1).those(numbers)


_WINDOW, _LARGEST, _FREQUENT = 4000, 12_000, 20


class _Postgres:
    """One search in a ``tsvector``.

    What many texts have is found among the newest, read one after the other; what few have, by the index, which must
    fetch all of them. The planner cannot tell which is which, so that the first thousands of rows do.
    """

    def __init__(self, connection: sa.Connection, words: str, phrase: bool, lowest: int = 0, limit: int = 0) -> None:
        self._connection, self._words, self._lowest, self._limit = connection, words, lowest, limit
        self._query = "plainto_tsquery('english', %s)"
        if phrase:
            self._query = ("(SELECT string_agg(quote_literal(pair), ' & ')::tsquery "
                           "FROM unnest(search_pairs(%s)) AS pair)")  # fmt: skip

    def those(self, numbers: Sequence[int]) -> list[int]:
        """Those of ``numbers`` who have the words, the newest first."""
        return sorted(self._ask(f"{self._READ} AND track = ANY (%s::bigint[])", list(numbers)), reverse=True)

    def newest(self, below: int) -> list[int]:
        """See :func:`find`; of frequent words it looks no further than the newest 16,000 numbers."""
        found, below = self._among(below, _WINDOW)
        frequent = len(found) >= _FREQUENT
        if frequent and len(found) < self._limit:
            size = int(1.2 * _WINDOW * (self._limit - len(found)) / len(found)) + _WINDOW
            more, below = self._among(below, min(size, _LARGEST))
            found += more
        if frequent or len(found) >= self._limit:
            return found[: self._limit]
        return found + self._by_index(below) if below > self._lowest else found

    def _among(self, below: int, size: int) -> tuple[list[int], int]:
        """Who of the ``size`` numbers under ``below`` has the words, and where they end."""
        first = max(self._lowest, below - size)
        where = f"{self._READ} AND track >= %s AND track < %s ORDER BY track DESC LIMIT %s"
        return self._ask(where, first, below, self._limit), first

    def _by_index(self, below: int) -> list[int]:
        # Without a range of numbers, which the planner would rather go by.
        self._connection.exec_driver_sql("SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off")
        found = self._ask("words @@ {query}")
        self._connection.exec_driver_sql("SET LOCAL enable_indexscan = on; SET LOCAL enable_seqscan = on")
        return sorted((number for number in found if self._lowest <= number < below), reverse=True)

    _READ = "ts_match_vq(words, {query})"
    """What ``words @@ query`` does, in a form that the planner has no index for: it takes that of the numbers."""

    def _ask(self, where: str, *values: Any) -> list[int]:
        statement = f"SELECT track FROM search_text WHERE {where.format(query=self._query)}"
        return [row[0] for row in self._connection.exec_driver_sql(statement, (self._words, *values)).all()]
