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
                "INSERT INTO search_text (track, words) SELECT track, to_tsvector('english', text) "
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
         below: int | None = None, limit: int = 500) -> list[int]:  # fmt: skip
    """tracks.id of people whose text has all ``words`` (``phrase``: one after the other), the newest first.

    Args:
        words: letters and digits only; see :func:`personvlm.language.tokens.split`.
        lowest, below: only numbers from ``lowest`` on, and under ``below``.
        limit: how many at most.
    """
    highest = 2**62 if below is None else below
    if is_sqlite(connection):
        quoted = [f'"{word}"' for word in words]
        query = '"' + " ".join(words) + '"' if phrase else " AND ".join(quoted)
        found = connection.exec_driver_sql(
            "SELECT rowid FROM search_text WHERE search_text MATCH ? AND rowid >= ? AND rowid < ? "
            "ORDER BY rowid DESC LIMIT ?", (query, lowest, highest, limit),
        )  # fmt: skip
    else:
        function = "phraseto_tsquery" if phrase else "plainto_tsquery"
        found = connection.exec_driver_sql(
            f"SELECT track FROM search_text WHERE words @@ {function}('english', %s) AND track >= %s AND track < %s "
            "ORDER BY track DESC LIMIT %s", (" ".join(words), lowest, highest, limit),
        )  # fmt: skip
    return [row[0] for row in found]
