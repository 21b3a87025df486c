"""A queue in Redis Streams: one stream per trigger, one consumer group, every step a script (see redis_scripts).

Needs Redis 7 or newer. What it keeps across a crash of Redis is what its settings say: ``appendonly yes`` and
``appendfsync always`` for everything that was accepted.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ClusterDownError, MasterDownError, TryAgainError
from redis.retry import Retry

from personvlm.base.errors import InputError
from personvlm.events import redis_scripts as scripts
from personvlm.events.message import Blobs, decode
from personvlm.events.polling import Left, PollingQueue, chunks, left_by_bytes, split
from personvlm.events.port import (
    COUNTERS,
    LANES,
    Capabilities,
    Choose,
    DeadLetter,
    Lease,
    PutResult,
    QueueDownError,
    QueueSettings,
    QueueStats,
)
from personvlm.runtime.batching_queue import Priority
from personvlm.schema.events import DescribeRequest

_GROUP = "workers"
_PAGE = 500
_FIELDS = {b"id", b"person", b"revision", b"final", b"attempts", b"at", b"message"}  # of what we added
_AWAY = (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError, redis.OutOfMemoryError, MasterDownError,
         ClusterDownError, TryAgainError)  # fmt: skip
# The same in the words of the server: of these there is no class, or a script passes them on as they are.
_AWAY_WORDS = ("OOM ", "NOREPLICAS ", "MISCONF ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "LOADING ", "READONLY ",
               "BUSY ")  # fmt: skip


class RedisQueue(PollingQueue):
    """See :class:`personvlm.events.port.Queue`.

    Args:
        url: ``redis://host:port/db?queue=NAME``.
    """

    capabilities = Capabilities()

    def __init__(self, url: str, settings: QueueSettings | None = None, blobs: Blobs | None = None) -> None:
        super().__init__(settings, blobs)
        address, name = split(url)
        self._shown, self.key = urlsplit(address).hostname, f"{{{name}}}"
        # What fails because the connection broke is done again: every script may be run twice.
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 4)
        try:
            self._redis: Any = redis.Redis.from_url(address, retry=retry, socket_connect_timeout=5, socket_timeout=30,
                                                    retry_on_error=[redis.BusyLoadingError])  # fmt: skip
        except ValueError as error:
            raise InputError(f"the address of Redis at {self._shown}: {error}") from None
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._swept = 0.0
        register = self._redis.register_script
        self._scripts = {name: register(getattr(scripts, name))
                         for name in ("PUT", "CLAIM", "SETTLE", "REPLAY", "ERASE", "DROP")}  # fmt: skip
        try:
            self._prepare()
        except redis.ResponseError as error:  # no such database, a key of somebody else, too old
            raise InputError(f"Redis at {self._shown} cannot keep the queue {name}: {error}") from None

    def _prepare(self) -> None:
        with self._told():
            for lane in range(scripts.LANES):
                try:
                    # From the first entry on: what was put before any worker came counts too.
                    self._redis.xgroup_create(f"{self.key}:lane:{lane}", _GROUP, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):  # it is there
                        raise

    def _run(self, script: str, *arguments: Any) -> Any:
        for again in (False, True):
            try:
                with self._told():
                    return self._scripts[script](keys=[self.key], args=arguments)
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error) or again:  # somebody deleted the stream, or Redis forgot it
                    raise
                self._prepare()
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            if isinstance(error, _AWAY) or str(error).startswith(_AWAY_WORDS):
                raise QueueDownError(f"Redis at {self._shown}: {error}") from error
            raise

    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        results: list[PutResult] = []
        for some in chunks(items):
            values: list[Any] = []
            for request, message in some:
                values += [request.event_id, request.person, int(Priority.of(request.trigger)), request.revision,
                           int(request.final), message]  # fmt: skip
            done, left = self._run("PUT", self.settings.depth, time.time(), *values)
            self._unshelve({name.decode(): "" for name in left})
            results += [each.decode() for each in done]
            if len(done) < len(some):
                break
        return results

    def _claim(self, count: int) -> list[Lease]:
        settings, leases = self.settings, []
        now = time.monotonic()
        sweep = now - self._swept > min(settings.lease_s / 4, 5.0)
        if sweep:
            self._swept = now
        found = self._run("CLAIM", count, self._consumer, time.time(), int(settings.lease_s * 1000), settings.attempts,
                          int(sweep)) if count > 0 else []  # fmt: skip
        for lane, entry, deliveries, attempt, event_id, message in found:
            token = (int(lane), entry.decode(), int(deliveries), event_id.decode("utf-8", "replace"))
            try:
                request = decode(message)
            except InputError as error:
                self._settle("bury", [(*token, token[-1])], str(error))
            else:  # whose it is, Redis does not know of what other programs added
                leases.append(Lease(request, int(attempt), (*token, request.person)))
        return leases

    def _settle(self, act: str, tokens: Sequence[tuple[Any, ...]], reason: str = "",
                waits: Sequence[float] = ()) -> list[bool]:  # fmt: skip
        held: list[bool] = []
        rows: list[tuple[Any, ...]] = [(*token, waits[row] if waits else 0.0) for row, token in enumerate(tokens)]
        for some in chunks(rows):
            done = self._run("SETTLE", act, self._consumer, time.time(), self.settings.attempts, reason,
                             *(value for each in some for value in each))  # fmt: skip
            held += [bool(each) for each in done]
        return held

    def _ack(self, leases: Sequence[Lease], connection: Any) -> list[bool]:
        return self._settle("ack", _tokens(leases))

    def _used(self, left: Left) -> Collection[str]:
        names = list(left)
        with self._told():
            counts = self._redis.hmget(f"{self.key}:pictures", names)
        return {name for name, count in zip(names, counts, strict=True) if count is not None}

    def nack(self, leases: Sequence[Lease], reason: str, *, dead: bool = False) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        waits = [self.settings.backoff(lease.attempt) for lease in leases]
        return self._settle("bury" if dead else "fail", _tokens(leases), reason, waits)

    def release(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        return self._settle("release", _tokens(leases))

    def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        return self._settle("extend", _tokens(leases))

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """See :class:`personvlm.events.port.Queue`."""
        return [_letter(fields) for _, fields in self._entries("dead", limit)]

    def _entries(self, name: str, limit: int | None = None) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        start, count = "-", 0
        while limit is None or count < limit:
            with self._told():
                page = self._redis.xrange(f"{self.key}:{name}", start, "+",
                                          _PAGE if limit is None else min(_PAGE, limit - count))  # fmt: skip
            if not page:
                return
            yield from page
            count += len(page)
            start = b"(" + page[-1][0]

    def replay(self, event_ids: Collection[str] | None = None) -> int:
        """See :class:`personvlm.events.port.Queue`."""
        replayed = 0
        values: list[tuple[Any, ...]] = []
        for entry, fields in self._entries("dead"):
            letter = _letter(fields)
            if event_ids is not None and letter.event_id not in event_ids:
                continue
            with contextlib.suppress(InputError):
                request = decode(letter.payload)
                values.append((entry, letter.event_id, request.person, int(Priority.of(request.trigger)),
                               request.revision, int(request.final)))  # fmt: skip
        for some in chunks(values):
            replayed += int(self._run("REPLAY", time.time(), *(value for each in some for value in each)))
        return replayed

    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        found = [(entry, fields[b"id"]) for entry, fields in self._entries("dead") if chosen(_letter(fields))]
        gone = 0
        for some in chunks(found):
            gone += int(self._run("DROP", *(value for each in some for value in each)))
        self._rewrite(gone)
        return gone

    def erase(self, people: Collection[str]) -> int:
        """See :class:`personvlm.events.port.Queue`. An append-only file forgets at its next rewrite, which is begun."""
        wanted = set(people)
        found: list[tuple[Any, str, str]] = []
        messages: list[bytes] = []
        for lane in range(scripts.LANES):
            for entry, fields in self._entries(f"lane:{lane}"):
                ours = fields.keys() >= _FIELDS
                person = fields[b"person"].decode("utf-8", "replace") if ours else _person(fields)
                if person in wanted:
                    at = entry.decode()
                    found.append((fields[b"id"], person, "") if ours else (f"raw-{lane}-{at}", person, f"{lane} {at}"))
                    messages.append(fields[b"message"])
        with self._told():
            for event_id in self._redis.hkeys(f"{self.key}:held"):
                packed = self._redis.hget(f"{self.key}:held", event_id)
                theirs = [(event_id, person, "") for person in wanted if packed and person.encode() in packed]
                found += theirs
                messages += [packed] if theirs else []
        for _, fields in self._entries("dead"):
            person = _person(fields)
            if person in wanted:
                found.append((fields[b"id"], person, ""))
                messages.append(fields[b"message"])
        gone = 0
        for some in chunks(found):
            gone += int(self._run("ERASE", *(value for each in some for value in each)))
        self._delete({name for message in messages for name in left_by_bytes(message)})
        self._rewrite(gone)
        return gone

    def _rewrite(self, gone: int) -> None:
        """Have the append-only file written anew, where something is ``gone`` that stands in it."""
        if gone:
            with contextlib.suppress(redis.ResponseError), self._told():  # one is running, or may not be asked for
                self._redis.bgrewriteaof()

    def stats(self) -> QueueStats:
        """See :class:`personvlm.events.port.Queue`."""
        lanes = range(scripts.LANES)
        with self._told(), self._redis.pipeline(transaction=True) as pipe:
            for lane in lanes:
                key = f"{self.key}:lane:{lane}"
                pipe.xlen(key).zcard(f"{self.key}:later:{lane}").xpending(key, _GROUP).xrange(key, "-", "+", 1)
            pipe.xlen(f"{self.key}:dead").hgetall(f"{self.key}:counts")
            *found, dead, counts = pipe.execute()
        waiting: dict[str, int] = {}
        leased, oldest = 0, 0.0
        for lane in lanes:
            entries, later, pending, first = found[4 * lane : 4 * lane + 4]
            waiting[LANES[lane]] = entries - pending["pending"] + later
            leased += pending["pending"]
            if waiting[LANES[lane]] and first:  # the oldest may be leased: an upper bound
                oldest = max(oldest, time.time() - _put_at(*first[0]))
        return QueueStats(waiting=waiting, leased=leased, dead=dead, oldest_s=oldest,
                          **{name: int(counts.get(name.encode(), 0)) for name in COUNTERS})  # fmt: skip

    def put_raw(self, payload: bytes) -> None:
        """Add bytes as another program would: ``XADD KEY * message BYTES``."""
        with self._told():
            self._redis.xadd(f"{self.key}:lane:1", {"message": payload})

    def drop(self) -> None:
        """Delete the queue and everything in it."""
        names = [*(f"{kind}:{lane}" for kind in ("lane", "later") for lane in range(scripts.LANES)), "held", "where",
                 "updates", "droppable", "dead", "counts", "pictures"]  # fmt: skip
        with self._told():
            self._redis.delete(*(f"{self.key}:{name}" for name in names))

    def close(self) -> None:
        """See :class:`personvlm.events.port.Queue`."""
        # A consumer with nothing pending is only a name; with something pending it must stay until that is claimed.
        with contextlib.suppress(redis.RedisError):
            for lane in range(scripts.LANES):
                key = f"{self.key}:lane:{lane}"
                if not self._redis.xpending_range(key, _GROUP, "-", "+", 1, self._consumer):
                    self._redis.xgroup_delconsumer(key, _GROUP, self._consumer)
        self._redis.close()


def _tokens(leases: Sequence[Lease]) -> list[tuple[Any, ...]]:
    return [lease.token for lease in leases]


def _person(fields: dict[bytes, bytes]) -> str:
    """Whose message it is, as it says itself; empty where it is none."""
    with contextlib.suppress(InputError):
        return decode(fields.get(b"message", b"")).person
    return ""


def _put_at(entry: bytes, fields: dict[bytes, bytes]) -> float:
    """When it was put; of what another program added, when Redis got it."""
    if fields.keys() >= _FIELDS:
        with contextlib.suppress(ValueError):
            return float(fields[b"at"])
    return int(entry.partition(b"-")[0]) / 1000


def _letter(fields: dict[bytes, bytes]) -> DeadLetter:
    return DeadLetter(fields[b"id"].decode("utf-8", "replace"), fields[b"reason"].decode("utf-8", "replace"),
                      fields[b"message"], int(fields[b"attempts"]), float(fields[b"at"]))  # fmt: skip
