"""What queues have in common that are asked again and again: waiting for room, and for something to do. And pictures:
those that went to the blob store for a message go when it does."""

from __future__ import annotations

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from personvlm.base import tracing
from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, decode, encode, shelve
from personvlm.events.port import (
    Capabilities,
    Choose,
    DeadLetter,
    Lease,
    PutResult,
    QueueDownError,
    QueueFullError,
    QueueSettings,
)
from personvlm.schema.events import DescribeRequest
from personvlm.store.blobs import REFERENCE

_ROOM_S = 0.05  # between two looks for room
_MANY = 500  # in one statement or script
_SHELVED = re.compile(REFERENCE)
_Item = TypeVar("_Item")
_log = logging.getLogger(__name__)

Left = Mapping[str, str]
"""References to pictures that lie with the blob store only for one message, each with the person whom it shows."""


class PollingQueue(ABC):
    """Waits on behalf of an adapter that can only look.

    Args:
        settings: see :class:`QueueSettings`.
        blobs: for pictures that are too large for a message.
        poll_s: between two looks for something to do.
    """

    capabilities: Capabilities

    def __init__(self, settings: QueueSettings | None = None, blobs: Blobs | None = None, poll_s: float = 0.02) -> None:
        self.settings = settings or QueueSettings()
        self._blobs, self._poll_s = blobs, poll_s
        self._new: set[str] = set()  # pictures that were laid there and of which no message was put yet

    def put(self, requests: Sequence[DescribeRequest], *, wait_s: float = 0.0) -> list[PutResult]:
        """See :class:`personvlm.events.port.Queue`."""
        end = time.monotonic() + wait_s
        with tracing.steps("put", requests, kind="producer") as steps:
            shelved: list[DescribeRequest] = []
            try:
                for _, request in steps:
                    shelved.append(self.shelve(request))
                items = [(request, encode(request)) for request in shelved]
            except InputError:  # and nothing is put
                self._delete(self._laid(requests, shelved))
                raise
            new = self._new & {name for request in shelved for name in _names(request)}
            self._new -= new
            results = self._put_all(items, end)
            if None in results:  # who puts them again does that with what was given: its pictures are still needed
                laid = self._laid(requests, shelved)
                self._unshelve({name: person for request, result in zip(shelved, results, strict=True)
                                if result != "accepted" for name, person in left_by(request).items() if name in laid})
                raise QueueFullError(f"the queue holds {self.settings.depth} events, and has no room for "
                                     f"{results.count(None)} more; put them again later")  # fmt: skip
            done = [result for result in results if result is not None]
            for (span, _), result in zip(steps, done, strict=True):
                span.note({"personvlm.outcome": result})
            self._unshelve(self._unwanted(shelved, done, new))
        return done

    def _unwanted(self, requests: Sequence[DescribeRequest], results: Sequence[PutResult], new: set[str]) -> Left:
        """Pictures of what was put and is not queued. Only the ``new`` ones where a message that was put before may
        have the same."""
        left: dict[str, str] = {}
        for request, result in zip(requests, results, strict=True):
            if result != "accepted":
                every = result != "duplicate" and self.capabilities.deduplicates
                left |= {name: person for name, person in left_by(request).items() if every or name in new}
        return left

    @staticmethod
    def _laid(given: Sequence[DescribeRequest], shelved: Sequence[DescribeRequest]) -> set[str]:
        """Pictures of what was ``shelved`` that were not there when it was ``given``."""
        before = {name for request in given for name in _names(request)}
        return {name for request in shelved for name in _names(request)} - before

    def shelve(self, request: DescribeRequest) -> DescribeRequest:
        """See :class:`personvlm.events.port.Queue`."""
        done = shelve(request, inline=self.settings.inline, blobs=self._blobs, keep_s=self.settings.keep_s)
        self._new |= self._laid([request], [done])
        return done

    def _put_all(self, items: Sequence[tuple[DescribeRequest, bytes]], end: float) -> list[PutResult | None]:
        """Accept events with their messages, in order; wait for room until ``end``, on the monotonic clock. None for
        what found none."""
        results = self._put(items)
        while len(results) < len(items) and time.monotonic() < end:
            self._rest(min(_ROOM_S, max(0.0, end - time.monotonic())))
            results += self._put(items[len(results) :])
        return [*results, *([None] * (len(items) - len(results)))]

    def claim(self, count: int, wait_s: float = 0.0) -> list[Lease]:
        """See :class:`personvlm.events.port.Queue`."""
        end = time.monotonic() + wait_s
        while True:
            leases = self._claim(count)
            left = end - time.monotonic()
            if leases or left <= 0:
                return leases
            self._rest(min(self._poll_s, left))

    def ack(self, leases: Sequence[Lease], connection: Any = None) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        held = self._ack(leases, connection)
        if connection is None:
            self.forget([lease for lease, ours in zip(leases, held, strict=True) if ours])
        return held

    def forget(self, leases: Sequence[Lease]) -> None:
        """See :class:`personvlm.events.port.Queue`."""
        self._unshelve({name: person for lease in leases for name, person in left_by(lease.request).items()})

    def drop_dead(self, event_ids: Collection[str] | None = None, *, older_s: float = 0.0,
                  choose: Choose | None = None) -> int:  # fmt: skip
        """See :class:`personvlm.events.port.Queue`."""
        wanted = None if event_ids is None else frozenset(event_ids)
        before, left = self._time() - older_s, dict[str, str]()

        def chosen(letter: DeadLetter) -> bool:
            if letter.died_at > before or (wanted is not None and letter.event_id not in wanted):
                return False
            if choose is not None and not choose(letter):
                return False
            left.update(left_by_bytes(letter.payload))
            return True

        gone = self._drop_dead(chosen, wanted) if wanted is None or wanted else 0
        self._unshelve(left)
        return gone

    def _unshelve(self, left: Left) -> None:
        """Delete pictures of messages that are gone, but none that another message refers to."""
        if left:
            try:
                used = self._used(left)
            except QueueDownError as error:
                _log.warning("%d pictures are left until they expire: %s", len(left), error)
            else:
                self._delete(left.keys() - used)

    def _delete(self, references: Collection[str]) -> None:
        """Delete pictures. What cannot be deleted now expires by itself."""
        delete = getattr(self._blobs, "delete", None)
        if delete is None:
            return
        for reference in references:
            self._new.discard(reference)
            try:
                delete(reference)
            except Exception as error:  # whatever the place may raise: the message is gone, and nobody asks again
                _log.warning("the picture %s is left until it expires: %s", reference, error)

    def _time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def _rest(self, seconds: float) -> None:
        time.sleep(seconds)

    @abstractmethod
    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        """Accept events with their messages, in order, up to the first that finds no room."""

    @abstractmethod
    def _ack(self, leases: Sequence[Lease], connection: Any) -> list[bool]:
        """Which were still ours, and are done."""

    @abstractmethod
    def _used(self, left: Left) -> Collection[str]:
        """Those of ``left`` to which a message refers that waits, is leased or is dead."""

    @abstractmethod
    def _claim(self, count: int) -> list[Lease]:
        """What is there now."""

    @abstractmethod
    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        """Delete the dead letters that are ``chosen``; none but ``event_ids`` where these are given. How many."""


def left_by(request: DescribeRequest) -> dict[str, str]:
    """Pictures that lie with the blob store only for this event, see :data:`Left`."""
    names = _names(request)
    return dict.fromkeys(names, request.person) if names else {}


def _names(request: DescribeRequest) -> list[str]:
    return [crop.reference for crop in request.crops if crop.reference and crop.reference.startswith("until/")]


def left_by_bytes(payload: bytes) -> dict[str, str]:
    """The same of a message. Of what is no message it is not known whom they show: an empty word."""
    names = [name for name in _SHELVED.findall(payload.decode("latin-1")) if name.startswith("until/")]
    if not names:
        return {}
    try:
        return left_by(decode(payload))
    except InputError:
        return dict.fromkeys(names, "")


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
