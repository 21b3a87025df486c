"""The worker: claims events, has them described in batches, stores, and only then acknowledges.

Stateless: any number of them share a queue and a store. An event is done twice where a worker dies between storing and
acknowledging; the store keeps it once. What fails alone, fails alone; where the queue or the store is down the worker
waits, with what it has.
"""

from __future__ import annotations

import contextlib
import logging
import queue as queues
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from personvlm.base import logs, tracing
from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, fetch
from personvlm.events.port import Lease, Queue, QueueDownError
from personvlm.events.worker_pause import Pause, silent
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Histogram
from personvlm.runtime.batching_queue import NotAnsweredError, Priority
from personvlm.schema import PersonDescription
from personvlm.schema.events import Described, DescribeRequest
from personvlm.store.blobs import BlobMissingError
from personvlm.store.database import reason
from personvlm.store.store import Store
from personvlm.store.tables import descriptions

Engine = BatchEngine[DescribeRequest, PersonDescription]
Observe = Callable[[Sequence[Described], "sa.Connection"], Any]
_Done = tuple[Lease, "Future[PersonDescription]"]

_LONGEST_MS = 1e15  # a camera's clock may stand anywhere
OUTCOMES = ("claimed", "described", "repeated", "failed", "dead", "late", "released")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works. Times are seconds.

    Attributes:
        ahead: most events that are claimed and not finished; enough for a batch at work and one that is decoded.
        wait_s: longest wait of one claim.
        hold: leases are extended while an event is worked on, at most this many times their length in all.
        drain_s: how long a worker that was stopped may take to finish what it has.
        together: most descriptions in one transaction.
    """

    ahead: int = 48
    wait_s: float = 0.5
    hold: float = 10.0
    drain_s: float = 30.0
    together: int = 64


@dataclass(frozen=True)
class _Held:
    """An event that is worked on, since when (monotonic clock), and the span of that."""

    lease: Lease
    since: float
    span: tracing.Span


class Worker:
    """Works until it is stopped.

    Attributes:
        counts: events so far: ``claimed``, ``described``, ``repeated`` (described, and stored before), ``failed``
            (tried again later), ``dead`` (hopeless at once), ``late`` (their lease had run out), ``released``.
        delays: from the event's frame to its description in the store.
        queue_down, store_down: why they do not answer, or None.

    Args:
        queue: where events come from.
        store: where descriptions go.
        engine: finds the words; closed by :meth:`run`.
        observe: called with what was new, in the transaction that stores it (alerts).
        blobs: where pictures lie that are not in their message, if that is not the store's own place.
    """

    def __init__(self, queue: Queue, store: Store, engine: Engine, settings: WorkerSettings | None = None, *,
                 observe: Observe | None = None, blobs: Blobs | None = None) -> None:  # fmt: skip
        self.queue, self.store, self.engine = queue, store, engine
        self.settings = settings or WorkerSettings()
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.delays = Histogram()
        self.queue_down: str | None = None
        self.store_down: str | None = None
        self._observe, self._blobs = observe, blobs
        self._together = queue.capabilities.transactional and getattr(queue, "engine", None) is store.engine
        self._stopping, self._over = threading.Event(), threading.Event()
        self._held: dict[int, _Held] = {}
        self._change = threading.Condition()
        self._finished: queues.SimpleQueue[_Done | None] = queues.SimpleQueue()

    @property
    def healthy(self) -> bool:
        """Nothing has been at work for longer than a lease may be extended."""
        with self._change:
            oldest = min((held.since for held in self._held.values()), default=None)
        longest = self.settings.hold * self.queue.settings.lease_s
        return oldest is None or time.monotonic() - oldest < longest

    @property
    def ready(self) -> bool:
        """Queue and store answered last time."""
        return self.queue_down is None and self.store_down is None and not self._stopping.is_set()

    @property
    def busy(self) -> int:
        """Events that are claimed and not finished."""
        with self._change:
            return len(self._held)

    def stop(self) -> None:
        """Claim no more, finish what was claimed, and return from :meth:`run`. May be called by a signal handler."""
        self._stopping.set()

    def run(self, *, until_empty: bool = False) -> None:
        """Claim and describe until :meth:`stop`, or until nothing is queued any more."""
        threads = [threading.Thread(target=work, name=name, daemon=True)
                   for name, work in (("finish", self._finish), ("extend", self._extend))]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            self._claim(until_empty)
        finally:
            self._drain()
            self._over.set()
            self._finished.put(None)
            for thread in threads:
                thread.join(5.0)
            self.engine.close(drain=False, timeout_s=1.0)

    # Claiming.

    def _claim(self, until_empty: bool) -> None:
        pause = Pause()
        while not self._stopping.is_set():
            with self._change:
                self._change.wait_for(lambda: len(self._held) < self.settings.ahead, 0.2)
                room = self.settings.ahead - len(self._held)
            if room <= 0:
                continue
            try:
                leases = self.queue.claim(min(room, self.engine.settings.batch), self.settings.wait_s)
                if until_empty and not leases and not self.busy and self.queue.stats().queued == 0:
                    return
            except QueueDownError as error:
                self._down("queue", str(error))
                self._stopping.wait(pause.next())
                continue
            self._up("queue")
            pause.reset()
            for lease in leases:
                self._submit(lease)

    def _submit(self, lease: Lease) -> None:
        attempt = {"personvlm.attempt": lease.attempt}
        span, request = tracing.step("claim", lease.request, kind="consumer", facts=attempt)
        lease = replace(lease, request=request)
        with self._change:
            self._held[id(lease)] = _Held(lease, time.monotonic(), span)
            self.counts["claimed"] += 1
        try:
            future = self.engine.submit(request, priority=Priority.of(request.trigger), key=request.person)
        except NotAnsweredError as error:
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda done: self._finished.put((lease, done)))

    # Finishing.

    def _finish(self) -> None:
        while True:
            done = self._finished.get()
            if done is None:
                return
            batch = [done]
            while len(batch) < self.settings.together and not self._finished.empty():  # nobody else takes from it
                more = self._finished.get()
                if more is None:
                    self._finished.put(None)
                    break
                batch.append(more)
            try:
                self._settle(batch)
            except Exception:
                # A defect of ours. What was in hand comes back when its lease has run out.
                _log.exception("a batch could not be finished")
            finally:
                self._let_go([lease for lease, _ in batch])

    def _settle(self, batch: Sequence[_Done]) -> None:
        good, bad = [], []
        for lease, future in batch:
            error = future.exception()
            if error is None:
                answer = Described(request=lease.request, description=future.result(), described_at=time.time())
                good.append((lease, answer))
            else:
                bad.append((lease, error))
        if good:
            self._store(good)
        for lease, error in bad:
            self._fail(lease, error)

    def _store(self, good: Sequence[tuple[Lease, Described]]) -> None:
        """Store and acknowledge; where the store refuses one of several, it fails alone."""
        pause = Pause()
        while not self._over.is_set():
            try:
                self._store_once(good)
            except Exception as error:  # whatever one event may bring about, the others have no part in it
                part = silent(error)
                if part is None:
                    self._up("store")  # who refuses, answers
                    return self._blame(good, error)
                self._down(part, reason(error))
                self._over.wait(pause.next())
            else:
                return self._up("store")

    def _blame(self, good: Sequence[tuple[Lease, Described]], error: Exception) -> None:
        if len(good) == 1:
            return self._fail(good[0][0], error)
        for one in good:
            self._store([one])

    def _store_once(self, good: Sequence[tuple[Lease, Described]]) -> None:
        leases = [lease for lease, _ in good]
        with tracing.steps("store", [answer.request for _, answer in good]) as steps:
            described = [self._with_pictures(answer.model_copy(update={"request": request}))
                         for (_, answer), (_, request) in zip(good, steps, strict=True)]  # fmt: skip
            with self.store.begin() as connection:
                new = self._add(described, connection)
                if self._together:
                    held = self.queue.ack(leases, connection)
            if self._together:
                self.queue.forget([lease for lease, ours in zip(leases, held, strict=True) if ours])
            else:
                held = self.queue.ack(leases)
                self._up("queue")
        self.counts.update(described=sum(new), repeated=new.count(False), late=held.count(False))
        for answer, was_new in zip(described, new, strict=True):
            delay = min(1000 * max(0.0, answer.described_at - answer.request.frame_time), _LONGEST_MS)
            self.delays.add(delay)
            _log.info("stored" if was_new else "stored before", extra=logs.of(answer.request, delay_ms=round(delay)))

    def _with_pictures(self, one: Described) -> Described:
        """The store keeps pictures in a place of its own, and cannot fetch them from here."""
        if self._blobs is None or self.store.blobs is None:
            return one
        return one.model_copy(update={"request": fetch(one.request, self._blobs)})

    def _add(self, described: Sequence[Described], connection: sa.Connection) -> list[bool]:
        new = self.store.add(described, connection)
        if self._observe is not None and any(new):
            self._observe([one for one, was_new in zip(described, new, strict=True) if was_new], connection)
        return new

    def _fail(self, lease: Lease, error: BaseException) -> None:
        hopeless = isinstance(error, InputError)
        why = str(error) if hopeless else f"{type(error).__name__}: {error}"
        _log.warning("not described", extra=logs.of(lease.request, error, attempt=lease.attempt))
        self._held[id(lease)].span.failed(error)
        pause, part = Pause(), None
        while not self._over.is_set():
            try:
                if isinstance(error, NotAnsweredError):
                    self.queue.release([lease])
                    self.counts["released"] += 1
                elif isinstance(error, BlobMissingError) and self._knows(lease):
                    # It came twice, and the pictures went with the first.
                    self.counts["late"] += self.queue.ack([lease]).count(False)
                    self.counts["repeated"] += 1
                else:
                    self.queue.nack([lease], why, dead=hopeless)
                    self.counts["dead" if hopeless else "failed"] += 1
                return None if part is None else self._up(part)
            except Exception as down:
                part = silent(down)
                if part is None:
                    raise
                self._down(part, reason(down))
                self._over.wait(pause.next())

    def _knows(self, lease: Lease) -> bool:
        """Whether the store has the event."""
        asked = sa.select(descriptions.c.event_id).where(descriptions.c.event_id == lease.request.event_id).limit(1)
        with self.store.read() as connection:
            return connection.scalar(asked) is not None

    def _let_go(self, leases: Sequence[Lease]) -> None:
        with self._change:
            for lease in leases:
                self._held.pop(id(lease)).span.end()
            self._change.notify_all()

    # Keeping, and giving back.

    def _extend(self) -> None:
        lease_s = self.queue.settings.lease_s
        while not self._over.wait(lease_s / 3):
            with self._change:
                oldest = time.monotonic() - self.settings.hold * lease_s
                # What was claimed a moment ago is in no hurry.
                recent = time.monotonic() - lease_s / 4
                held = [held.lease for held in self._held.values() if oldest < held.since < recent]
            try:
                if held:
                    self.queue.extend(held)
            except QueueDownError:  # whoever claims or acknowledges says so
                pass
            except Exception:  # the next time is in a third of a lease, and nobody else would do it
                _log.exception("%d leases could not be extended", len(held))

    def _drain(self) -> None:
        with self._change:
            done = self._change.wait_for(lambda: not self._held, self.settings.drain_s)
            left = [held.lease for held in self._held.values()]
        if not done:
            _log.warning("%d events were not finished in %s s and are given back", len(left), self.settings.drain_s)
            with contextlib.suppress(QueueDownError):
                self.queue.release(left)

    # What is up and what is down.

    def _down(self, what: str, why: str) -> None:
        if getattr(self, f"{what}_down") is None:
            _log.warning("the %s does not answer, trying again: %s", what, why)
        setattr(self, f"{what}_down", why)

    def _up(self, what: str) -> None:
        if getattr(self, f"{what}_down") is not None:
            _log.warning("the %s answers again", what)
            setattr(self, f"{what}_down", None)
