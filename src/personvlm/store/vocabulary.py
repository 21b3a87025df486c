"""The vocabulary in one database: every (group, value) has a number there, which it keeps when the vocabulary grows."""

from __future__ import annotations

import sqlalchemy as sa

from personvlm.schema import GROUPS
from personvlm.store import bulk, database
from personvlm.store.codes import Terms
from personvlm.store.tables import terms as terms_table


def numbered(engine: sa.Engine) -> Terms:
    """Numbers of the vocabulary in this database; what is new to it gets the next ones."""
    query = sa.select(terms_table.c.group_name, terms_table.c.value, terms_table.c.id)
    here = [(group.name, value) for group in GROUPS for value in group.values]
    with database.reading(engine) as connection:
        found = {(group, value): number for group, value, number in connection.execute(query)}
    if not set(here) <= found.keys():
        with engine.begin() as connection:
            if not database.is_sqlite(connection):
                connection.execute(sa.text("LOCK TABLE terms IN EXCLUSIVE MODE"))
            found = {(group, value): number for group, value, number in connection.execute(query)}
            new = [pair for pair in here if pair not in found]
            found |= {pair: number for number, pair in enumerate(new, start=len(found))}
            bulk.insert(connection, terms_table, ("id", "group_name", "value"), [(found[pair], *pair) for pair in new])
    return Terms(found)
