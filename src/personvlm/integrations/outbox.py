"""Messages that wait for a broker, on disk, so that neither its restart nor ours loses one that matters."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from personvlm.base.errors import InputError

_TABLE = """CREATE TABLE IF NOT EXISTS messages (row INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL,
payload TEXT NOT NULL, person TEXT NOT NULL, kind TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0)"""


@dataclass(frozen=True)
class Message:
    """One message that waits. ``row`` grows; a message is gone once :meth:`Outbox.done` was told its row."""

    row: int
    topic: str
    payload: str


class Outbox:
    """A bounded queue in SQLite. Safe for several threads, and for one process at a time.

    A newer update of a person replaces one that waits. When too many wait, the oldest update goes, or else the oldest
    ``reid`` or ``new``. What was said at the end about a person is never dropped: of these the queue may grow beyond
    ``most``.

    Attributes:
        superseded, dropped: messages that were replaced by newer ones of the same person, and that found no room.

    Args:
        path: the file; None keeps all in memory.
        most: messages that may wait.

    Raises:
        InputError: another process has the file open, or it is no outbox.
    """

    def __init__(self, path: Path | None = None, most: int = 10_000) -> None:
        self.superseded = self.dropped = 0
        self.path, self._most = path, most
        self._lock = threading.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path or ":memory:", timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("PRAGMA secure_delete=ON")
            self._base.execute(_TABLE)
            for name, columns in (("next", "sent, row"), ("kind", "kind, sent, row"), ("person", "person")):
                self._base.execute(f"CREATE INDEX IF NOT EXISTS messages_{name} ON messages ({columns})")
            self._base.execute("UPDATE messages SET sent = 0 WHERE sent != 0")
        except sqlite3.DatabaseError as error:
            self._base.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise InputError(f"{path}: another process sends from this outbox; "
                                 "give this one a file of its own with --mqtt-outbox") from None  # fmt: skip
            raise InputError(f"{path}: not an outbox ({error}); name another file, or delete this one") from None
        self._waiting = int(self._base.execute("SELECT count(*) FROM messages").fetchone()[0])

    def __len__(self) -> int:
        """Messages that are not done: waiting, or handed over and not yet acknowledged."""
        return self._waiting

    def put(self, topic: str, payload: str, *, person: str, kind: str) -> None:
        """Keep a message until it is done. ``kind`` is ``new``, ``update``, ``end`` or ``reid``."""
        with self._lock:
            if kind in ("update", "end"):
                self.superseded += self._delete("person = ? AND kind = 'update' AND sent = 0", person)
            if self._waiting >= self._most:
                oldest = "row = (SELECT row FROM messages WHERE kind = ? AND sent = 0 ORDER BY row LIMIT 1)"
                gone = any(self._delete(oldest, less) for less in ("update", "reid", "new"))
                self.dropped += gone
                if not gone and kind != "end":
                    self.dropped += 1
                    return
            self._base.execute("INSERT INTO messages (topic, payload, person, kind) VALUES (?, ?, ?, ?)",
                               (topic, payload, person, kind))  # fmt: skip
            self._waiting += 1

    def take(self) -> Message | None:
        """The oldest message that was not handed out since this object was made."""
        with self._lock:
            found = self._base.execute("SELECT row, topic, payload FROM messages WHERE sent = 0 "
                                       "ORDER BY row LIMIT 1").fetchone()  # fmt: skip
            if found is None:
                return None
            self._base.execute("UPDATE messages SET sent = 1 WHERE row = ?", found[:1])
            return Message(*found)

    def done(self, row: int) -> None:
        """Forget a message: it was acknowledged."""
        with self._lock:
            self._delete("row = ?", row)

    def erase(self, people: Sequence[str]) -> int:
        """Delete the messages about these people, by their ids, from every byte of the file; how many. One that was
        handed out already may be on its way."""
        with self._lock:
            gone = sum(self._delete("person = ?", person) for person in people)
            self._base.execute("VACUUM")
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def close(self) -> None:
        """Let go of the file. What waits in it is sent by whoever opens it next."""
        with self._lock:
            self._base.close()

    def _delete(self, where: str, *values: str | int) -> int:
        gone = self._base.execute(f"DELETE FROM messages WHERE {where}", values).rowcount
        self._waiting -= gone
        return gone


@dataclass(frozen=True)
class WaitingFile:
    """A file in which messages wait, as :func:`personvlm.pipeline.erase.erase` takes it."""

    path: Path

    def erase(self, people: Sequence[str]) -> int:
        """Delete the messages about these people; how many.

        Raises:
            InputError: a process that runs has the file open, or it is none of ours; says what to do.
        """
        if not self.path.is_file():
            return 0
        try:
            outbox = Outbox(self.path)
        except InputError as error:
            raise InputError(f"sentences that wait for an MQTT broker in {self.path}: they go when they are sent; or "
                             f"stop who uses the file, and erase again ({error})") from None  # fmt: skip
        with contextlib.closing(outbox):
            return outbox.erase(people)


def default_path(name: str) -> Path:
    """Where messages of ``name`` wait if nobody says otherwise: in the user's folder for such things."""
    from platformdirs import user_state_path

    return user_state_path("personvlm") / f"mqtt-{name}.sqlite"


def waiting_files(*given: Path) -> list[WaitingFile]:
    """Those that were ``given``, and those of this user that are where they are by default."""
    default = default_path("*")
    return [WaitingFile(path) for path in dict.fromkeys((*given, *sorted(default.parent.glob(default.name))))]
