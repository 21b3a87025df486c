"""The statements of the SQL queue, built once. They differ between the two databases in their clock and locks."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from personvlm.runtime.batching_queue import Priority
from personvlm.store.tables import queue_counts, queue_events

NOW = "now"
COUNTED = ("depth", "accepted", "acked", "died", "replayed", "superseded", "shed", "erased")

_row, _count = queue_events.c, queue_counts.c


class Statements:
    """Of one kind of database. Names in parentheses of the comments are bound when a statement is run."""

    def __init__(self, is_sqlite: bool) -> None:
        # One clock for all: a lease must not end early because two machines disagree about the time.
        clock: Any = sa.bindparam(NOW, type_=sa.Float) if is_sqlite else sa.cast(
            sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float(53))  # fmt: skip
        now = clock if is_sqlite else sa.select(clock).scalar_subquery()
        alive = _row.dead.is_(sa.false())
        waits = alive & _row.token.is_(None)
        update = _row.lane == int(Priority.TRACK_UPDATE)
        mine = (_row.id == sa.bindparam("row")) & (_row.token == sa.bindparam("held"))
        some = _row.id.in_(sa.bindparam("rows", expanding=True))
        ours = some & _row.token.in_(sa.bindparam("tokens", expanding=True))

        def locked(select: sa.Select[Any]) -> sa.Select[Any]:
            return select if is_sqlite else select.with_for_update(skip_locked=True)

        next_rows = locked(sa.select(_row.id).where(alive, _row.due <= now).order_by(_row.lane, _row.due, _row.id)
                           .limit(sa.bindparam("count")))  # fmt: skip
        # A common table expression is evaluated once; a subquery with LIMIT might be evaluated again for each row.
        picked = next_rows.cte("picked")
        self.anything = sa.select(_row.id).where(alive, _row.due <= now).limit(1)
        self.claim = (
            queue_events.update().where(_row.id.in_(sa.select(picked.c.id)))
            .values(token=sa.bindparam("token"), due=now + sa.bindparam("lease", type_=sa.Float),
                    attempts=_row.attempts + 1)
            .returning(_row.id, _row.lane, _row.put_at, _row.attempts, _row.reason, _row.message)
        )  # fmt: skip
        self.remove = queue_events.delete().where(ours).returning(_row.id, _row.token)
        self.free = (
            queue_events.update().where(ours).values(token=None, due=_row.put_at, attempts=_row.attempts - 1)
            .returning(_row.id, sa.literal("").label("token"))
        )  # fmt: skip
        self.extend = (
            queue_events.update().where(ours).values(due=now + sa.bindparam("lease", type_=sa.Float))
            .returning(_row.id, _row.token)
        )  # fmt: skip
        self.retry = queue_events.update().where(mine).values(
            token=None, due=now + sa.bindparam("wait", type_=sa.Float), reason=sa.bindparam("why"))  # fmt: skip
        self.bury = queue_events.update().where(mine).values(
            dead=True, token=None, died_at=now, reason=sa.bindparam("why"))  # fmt: skip
        # Who replays at the same time waits here, and finds then what is dead no longer.
        self.revive = queue_events.update().where(some, _row.dead.is_(sa.true())).values(
            dead=False, token=None, attempts=0, due=now, reason=None, died_at=None)  # fmt: skip
        self.messages = sa.select(_row.message).where(_row.person.in_(sa.bindparam("people", expanding=True)))
        self.erase = queue_events.delete().where(_row.person.in_(sa.bindparam("people", expanding=True))) \
            .returning(_row.dead, _row.message)  # fmt: skip
        self.letters = sa.select(_row.id, _row.event_id, _row.reason, _row.message, _row.attempts, _row.died_at) \
            .where(_row.dead.is_(sa.true())).order_by(_row.died_at, _row.id)  # fmt: skip
        self.dead = self.letters.limit(sa.bindparam("count"))
        self.drop_dead = queue_events.delete().where(some, _row.dead.is_(sa.true()))  # not what was replayed meanwhile

        # Putting.
        self.known = sa.select(_row.event_id).where(_row.event_id.in_(sa.bindparam("ids", expanding=True)))
        self.rivals = locked(sa.select(_row.id, _row.person, _row.revision, _row.final).where(
            waits, update, _row.person.in_(sa.bindparam("people", expanding=True))))  # fmt: skip
        self.victim = locked(sa.select(_row.id).where(waits, update, _row.final.is_(sa.false()))
                             .order_by(_row.due, _row.id).limit(1))  # fmt: skip
        self.drop = queue_events.delete().where(some).returning(_row.message)
        self.depth = sa.select(sa.func.coalesce(sa.func.sum(_count.depth), 0))
        insert: Any = (sqlite if is_sqlite else postgresql).insert(queue_events)
        self.insert = insert.values(
            {column: sa.bindparam(column) for column in ("event_id", "person", "camera", "lane", "revision", "final",
                                                         "message")} | {"due": now, "put_at": now}
        ).on_conflict_do_nothing(index_elements=["event_id"]).returning(_row.event_id)  # fmt: skip

        # Counting.
        add: Any = (sqlite if is_sqlite else postgresql).insert(queue_counts)
        self.count = add.on_conflict_do_update(
            index_elements=["shard"], set_={name: _count[name] + add.excluded[name] for name in COUNTED})
        self.sum_counts = sa.select(*(sa.func.sum(_count[name]).label(name) for name in COUNTED))
        self.count_dead = sa.select(sa.func.count()).where(_row.dead.is_(sa.true()))
        idle = _row.token.is_(None) | (_row.due <= now)  # a lease that has run out waits for whoever comes
        self.lanes = sa.select(
            # The clock goes on between two readings of it: who waits is asked once, the others are leased.
            _row.lane, sa.func.count().label("queued"), sa.func.sum(sa.case((idle, 1), else_=0)).label("waiting"),
            (now - sa.func.min(sa.case((idle, _row.put_at)))).label("age"),
        ).where(alive).group_by(_row.lane)  # fmt: skip
