"""What a queue of events promises, whatever keeps it. One contract suite (tests/events) runs against every adapter.

An event that was accepted is waiting, leased, dead with a reason, or acknowledged. Updates, and only they, may also be
superseded by a newer revision of the same person, or shed where the queue is full; both are counted. A final update is
never shed. So at any time::

    accepted == acked + dead + queued + superseded + shed + erased
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from personvlm.base.errors import InputError, PersonVLMError
from personvlm.runtime.batching_queue import Priority, QueueFullError
from personvlm.schema.events import DescribeRequest, Trigger

__all__ = ["LANES", "Capabilities", "Choose", "DeadLetter", "Lease", "PutResult", "Queue", "QueueDownError",
           "QueueFullError", "QueueSettings", "QueueStats", "is_update"]  # fmt: skip

LANES: tuple[Trigger, ...] = tuple(lane.name.lower() for lane in Priority)  # type: ignore[misc]
"""Triggers, the most urgent first."""

PutResult = Literal["accepted", "duplicate", "superseded", "shed"]
"""``duplicate``: the event is queued or dead already, nothing changed. ``superseded``: a newer revision of the person
waits. ``shed``: the queue is full of what is more urgent. The last two are accepted and done with, and counted."""


class QueueDownError(PersonVLMError):
    """The engine that keeps the queue does not answer. Nothing is lost: do it again later."""


@dataclass(frozen=True)
class QueueSettings:
    """How a queue behaves. Every process that uses a queue should use the same. Times are seconds.

    Attributes:
        lease_s: how long a claimed event is its claimer's; then it is anybody's again.
        attempts: claims after which an event that was not acknowledged is dead.
        backoff_s: wait after the first failure; it doubles with each further one.
        backoff_cap_s: longest wait.
        jitter: share of the wait that is random, 0..1, so that what failed together does not come back together.
        depth: most events that wait or are leased. Where it is full, an update replaces the oldest waiting update (or
            is shed itself where none waits); re-ID requests and new tracks do the same, and are refused where no
            update waits; backfill is refused at once.
        inline: most bytes of pictures in one message; what is above goes to the blob store.
        keep_s: how long the blob store keeps them.
    """

    lease_s: float = 60.0
    attempts: int = 5
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    jitter: float = 0.5
    depth: int = 100_000
    inline: int = 64 * 1024
    keep_s: float = 7 * 86_400.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value < 2**31):
                raise InputError(f"{name}={value}: settings of a queue are finite numbers below {2**31}")
        if min(self.lease_s, self.attempts, self.depth, self.keep_s) <= 0 or self.inline < 0:
            raise InputError(f"{self}: lease, attempts, depth and keep must be above 0")
        if not (0 <= self.jitter <= 1 and 0 <= self.backoff_s <= self.backoff_cap_s):
            raise InputError(f"{self}: jitter is 0 to 1, and the backoff at most its cap")

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after failed ``attempt`` (from 1), jitter included."""
        whole = min(self.backoff_cap_s, self.backoff_s * 2.0 ** min(attempt - 1, 60))
        return whole * (1 - self.jitter * random.random())


@dataclass(frozen=True)
class Capabilities:
    """What an engine cannot do is said here, and tested for what happens instead.

    Attributes:
        deduplicates: a second :meth:`Queue.put` of a queued event is a ``duplicate``. Else it is described twice, and
            stored once.
        coalesces: a waiting update is superseded when a newer one is put. Else among those that a process holds, when
            it claims.
        sheds: a full queue drops its oldest update for something new. Else the new update is shed.
        leases: an event whose lease ran out is given to somebody else. Else it is when its claimer's connection ends.
        counts: the counters of :class:`QueueStats` are those of all processes, and survive restarts. Else they are
            those of this process.
        erases: :meth:`Queue.erase` reaches what waits. Else it reaches dead letters, and what waits after a full turn.
        transactional: :meth:`Queue.ack` can be part of a transaction of the store.
    """

    deduplicates: bool = True
    coalesces: bool = True
    sheds: bool = True
    leases: bool = True
    counts: bool = True
    erases: bool = True
    transactional: bool = False


@dataclass(frozen=True)
class Lease:
    """An event that is ours for a while.

    Attributes:
        request: the event; pictures may be references, see :func:`personvlm.events.message.fetch`.
        attempt: which claim of it this is, from 1.
        token: the adapter's own.
    """

    request: DescribeRequest
    attempt: int = 1
    token: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class DeadLetter:
    """An event that nobody could describe.

    Attributes:
        event_id: its id; of something that is no message, an id that was made up.
        reason: why it is dead.
        payload: the message, as it was put.
        attempts: claims.
        died_at: seconds since the epoch.
    """

    event_id: str
    reason: str
    payload: bytes = field(repr=False)
    attempts: int
    died_at: float


Choose = Callable[[DeadLetter], bool]
"""Whether a dead letter is meant."""

COUNTERS = ("accepted", "acked", "superseded", "shed", "erased")
"""What :class:`QueueStats` counts since the beginning."""


@dataclass(frozen=True)
class QueueStats:
    """A queue at one moment.

    Attributes:
        waiting: events that wait, delayed ones included, by trigger.
        leased: events that somebody works on.
        dead: dead letters held now; replaying takes them out.
        oldest_s: age of the oldest event that waits, 0 where none does.
        accepted, acked, superseded, shed: events so far.
        erased: events of people who were erased, and dead letters that were dropped.
    """

    waiting: Mapping[str, int]
    leased: int
    dead: int
    oldest_s: float
    accepted: int
    acked: int
    superseded: int
    shed: int
    erased: int = 0

    @property
    def queued(self) -> int:
        """Waiting or leased."""
        return sum(self.waiting.values()) + self.leased

    @property
    def missing(self) -> int:
        """Events that were accepted and are nowhere: 0, or something is wrong."""
        done = self.acked + self.dead + self.superseded + self.shed + self.erased
        return self.accepted - done - self.queued


class Queue(Protocol):
    """A bounded queue of events with leases. Safe to use from several threads.

    Every method raises :class:`QueueDownError` where the engine does not answer; doing it again is always safe.
    """

    settings: QueueSettings
    capabilities: Capabilities

    def put(self, requests: Sequence[DescribeRequest], *, wait_s: float = 0.0) -> list[PutResult]:
        """Accept events, in order. Putting one again changes nothing.

        Args:
            wait_s: how long to wait for room.

        Raises:
            QueueFullError: no room; events before the first that did not fit may have been accepted.
            InputError: pictures larger than ``settings.inline`` and no blob store.
        """
        ...

    def shelve(self, request: DescribeRequest) -> DescribeRequest:
        """The event with its larger pictures where :meth:`put` lays them; who may have to put it more than once does
        this first. Raises what :meth:`put` does about pictures."""
        ...

    def claim(self, count: int, wait_s: float = 0.0) -> list[Lease]:
        """Up to ``count`` events, the most urgent first, the oldest first within a lane. As soon as one is there,
        what is there; an empty list after ``wait_s``."""
        ...

    def ack(self, leases: Sequence[Lease], connection: Any = None) -> list[bool]:
        """They are done. False where the lease had run out: somebody else may do it again, or did.

        Args:
            connection: of SQLAlchemy, in whose transaction this happens; where ``capabilities.transactional``. Who
                commits it calls :meth:`forget` then.
        """
        ...

    def forget(self, leases: Sequence[Lease]) -> None:
        """Delete the pictures that acknowledged events left with the blob store; :meth:`ack` does it by itself, except
        in the transaction of somebody else, which may still fail."""
        ...

    def nack(self, leases: Sequence[Lease], reason: str, *, dead: bool = False) -> list[bool]:
        """They failed: claimable again after a backoff, dead after ``settings.attempts`` or where ``dead``."""
        ...

    def release(self, leases: Sequence[Lease]) -> list[bool]:
        """Give back unworked, at once claimable; does not count as an attempt where the engine can take it back."""
        ...

    def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """A whole ``settings.lease_s`` from now. False where a lease had run out."""
        ...

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, the oldest first."""
        ...

    def replay(self, event_ids: Collection[str] | None = None) -> int:
        """Dead letters wait again, with all their attempts; None: all that are messages. Returns how many."""
        ...

    def drop_dead(self, event_ids: Collection[str] | None = None, *, older_s: float = 0.0,
                  choose: Choose | None = None) -> int:  # fmt: skip
        """Delete dead letters for good: the message, the pictures in it, and those that it left with the blob store.
        They count as erased. All that is given must hold.

        Args:
            event_ids: only these; None: any.
            older_s: only what died at least so many seconds ago.
            choose: only letters for which it says so; it is asked last.

        Returns:
            How many.
        """
        ...

    def erase(self, people: Collection[str]) -> int:
        """Take out all events of these people (:attr:`DescribeRequest.person`), dead letters too. How many."""
        ...

    def stats(self) -> QueueStats:
        """Depth and counters."""
        ...

    def close(self) -> None:
        """Let go of connections. What is still leased comes back by itself."""
        ...


def is_update(request: DescribeRequest) -> bool:
    """Whether it may be superseded or shed: an update that is not final."""
    return request.trigger == "track_update" and not request.final
