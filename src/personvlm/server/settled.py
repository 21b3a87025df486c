"""Up to which number everything that was stored is there to be read."""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa

from personvlm.server.problems import Problem
from personvlm.store import Store, reading
from personvlm.store.database import is_sqlite

_WAIT_S = 0.5
_LOOK_S = 0.02

# Whoever takes a number holds the sequence until what was stored with it can be read.
_TAKING = sa.text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted AND relation = "
    "pg_get_serial_sequence('descriptions', 'id')::regclass AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Settled:
    """PostgreSQL gives a number before its transaction commits: 4 may be there before 3 is, and who goes on from 4
    never sees 3. A number counts here once everybody who could have taken a lower one is done."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._upto: int | None = None
        self._seen: tuple[int, frozenset[str]] | None = None

    def upto(self) -> int:
        """The highest number that counts. Waits a moment for who is storing something.

        Raises:
            Problem: 503; somebody has been storing since before the first call, so that none can be told.
        """
        end, wanted = time.monotonic() + _WAIT_S, self._look()
        while (self._upto is None or self._upto < wanted) and time.monotonic() < end:
            time.sleep(_LOOK_S)
            self._look()
        if self._upto is None:
            raise Problem(503, "storing", "something large is being stored; try again", headers={"Retry-After": "1"})
        return self._upto

    def _look(self) -> int:
        """See who is taking numbers now; returns the highest that can be read."""
        with self._lock:
            with self._store.read() as connection:
                number = reading.last_number(connection)  # first: who has a lower one by now is seen by what follows
                taking = frozenset() if is_sqlite(connection) else frozenset(connection.scalars(_TAKING))
            if not taking:
                self._upto, self._seen = number, None
            elif self._seen is None or not self._seen[1] & taking:
                self._upto, self._seen = self._upto if self._seen is None else self._seen[0], (number, taking)
            return number
