"""What a server's routes work with beside the describer: the store, the queue, and who looked at what."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fastapi import Request

from personvlm.server.problems import Problem
from personvlm.server.settings import ServerSettings

if TYPE_CHECKING:
    from personvlm.alerts.engine import Alerts
    from personvlm.events.port import Queue
    from personvlm.store import Blobs, Store


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
        from personvlm.store import audit

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
        if settings.store is not None:
            from personvlm.store import Store

            self._store = Store.open(settings.store, blobs=settings.blobs)
        if settings.queue is not None:
            from personvlm.events import open_queue

            self._queue = open_queue(settings.queue, blobs=self._blobs)

    def close(self) -> None:
        """Give connections back."""
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

    @cached_property
    def alerts(self) -> Alerts:
        """Rules and alerts of the store."""
        from personvlm.alerts.engine import Alerts

        return Alerts(self.store)

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
