"""Full text of the descriptions that hold, by stems: FTS5 in SQLite, a ``tsvector`` in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

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


def find(connection: sa.Connection, words: Sequence[str], *, phrase: bool = False, lowest: int = 0,
         below: int = 2**62, limit: int = 500) -> list[int]:  # fmt: skip
    """tracks.id of people whose text has all ``words`` (``phrase``: one after the other), the newest first.

    Args:
        words: letters and digits only; see :func:`personvlm.language.tokens.split`.
        lowest, below: only numbers from ``lowest`` on, and under ``below``.
        limit: how many at most.
    """
    if is_sqlite(connection):
        quoted = [f'"{word}"' for word in words]
        query = '"' + " ".join(words) + '"' if phrase else " AND ".join(quoted)
        found = connection.exec_driver_sql(
            "SELECT rowid FROM search_text WHERE search_text MATCH ? AND rowid >= ? AND rowid < ? "
            "ORDER BY rowid DESC LIMIT ?", (query, lowest, below, limit),
        )  # fmt: skip
        return [row[0] for row in found]
    return _Postgres(connection, " ".join(words), phrase and len(words) > 1, lowest, limit).newest(below)


_WINDOW, _LARGEST = 4000, 40_000


class _Postgres:
    """One search in a ``tsvector``.

    What many texts have is found among the newest, read one after the other; what few have, by the index, which must
    fetch all of them. The planner cannot tell which is which, so that the first thousands of rows do.
    """

    def __init__(self, connection: sa.Connection, words: str, phrase: bool, lowest: int, limit: int) -> None:
        self._connection, self._words, self._lowest, self._limit = connection, words, lowest, limit
        self._query = "plainto_tsquery('english', %s)"
        if phrase:
            self._query = ("(SELECT string_agg(quote_literal(pair), ' & ')::tsquery "
                           "FROM unnest(search_pairs(%s)) AS pair)")  # fmt: skip

    def newest(self, below: int) -> list[int]:
        highest = self._connection.exec_driver_sql("SELECT max(track) FROM search_text").scalar()
        below = min(below, (highest or 0) + 1)
        found, below = self._among(below, _WINDOW)
        if found and len(found) < self._limit:
            size = int(1.2 * _WINDOW * (self._limit - len(found)) / len(found)) + _WINDOW
            if size <= _LARGEST:
                more, below = self._among(below, size)
                found += more
        if len(found) < self._limit and below > self._lowest:
            found += self._by_index(below)
        return found[: self._limit]

    def _among(self, below: int, size: int) -> tuple[list[int], int]:
        """Who of the ``size`` numbers under ``below`` has the words, and where they end."""
        first = max(self._lowest, below - size)
        return self._ask(first, below, bitmap=False, limit=self._limit), first

    def _by_index(self, below: int) -> list[int]:
        return sorted(self._ask(self._lowest, below, bitmap=True, limit=None), reverse=True)

    def _ask(self, first: int, below: int, *, bitmap: bool, limit: int | None) -> list[int]:
        connection, on, off = self._connection, "on" if bitmap else "off", "off" if bitmap else "on"
        connection.exec_driver_sql(f"SET LOCAL enable_bitmapscan = {on}")
        connection.exec_driver_sql(f"SET LOCAL enable_indexscan = {off}")
        connection.exec_driver_sql(f"SET LOCAL enable_seqscan = {off}")
        order = "" if limit is None else f" ORDER BY track DESC LIMIT {limit}"
        found = connection.exec_driver_sql(
            f"SELECT track FROM search_text WHERE words @@ {self._query} AND track >= %s AND track < %s{order}",
            (self._words, first, below),
        )
        numbers = [row[0] for row in found]
        for name in ("bitmapscan", "indexscan", "seqscan"):
            connection.exec_driver_sql(f"SET LOCAL enable_{name} = on")
        return numbers
