"""What a server's routes work with beside the describer: the store, the queue, and who looked at what."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fastapi import Request

from personvlm.alerts.engine import Alerts
from personvlm.alerts.outbox import Outbox
from personvlm.events import open_queue
from personvlm.events.port import Queue
from personvlm.pipeline.retention import sweep
from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings
from personvlm.server.settled import Settled
from personvlm.store import BlobMissingError, Blobs, Store, audit
from personvlm.store.hot import with_cache

_log = logging.getLogger("personvlm.server")


@dataclass(frozen=True)
class _Row:
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    at: float
    written: Future[None] = field(default_factory=Future)


class Auditor:
    """Writes to the store's audit. Who waits at the same time shares one transaction: a page of fifty pictures costs a
    few, not fifty."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: list[_Row] = []
        self._writing = False

    def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> None:
        """Returns when it is written; raises where it could not be."""
        row = _Row(actor, action, subject, detail or {}, time.time())
        with self._lock:
            self._waiting.append(row)
            leads, self._writing = not self._writing, True
        if leads:
            self._write()
        row.written.result()

    def _write(self) -> None:
        """Everything that waits, until nothing does."""
        while True:
            with self._lock:
                rows, self._waiting = self._waiting, []
                if not rows:
                    self._writing = False
                    return
            try:
                with self._store.begin() as connection:
                    for row in rows:
                        audit.add(connection, row.actor, row.action, row.subject, row.detail, at=row.at)
            except Exception as error:
                for row in rows:
                    row.written.set_exception(error)
            else:
                for row in rows:
                    row.written.set_result(None)


class Services:
    """Opened once, and closed with the server."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._store: Store | None = None
        self._queue: Queue | None = None
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        if settings.store is not None:
            self._store = with_cache(Store.open(settings.store, blobs=settings.blobs), settings.cache)
        if settings.queue is not None:
            self._queue = open_queue(settings.queue, blobs=self._blobs)

    def start(self) -> None:
        """Begin to send what alerts have to tell, and to erase who is too old."""
        if self._store is not None:
            works = ((self._deliver, self.settings.deliver_s), (self._sweep, self.settings.sweep_s))
            self._threads = [threading.Thread(target=work, daemon=True) for work, every in works if every is not None]
            for thread in self._threads:
                thread.start()

    def _sweep(self) -> None:
        while True:
            try:
                swept = sweep(self.store, self._queue)
                if swept.people or swept.pictures or swept.dead:
                    _log.info("retention: %d people, %d pictures and %d dead letters are erased", swept.people,
                              swept.pictures, swept.dead)  # fmt: skip
            except Exception:  # a database that is away comes back
                _log.exception("who is too old could not be erased; it will be tried again")
            if self._ending.wait(self.settings.sweep_s):
                return

    def _deliver(self) -> None:
        outbox = Outbox(self.store, showing=self.settings.showing)
        while not self._ending.wait(self.settings.deliver_s):
            try:
                if self.alerts.channels():
                    outbox.deliver()
            except Exception:  # a database that is away comes back; what was not sent still stands in it
                _log.exception("alerts could not be sent; they will be tried again")

    def close(self) -> None:
        """Give connections back."""
        self._ending.set()
        for thread in self._threads:
            thread.join(15)
        if self._queue is not None:
            self._queue.close()
        if self._store is not None:
            self._store.close()

    @property
    def store(self) -> Store:
        """Raises :class:`Problem` where there is none."""
        if self._store is None:
            raise Problem(404, "no_store", "this server has no store: start it with --store URL")
        return self._store

    @property
    def queue(self) -> Queue:
        """Raises :class:`Problem` where there is none."""
        if self._queue is None:
            raise Problem(404, "no_queue", "this server has no queue: start it with --queue URL")
        return self._queue

    @property
    def blobs(self) -> Blobs:
        """Raises :class:`Problem` where there are none."""
        if self._blobs is None:
            raise Problem(404, "no_crops", "no pictures are kept")
        return self._blobs

    @property
    def _blobs(self) -> Blobs | None:
        return None if self._store is None else self._store.blobs

    def picture(self, reference: str) -> bytes:
        """A crop as it may be seen: of some cameras with the head made coarse, of others not at all.

        Raises:
            Problem: 404; there is none, or it is not shown.
        """
        camera, showing = self.store.camera_of(reference), self.settings.showing
        if camera is None or showing.hides(camera):
            raise Problem(404, "no_crop", "there is no such picture, or it is not shown")
        try:
            data = self.blobs.get(reference)
        except BlobMissingError:
            raise Problem(404, "no_crop", "the picture is not kept any longer") from None
        return showing.seen(data, camera)

    @cached_property
    def alerts(self) -> Alerts:
        """Rules and alerts of the store."""
        return Alerts(self.store)

    @cached_property
    def settled(self) -> Settled:
        """Of the store."""
        return Settled(self.store)

    @cached_property
    def auditor(self) -> Auditor:
        """Of the store."""
        return Auditor(self.store)

    def parts(self) -> dict[str, str]:
        """Part -> ``ok`` or what is wrong, without anything secret."""
        found = {}
        for name, part in (("store", self._store), ("queue", self._queue)):
            if part is not None:
                try:
                    part.ping() if name == "store" else part.stats()  # type: ignore[union-attr]
                    found[name] = "ok"
                except Exception as error:  # whatever a driver raises, the answer is that it is not there
                    found[name] = type(error).__name__
        return found


def services(request: Request) -> Services:
    """Of the server that ``request`` came to."""
    found: Services = request.app.state.services
    return found


def audited(request: Request, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> None:
    """Write down that the token of ``request`` did ``action`` to ``subject``, before it is done."""
    given = {name: value for name, value in (detail or {}).items() if value not in (None, [], ())}
    services(request).auditor.note(request.state.principal.id, action, subject, given)
