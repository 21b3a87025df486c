"""What queues have in common that are asked again and again: waiting for room, and for something to do."""

from __future__ import annotations

import contextlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from personvlm.base import tracing
from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, encode, shelve
from personvlm.events.port import Choose, DeadLetter, Lease, PutResult, QueueFullError, QueueSettings
from personvlm.schema.events import DescribeRequest
from personvlm.store.blobs import REFERENCE

_ROOM_S = 0.05  # between two looks for room
_MANY = 500  # in one statement or script
_SHELVED = re.compile(REFERENCE.encode())
_Item = TypeVar("_Item")


class PollingQueue(ABC):
    """Waits on behalf of an adapter that can only look.

    Args:
        settings: see :class:`QueueSettings`.
        blobs: for pictures that are too large for a message.
        poll_s: between two looks for something to do.
    """

    def __init__(self, settings: QueueSettings | None = None, blobs: Blobs | None = None, poll_s: float = 0.02) -> None:
        self.settings = settings or QueueSettings()
        self._blobs, self._poll_s = blobs, poll_s

    def put(self, requests: Sequence[DescribeRequest], *, wait_s: float = 0.0) -> list[PutResult]:
        """See :class:`personvlm.events.port.Queue`."""
        end = time.monotonic() + wait_s
        with tracing.steps("put", requests, kind="producer") as steps:
            shelved = [self.shelve(request) for _, request in steps]
            results = self._put_all([(request, encode(request)) for request in shelved], end)
            for (span, _), result in zip(steps, results, strict=True):
                span.note({"personvlm.outcome": result})
        return results

    def shelve(self, request: DescribeRequest) -> DescribeRequest:
        """See :class:`personvlm.events.port.Queue`."""
        return shelve(request, inline=self.settings.inline, blobs=self._blobs, keep_s=self.settings.keep_s)

    def _put_all(self, items: Sequence[tuple[DescribeRequest, bytes]], end: float) -> list[PutResult]:
        """Accept events with their messages, in order; wait for room until ``end``, on the monotonic clock."""
        results = self._put(items)
        while len(results) < len(items):
            if time.monotonic() >= end:
                raise QueueFullError(f"the queue holds {self.settings.depth} events, and none of them may be shed for "
                                     f"{len(items) - len(results)} more; put them again later")  # fmt: skip
            self._rest(min(_ROOM_S, max(0.0, end - time.monotonic())))
            results += self._put(items[len(results) :])
        return results

    def claim(self, count: int, wait_s: float = 0.0) -> list[Lease]:
        """See :class:`personvlm.events.port.Queue`."""
        end = time.monotonic() + wait_s
        while True:
            leases = self._claim(count)
            left = end - time.monotonic()
            if leases or left <= 0:
                return leases
            self._rest(min(self._poll_s, left))

    def drop_dead(self, event_ids: Collection[str] | None = None, *, older_s: float = 0.0,
                  choose: Choose | None = None) -> int:  # fmt: skip
        """See :class:`personvlm.events.port.Queue`."""
        wanted = None if event_ids is None else frozenset(event_ids)
        before, payloads = self._time() - older_s, list[bytes]()

        def chosen(letter: DeadLetter) -> bool:
            if letter.died_at > before or (wanted is not None and letter.event_id not in wanted):
                return False
            if choose is not None and not choose(letter):
                return False
            payloads.extend(_shelved(letter.payload))
            return True

        gone = self._drop_dead(chosen, wanted) if wanted is None or wanted else 0
        self._unshelve(payloads)
        return gone

    def _unshelve(self, payloads: Iterable[bytes]) -> None:
        """Delete the pictures that messages left with the blob store. One that is out of reach expires by itself."""
        delete = getattr(self._blobs, "delete", None)
        if delete is None:
            return
        for reference in {found for payload in payloads for found in _shelved(payload)}:
            with contextlib.suppress(OSError):
                delete(reference.decode())

    def _time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def _rest(self, seconds: float) -> None:
        time.sleep(seconds)

    @abstractmethod
    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        """Accept events with their messages, in order, up to the first that finds no room."""

    @abstractmethod
    def _claim(self, count: int) -> list[Lease]:
        """What is there now."""

    @abstractmethod
    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        """Delete the dead letters that are ``chosen``; none but ``event_ids`` where these are given. How many."""


def _shelved(payload: bytes) -> list[bytes]:
    """References in a message to pictures that lie with the blob store only for it."""
    return [found for found in _SHELVED.findall(payload) if found.startswith(b"until/")]


def run_out(attempts: int, reason: str | None) -> str:
    """Why an event is dead whose claimers fell silent ``attempts`` times."""
    last = f"; before that: {reason}" if reason else ""
    return f"claimed {attempts} times and never finished: its workers crashed, or were too slow for its lease{last}"


def chunks(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """Parts that are small enough for one statement or script."""
    for start in range(0, len(items), _MANY):
        yield list(items[start : start + _MANY])


def split(url: str) -> tuple[str, str]:
    """An address without ``queue=NAME`` in its query, and the name.

    Raises:
        InputError: a name that could be mistaken for something else.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    name = query.pop("queue", "personvlm")
    if not name or not all(char.isalnum() or char in "-_." for char in name):
        raise InputError(f"{name!r} is no name of a queue: letters, digits, - _ and . only")
    return urlunsplit(parts._replace(query=urlencode(query))), name
