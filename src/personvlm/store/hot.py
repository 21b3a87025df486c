"""The latest descriptions per camera in Redis, for screens that ask every second. A copy: it may be thrown away.

:class:`HotStore` is a store that keeps such a copy right: what is written through it, put right or erased changes the
copy too, after it is committed. Redis may be away at any time; then everything is as without it. What was changed by
somebody who does not know of the copy shows in it within :data:`WHOLE_S`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from personvlm.base.errors import InputError, PersonVLMError, extra
from personvlm.schema import Described
from personvlm.store import hot_scripts as scripts
from personvlm.store import reading
from personvlm.store.bulk import chunks
from personvlm.store.corrections import Correction
from personvlm.store.erasing import FREE_SPACE, Receipt
from personvlm.store.reading import EVERYBODY, Filters, Held, Page
from personvlm.store.retention import Sweep
from personvlm.store.rows import Said, Seen
from personvlm.store.store import Store

WHOLE_S = 60
"""Seconds after which a camera is read from the store again, whatever the copy says."""

_GONE_S = 3600
"""Seconds for which nobody who was erased can be put back by somebody who had read before."""

_SWEPT_S, _RIGHTED_S = 60, 10
_REST_S = 5.0
"""Seconds for which Redis is left alone after it did not answer."""

_log = logging.getLogger(__name__)


class CacheDownError(PersonVLMError):
    """Redis does not answer."""


class HotCache:
    """The last people of each camera.

    Args:
        url: ``redis://host:port/number``. A number of its own for each store.
        keep: people per camera.
        seconds: after which a camera that sees nobody is forgotten.

    Raises:
        InputError: no such address, or redis-py is not installed.
    """

    def __init__(self, url: str, keep: int = 256, seconds: int = 86_400) -> None:
        with extra("a cache in Redis", "redis"):
            import redis
        try:
            self._redis: Any = redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
        except ValueError as error:
            raise InputError(f"--cache: {error}; give redis://host:port/number") from None
        self._errors: Any = redis.RedisError
        self._scripts = {name: self._redis.register_script(getattr(scripts, name)) for name in scripts.NAMES}
        self.keep, self._seconds = keep, seconds
        self._rests_until, self._owed = 0.0, False

    def put(self, held: Sequence[Held]) -> None:
        """Remember what holds of these, unless something newer is known.

        Raises:
            CacheDownError: Redis does not answer.
        """
        cameras: dict[str, list[Held]] = {}
        for one in held:
            cameras.setdefault(one.described.request.camera, []).append(one)
        with self._told():
            for camera, some in cameras.items():
                self._scripts["PUT"](keys=_keys(camera), args=[self.keep, self._seconds, time.time(), *_rows(some)])

    def turn(self, camera: str) -> bytes:
        """What changes with every change of a camera's copy; for :meth:`fill`. Raises CacheDownError."""
        with self._told():
            found: bytes | None = self._redis.get(_keys(camera)[3])
        return found or b"0"

    def fill(self, camera: str, held: Sequence[Held], turn: bytes) -> bool:
        """Replace a camera's copy by what stands in the store: the latest ``keep`` people, or everybody. Not where
        anything has changed since ``turn``; whether it was done. Raises CacheDownError."""
        whole = "part" if len(held) > self.keep else "all"
        given = [self._seconds, time.time(), turn, WHOLE_S, whole, *_rows(held[: self.keep])]
        with self._told():
            return bool(self._scripts["FILL"](keys=_keys(camera), args=given))

    def latest(self, camera: str, limit: int = 20) -> Page | None:
        """Who was on ``camera`` last, the latest first, as :meth:`Store.people` gives it but without scores and
        embedding; None where that cannot be told from here. Raises CacheDownError."""
        with self._told():
            found = self._scripts["READ"](keys=_keys(camera), args=[limit])
        if found is None or None in found:  # Redis throws away keys one by one where its memory is full
            return None
        try:
            held = [_read(text) for text in found]
        except (ValueError, TypeError):  # of another version of this program
            return None
        return page_of(held, limit)

    def forget(self, people: Collection[str], seconds: int = _GONE_S) -> int:
        """Delete people on all cameras, and rewrite the append-only file, which would still have them. For so many
        seconds nobody can put them back. Raises CacheDownError."""
        if not people:
            return 0
        wanted, gone = set(people), 0
        with self._told():
            for some in chunks(sorted(wanted)):
                self._redis.zadd(scripts.GONE, dict.fromkeys(some, time.time() + seconds))
            for camera in self._cameras():
                members = [member for member in self._redis.zrange(_keys(camera)[0], 0, -1)
                           if member.decode().partition(":")[2] in wanted]  # fmt: skip
                if members:  # at most as many as are kept
                    gone += int(self._scripts["DROP"](keys=_keys(camera), args=members))
            if gone:
                self._rewrite()
        return gone

    def clear(self) -> None:
        """Forget everybody. Raises CacheDownError."""
        with self._told():
            self._clear()

    def owe(self) -> None:
        """Something in it does not hold any longer: throw everything away as soon as Redis answers."""
        self._owed = True

    def _clear(self) -> None:
        keys = list(self._redis.scan_iter(f"{scripts.PREFIX}*"))
        if keys:
            self._redis.delete(*(key for key in keys if key != scripts.GONE.encode()))
            self._rewrite()

    def _cameras(self) -> list[str]:
        start = f"{scripts.PREFIX}times:"
        return [key.decode().removeprefix(start) for key in self._redis.scan_iter(f"{start}*")]

    def _rewrite(self) -> None:
        from redis.exceptions import ResponseError

        with contextlib.suppress(ResponseError):  # nobody may ask: its files follow when it rewrites them itself
            if self._redis.config_get("appendonly").get("appendonly") == "yes":
                self._redis.bgrewriteaof()
            if self._redis.config_get("save").get("save"):
                self._redis.bgsave(schedule=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        if time.monotonic() < self._rests_until:
            raise CacheDownError("Redis did not answer a moment ago")
        try:
            if self._owed:
                self._clear()
                self._owed = False
            yield
        except self._errors as error:
            if not self._rests_until:
                _log.warning("the cache of latest descriptions cannot be used, going on without it: %s", error)
            self._rests_until = time.monotonic() + _REST_S
            raise CacheDownError(f"Redis: {error}") from error
        if self._rests_until:
            _log.warning("the cache of latest descriptions answers again")
            self._rests_until = 0.0


def _keys(camera: str) -> list[str]:
    return [*(f"{scripts.PREFIX}{name}:{camera}" for name in ("times", "said", "whole", "turn")), scripts.GONE]


def _rows(held: Sequence[Held]) -> Iterator[str | float]:
    """Of each: id, member, when last seen, revision, when described, and everything."""
    for one in held:
        request = one.described.request
        crops = [crop.model_copy(update={"data": None}) for crop in request.crops]
        bare = one.described.model_copy(update={
            "request": request.model_copy(update={"crop": crops[0], "others": tuple(crops[1:])}),
            "description": one.described.description.model_copy(update={"scores": {}, "embedding": None}),
        })  # fmt: skip
        yield request.person
        yield f"{one.number:020d}:{request.person}"  # so that those of one moment are in the order of their numbers
        yield repr(float(one.last_seen))
        yield request.revision
        yield repr(one.described.described_at)
        yield json.dumps([one.number, one.last_seen, bare.model_dump(mode="json", exclude_defaults=True)],
                         ensure_ascii=False)  # fmt: skip


def _read(text: bytes) -> Held:
    number, last_seen, described = json.loads(text.split(b" ", 2)[2])
    return Held(int(number), float(last_seen), Described.model_validate(described))


def page_of(held: Sequence[Held], limit: int) -> Page:
    """The first ``limit`` of ``held``, and where the rest begins."""
    last = held[limit - 1] if len(held) > limit else None
    return Page(tuple(one.described for one in held[:limit]), None if last is None else last.place)


class HotStore(Store):
    """A store that keeps a copy of each camera's latest descriptions in Redis.

    What is written in a transaction that was not begun with :meth:`begin` is seen in the copy within
    :data:`WHOLE_S`, like what other programs write.
    """

    def __init__(self, store: Store, cache: HotCache) -> None:
        super().__init__(store.engine, store.blobs)
        self.cache = cache
        self._changing: dict[int, set[str]] = {}

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """See :meth:`Store.begin`."""
        with super().begin() as connection:
            changed = self._changing.setdefault(id(connection), set())
            try:
                yield connection
            finally:
                del self._changing[id(connection)]
        self._refresh(changed)

    def insert(self, rows: Sequence[tuple[Seen, Said]], connection: sa.Connection | None = None) -> list[bool]:
        """See :meth:`Store.insert`."""
        new = super().insert(rows, connection)
        self._changed({seen.person for seen, _ in rows}, connection)
        return new

    def correct(self, person: str, group: str, value: str | Sequence[str], by: str = "somebody",
                connection: sa.Connection | None = None) -> Correction:  # fmt: skip
        """See :meth:`Store.correct`."""
        done = super().correct(person, group, value, by, connection)
        self._righted(done, connection)
        return done

    def undo_correction(self, number: int, by: str = "somebody", connection: sa.Connection | None = None) -> Correction:
        """See :meth:`Store.undo_correction`."""
        done = super().undo_correction(number, by, connection)
        self._righted(done, connection)
        return done

    def erase(self, people: Sequence[str], *, identity: bool = False, actor: str = "somebody", reason: str = "",
              scrub: bool = True) -> Receipt:  # fmt: skip
        """See :meth:`Store.erase`; the receipt counts what was in the cache, and names it where it is out of reach."""
        receipt = super().erase(people, identity=identity, actor=actor, reason=reason, scrub=False)
        cached, missed = 0, tuple[str, ...]()
        try:
            cached = self.cache.forget(receipt.people)
        except CacheDownError as error:
            self.cache.owe()
            missed = (f"the cache of latest descriptions does not answer: erase again when it does ({error})",)
        left = receipt.remaining
        if scrub:
            left = (*(place for place in left if place != FREE_SPACE), *self.scrub())
        return replace(receipt, counts={**receipt.counts, "cache": cached}, remaining=(*left, *missed))

    def sweep(self, now: float | None = None, *, scrub: bool = False) -> Sweep:
        """See :meth:`Store.sweep`."""
        swept = super().sweep(now)
        try:
            if swept.pictures:  # what is said of the others names pictures that are gone
                self.cache.clear()
            self.cache.forget(swept.erased, _SWEPT_S)
        except CacheDownError:
            self.cache.owe()
        if scrub and swept.people:
            self.scrub()
        return swept

    def latest_on(self, camera: str, limit: int) -> Page:
        """The first page of everybody on a camera, from the copy where it can be told from there."""
        turn = None
        with contextlib.suppress(CacheDownError):
            page = self.cache.latest(camera, limit)
            if page is not None:
                return page
            turn = self.cache.turn(camera)
        held = self._held(Filters(cameras=(camera,)), max(limit, self.cache.keep) + 1)
        if turn is not None:
            with contextlib.suppress(CacheDownError):
                self.cache.fill(camera, held, turn)
        return page_of(held, limit)

    def _held(self, filters: Filters, limit: int) -> list[Held]:
        with self.read() as connection:
            return reading.held(connection, self.terms, filters, limit, scores=False)

    def _changed(self, people: Collection[str], connection: sa.Connection | None) -> None:
        if connection is None:
            self._refresh(people)
        elif (changing := self._changing.get(id(connection))) is not None:
            changing.update(people)

    def _righted(self, done: Correction, connection: sa.Connection | None) -> None:
        """Out of the copy, and for a moment nobody puts back what was read before."""
        if connection is not None:
            return self._changed([done.person], connection)
        try:
            self.cache.forget([done.person], _RIGHTED_S)
        except CacheDownError:
            self.cache.owe()

    def _refresh(self, people: Collection[str]) -> None:
        """Put what holds of ``people`` now. It is committed: whatever fails here must not say otherwise."""
        try:
            for some in chunks(sorted(people)):
                self.cache.put(self._held(Filters(people=tuple(some)), len(some)))
        except CacheDownError:
            return  # it has said so
        except (SQLAlchemyError, OSError) as error:
            _log.warning("what was stored is not in the cache yet: %s", error)


def with_cache(store: Store, url: str | None) -> Store:
    """``store``, with a copy of its latest descriptions in Redis where ``url`` names one.

    Raises:
        InputError: no such address, or redis-py is not installed.
    """
    return store if url is None else HotStore(store, HotCache(url))


def people(store: Store, filters: Filters = EVERYBODY, *, after: str | None = None, limit: int = 50) -> Page:
    """:meth:`Store.people`; the latest of one camera from the copy, if ``store`` has one. Scores and embeddings may be
    missing."""
    one = filters.cameras[:1]
    if isinstance(store, HotStore) and after is None and one and filters == Filters(cameras=one):
        return store.latest_on(one[0], limit)
    return store.people(filters, after=after, limit=limit)
