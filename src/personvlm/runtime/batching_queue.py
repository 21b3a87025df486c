"""The queue of a batch engine: bounded, in order of priority. No threads here: the engine holds the lock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from threading import TIMEOUT_MAX
from typing import Any, Generic, Literal, TypeVar

from personvlm.base.errors import InputError, PersonVLMError
from personvlm.schema.events import Trigger

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Priority(IntEnum):
    """Smaller goes first; first come, first served within one. Made from an event's trigger."""

    REID_REQUEST = 0
    NEW_TRACK = 1
    TRACK_UPDATE = 2
    BACKFILL = 3

    @classmethod
    def of(cls, trigger: Trigger) -> Priority:
        """The priority of an event."""
        return cls[trigger.upper()]


class NotAnsweredError(PersonVLMError):
    """A request got no answer although nothing is wrong with it: it may be sent again."""


class QueueFullError(NotAnsweredError):
    """The queue is full."""


class ShedError(NotAnsweredError):
    """An update gave its place in a full queue to something newer or more urgent."""


class RequestTimeoutError(NotAnsweredError):
    """The answer did not come in the time that the request allowed."""


class ClosedError(NotAnsweredError):
    """The batch engine was closed."""


@dataclass(frozen=True)
class BatchSettings:
    """How requests become batches.

    Attributes:
        batch: most requests in one batch.
        window_ms: longest that an idle worker waits for more, where it does not start at once.
        eager: an idle worker starts at once with what is there. Without it batches are larger, and answers later.
        queue: most requests that wait.
        when_full: ``block``: submitting waits up to ``patience_s`` for room; ``refuse``: it fails at once; ``shed``:
            the oldest queued update of the same key goes, else the oldest queued update of all; where none is queued,
            an update itself is shed, and anything else blocks.
        patience_s: see ``when_full``.
        timeout_s: time that a request has from being submitted to its answer, unless it says otherwise; None: any.
        preparers: threads that prepare what is queued, ahead of the workers; 0: workers prepare their own batch.
    """

    batch: int = 16
    window_ms: float = 50.0
    eager: bool = True
    queue: int = 256
    when_full: Literal["block", "refuse", "shed"] = "block"
    patience_s: float = 30.0
    timeout_s: float | None = None
    preparers: int = 0

    def __post_init__(self) -> None:
        times = (self.window_ms, self.patience_s, self.preparers)
        if self.batch < 1 or self.queue < 1 or not all(each >= 0 for each in times):  # NaN is not either
            raise InputError(f"{self}: batch and queue must be at least 1, times and preparers not negative")
        if self.when_full not in ("block", "refuse", "shed"):
            raise InputError(f"when_full is {self.when_full!r}; legal: block, refuse, shed")


@dataclass(eq=False)
class Request(Generic[Item, Answer]):
    """One item on its way to an answer. Times are of ``time.perf_counter``.

    Attributes:
        key: what the item is about (a camera and a track), or None.
        number: counts the requests of an engine upwards.
        deadline: when the answer is no longer wanted, or None.
        ready: the prepared item, where a preparer has taken it up.
        done: its future has been, or is about to be, given an answer or an error.
    """

    item: Item
    priority: Priority
    key: Hashable | None
    number: int
    submitted: float
    deadline: float | None = None
    future: Future[Answer] = field(default_factory=Future)
    ready: Future[Any] | None = None
    done: bool = False


class RequestQueue(Generic[Item, Answer]):
    """Requests that wait, at most ``settings.queue`` of them. Every operation but :meth:`victim` is O(1) a request."""

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self._queues = {priority: OrderedDict[int, Request[Item, Answer]]() for priority in Priority}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def full(self) -> bool:
        """Nothing more fits."""
        return len(self) >= self._settings.queue

    def lengths(self) -> dict[str, int]:
        """Requests by the name of their priority."""
        return {priority.name.lower(): len(queue) for priority, queue in self._queues.items()}

    def add(self, request: Request[Item, Answer]) -> None:
        """Append. Whether there is room is the caller's business."""
        self._queues[request.priority][request.number] = request

    def remove(self, request: Request[Item, Answer]) -> bool:
        """Take out; whether it was there."""
        return self._queues[request.priority].pop(request.number, None) is not None

    def take(self, count: int) -> list[Request[Item, Answer]]:
        """Take out up to ``count`` requests, the most urgent first."""
        taken: list[Request[Item, Answer]] = []
        for queue in self._queues.values():  # in the order of the priorities
            while queue and len(taken) < count:
                taken.append(queue.popitem(last=False)[1])
        return taken

    def victim(self, key: Hashable | None) -> Request[Item, Answer] | None:
        """The update that is shed first, left in its place: the oldest of the same key, else the oldest."""
        updates = self._queues[Priority.TRACK_UPDATE]
        same = (request for request in updates.values() if key is not None and request.key == key)
        return next(same, None) or next(iter(updates.values()), None)

    def oldest(self) -> float | None:
        """When the request that has waited longest was submitted; None if nothing waits."""
        return min((next(iter(queue.values())).submitted for queue in self._queues.values() if queue), default=None)

    def due_in(self, now: float) -> float | None:
        """Seconds until an idle worker should take a batch, 0 for at once; None if nothing waits."""
        oldest = self.oldest()
        if oldest is None:
            return None
        if self._settings.eager or len(self) >= self._settings.batch:
            return 0.0
        return max(0.0, oldest + min(self._settings.window_ms / 1000, TIMEOUT_MAX) - now)
