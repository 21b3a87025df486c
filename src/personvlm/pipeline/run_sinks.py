"""Where the events of a run go: into a store, or on a queue whose workers describe. What is away is waited for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from personvlm.base import tracing
from personvlm.base.errors import InputError, extra
from personvlm.pipeline.run_events import Occasions, PersonEvent, Tell, Waiting, person_of
from personvlm.pipeline.run_requests import described_of, request_of
from personvlm.schema import Described, DescribeRequest
from personvlm.video.frame import Report

if TYPE_CHECKING:
    from personvlm.alerts.alert import Alert

Put = Callable[[Sequence[DescribeRequest]], Sequence[str]]
"""Puts events on a queue; returns what became of each: ``accepted``, ``duplicate``, ``superseded`` or ``shed``."""

_T = TypeVar("_T")
_LONGEST = 30.0
_LAST = 10.0
"""Seconds that something which is away is waited for once the run is to end."""

INLINE = 4 * 1024 * 1024
"""Bytes of pictures in one message where there is no place for them but the message."""


class Patience:
    """Does what may fail for a while, again and again: after 1 s, 2 s, 4 s, … 30 s.

    Args:
        what: is away, in words.
        passing: errors that pass.
        report: told once when it begins and once when it is over.
        ending: whether the run is to end; then it is not tried for much longer.
    """

    def __init__(self, what: str, passing: tuple[type[Exception], ...], report: Report,
                 ending: Callable[[], bool]) -> None:  # fmt: skip
        self._what, self._passing, self._report, self._ending = what, passing, report, ending

    def __call__(self, do: Callable[[], _T]) -> _T:
        """What ``do`` returns, however long it takes.

        Raises:
            InputError: it still fails, and the run is to end.
        """
        wait, failed, deadline = 1.0, False, None
        while True:
            try:
                done = do()
            except self._passing as error:
                problem = next(iter(str(error).splitlines()), type(error).__name__)  # a TimeoutError may say nothing
                if not failed:
                    self._report(f"{self._what}: {problem}; trying again, nothing is lost meanwhile")
                failed = True
                if self._ending():
                    deadline = deadline or time.monotonic() + _LAST
                    if time.monotonic() >= deadline:
                        raise InputError(f"{self._what}: {problem}; what was not told yet is lost") from error
            else:
                if failed:
                    self._report(f"{self._what}: works again")
                return done
            self._sleep(wait)
            wait = min(_LONGEST, 2 * wait)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.1)
            if self._ending() and seconds > 1.0:
                return


class Queueing(Occasions):
    """Puts events on a queue, for others to describe.

    Args:
        put: see :data:`Put`; waits where the queue is full of new people.
        tell: gets every event that was put, without words.
        report: told of events that cannot be put.
        most: people who may wait.
    """

    def __init__(self, put: Put, tell: Tell, report: Report, most: int = 64) -> None:
        self._put, self._tell, self._report = put, tell, report
        super().__init__(most)

    def work(self, key: tuple[str, int], item: Waiting) -> None:
        """See :class:`Occasions`."""
        for occasion in item.occasions:
            revision = self.revise(occasion)
            try:
                (result,) = self._put([request_of(occasion, revision)])
            except ValueError as error:  # one person's pictures that no message takes must not stop all the others
                self.failed += 1
                self._report(f"{key[0]} #{key[1]}: {error}")
                continue
            self.superseded += result == "superseded"
            self.shed += result == "shed"
            if result in ("superseded", "shed"):
                continue
            self.queued += 1
            latency = 1000 * (time.monotonic() - item.since)
            self._tell(PersonEvent(person_of(occasion), revision, occasion, None, None, latency))


@contextlib.contextmanager
def storing(url: str, *, blobs: str | None = None, crops: bool = True, cache: str | None = None,
            raised: Callable[[Alert], None] = lambda alert: None, report: Report = lambda note: None,
            ending: Callable[[], bool] = lambda: False) -> Iterator[Tell]:  # fmt: skip
    """A store that takes events: descriptions, at the end of a person who else it is, and the alerts that its rules
    raise; all of one event, or nothing.

    Args:
        url: see :meth:`personvlm.store.store.Store.open`.
        blobs: where pictures go; see there.
        crops: False keeps no pictures.
        cache: Redis that holds each camera's latest descriptions, too; see :mod:`personvlm.store.hot`.
        raised: gets every alert once it is stored; it is sent by whoever delivers, not here.
        report: told when the store is away and when it is back.
        ending: whether the run is to end.

    Raises:
        InputError: it cannot be opened, or sqlalchemy is missing.
    """
    with extra("--store", "service"):
        from sqlalchemy.exc import InterfaceError, OperationalError
        from sqlalchemy.exc import TimeoutError as NoConnectionError

        from personvlm.alerts.engine import Alerts
        from personvlm.store import Store
        from personvlm.store.hot import with_cache
    patient = Patience("the store", (OperationalError, InterfaceError, NoConnectionError, OSError), report, ending)
    with with_cache(Store.open(url, blobs=blobs, keep_crops=crops), cache) as store:
        alerts = Alerts(store)

        def write(event: PersonEvent, described: Described) -> list[Alert]:
            with tracing.steps("store", [described.request]) as ((_, request),), store.begin() as connection:
                described = described.model_copy(update={"request": request})
                store.add([described], connection)
                if event.occasion.kind == "end":  # earlier links may still be taken back
                    for other in event.same_as:
                        store.link(event.id, other.id, other.probability, connection=connection)
                return alerts.observe([described], connection)

        def tell(event: PersonEvent) -> None:
            described = described_of(event)
            if described is not None:
                for alert in patient(partial(write, event, described)):
                    raised(alert)

        yield tell


@contextlib.contextmanager
def queueing(url: str, *, blobs: str | None = None, report: Report = lambda note: None,
             ending: Callable[[], bool] = lambda: False) -> Iterator[Put]:  # fmt: skip
    """A queue that takes events.

    Args:
        url: see :func:`personvlm.events.opening.open_queue`.
        blobs: where larger pictures go, a folder or an address for fsspec; without it they travel in the messages.
        report: told when the queue is away or full, and when it is back.
        ending: whether the run is to end.

    Raises:
        InputError: there is no such queue, or a package is missing.
        QueueDownError: nobody answers there.
    """
    from personvlm.events import QueueDownError, QueueFullError, QueueSettings, open_queue

    if url.startswith("memory:"):
        raise InputError(f"{url}: nobody else can take events out of this process; name a queue that others reach")
    place = None
    if blobs is not None:
        from personvlm.store import Blobs

        place = Blobs.open(blobs)
    queue = open_queue(url, QueueSettings() if place else QueueSettings(inline=INLINE), place)
    patient = Patience("the queue", (QueueDownError, QueueFullError, OSError), report, ending)
    with contextlib.closing(queue):

        def put(requests: Sequence[DescribeRequest]) -> Sequence[str]:
            shelved = patient(lambda: [queue.shelve(request) for request in requests])
            return patient(lambda: queue.put(shelved, wait_s=1.0))

        yield put
