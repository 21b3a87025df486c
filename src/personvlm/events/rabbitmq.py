"""A queue in RabbitMQ: one quorum queue per trigger, dead letters, and retries through queues with a time to live.

What RabbitMQ cannot do, and what happens instead (:class:`personvlm.events.port.Capabilities`): it knows no lease, an
event comes back when the connection of its claimer ends, and is dead after four times ``attempts`` deliveries; it does
not look into messages, so that nothing is deduplicated, updates are superseded among those that one process holds, and
a full queue refuses; it counts nothing, so that counters are those of this process.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, decode
from personvlm.events.polling import Left, PollingQueue, left_by, left_by_bytes
from personvlm.events.port import (
    COUNTERS,
    LANES,
    Capabilities,
    Choose,
    DeadLetter,
    Lease,
    PutResult,
    QueueSettings,
    QueueStats,
    is_update,
)
from personvlm.events.rabbitmq_link import Link, Sent
from personvlm.schema.events import DescribeRequest

_NOWHERE = Sent("", b"")


@dataclass(eq=False)
class _Held:
    """A message that the broker gave us. ``open`` until it is settled, or its channel is gone."""

    message: Any
    request: DescribeRequest
    failures: int
    open: bool = True


class RabbitQueue(PollingQueue):
    """See :class:`personvlm.events.port.Queue`. A thread of its own talks to the broker.

    Args:
        url: ``amqp://user:password@host/vhost?queue=NAME``.
        prefetch: messages of one trigger that the broker gives ahead of claims.
    """

    capabilities = Capabilities(deduplicates=False, coalesces=False, sheds=False, leases=False, counts=False,
                                erases=False)  # fmt: skip

    def __init__(self, url: str, settings: QueueSettings | None = None, blobs: Blobs | None = None, *,
                 prefetch: int = 32) -> None:  # fmt: skip
        super().__init__(settings, blobs)
        self._arrived = threading.Condition()
        self._waiting: dict[str, deque[_Held]] = {lane: deque() for lane in LANES}
        self._held: set[_Held] = set()
        self._broken: list[tuple[Any, str]] = []
        self._counts: Counter[str] = Counter()
        self._link = Link(url, self.settings, prefetch, self._arrive, self._lost)
        self._link.call(self._link.ready())

    def _put_all(self, items: Sequence[tuple[DescribeRequest, bytes]], end: float) -> list[PutResult | None]:
        results: list[PutResult | None] = [None] * len(items)
        while True:
            left = [index for index, result in enumerate(results) if result is None]
            sent = self._link.call(self._link.publish([Sent(items[i][0].trigger, items[i][1]) for i in left]))
            for index, done in zip(left, sent, strict=True):
                if done:
                    results[index] = "accepted"
                elif is_update(items[index][0]):
                    results[index] = "shed"
                    self._counts["shed"] += 1
                self._counts["accepted"] += results[index] is not None
            if None not in results or time.monotonic() >= end:
                return results
            time.sleep(0.05)

    def _put(self, items: Sequence[tuple[DescribeRequest, bytes]]) -> list[PutResult]:
        raise NotImplementedError("_put_all is its own")

    def _rest(self, seconds: float) -> None:
        with self._arrived:
            if not any(self._waiting.values()):
                self._arrived.wait(seconds)

    # What the link calls, in its thread.

    def _arrive(self, lane: str, message: Any) -> None:
        try:
            request = decode(message.body)
        except InputError as error:
            with self._arrived:
                self._broken.append((message, str(error)))
                self._arrived.notify_all()
            return
        with self._arrived:
            self._waiting[lane].append(_Held(message, request, _count(message.headers.get("failures"))))
            self._arrived.notify_all()

    def _lost(self) -> None:
        """The channel is gone: the broker gives everything to somebody else."""
        with self._arrived:
            for held in [*self._held, *(each for lane in self._waiting.values() for each in lane)]:
                held.open = False
            self._held.clear()
            self._broken.clear()
            for lane in self._waiting.values():
                lane.clear()

    def _claim(self, count: int) -> list[Lease]:
        self._link.call(self._link.consume())
        with self._arrived:
            broken, self._broken = self._broken, []
            stale = self._coalesce()
            taken: list[_Held] = []
            for lane in self._waiting.values():  # in the order of their urgency
                while lane and len(taken) < count:
                    taken.append(lane.popleft())
            self._held.update(taken)
        for message, reason in broken:
            self._counts["accepted"] += 1
            self._link.call(self._link.move(message, Sent("dead", message.body, _buried(reason, 1))))
        if stale:
            self._link.call(self._link.ack([held.message for held in stale]))
            self._unshelve({name: person for held in stale for name, person in left_by(held.request).items()})
        return [Lease(held.request, held.failures + 1, held) for held in taken]

    def _coalesce(self) -> list[_Held]:
        """Take out updates of which a newer one of the same person waits here too."""
        lane = self._waiting["track_update"]
        newest: dict[str, int] = {}
        for held in lane:
            person = held.request.person
            newest[person] = max(newest.get(person, 0), held.request.revision)
        stale = [held for held in lane
                 if is_update(held.request) and held.request.revision < newest[held.request.person]]  # fmt: skip
        for held in stale:
            lane.remove(held)
        self._counts["superseded"] += len(stale)
        return stale

    def _settle(self, leases: Sequence[Lease]) -> tuple[list[bool], list[_Held]]:
        """Which are still ours, and from now on are no longer."""
        ours: list[bool] = []
        with self._arrived:
            for lease in leases:
                held: _Held = lease.token
                ours.append(held.open)
                held.open = False
                self._held.discard(held)
        return ours, [lease.token for lease, mine in zip(leases, ours, strict=True) if mine]

    def _ack(self, leases: Sequence[Lease], connection: Any) -> list[bool]:
        ours, held = self._settle(leases)
        if held:
            self._link.call(self._link.ack([each.message for each in held]))
            self._counts["acked"] += len(held)
        return ours

    def _used(self, left: Left) -> Collection[str]:
        # What the broker has, and what it gave to others, cannot be asked for: a copy of an event that was put twice.
        # Whoever gets that finds its picture gone, and the event in the store.
        with self._arrived:
            held = [*self._held, *(each for lane in self._waiting.values() for each in lane)]
        return {name for each in held for name in left_by(each.request)}

    def nack(self, leases: Sequence[Lease], reason: str, *, dead: bool = False) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        ours, held = self._settle(leases)
        for each in held:
            failures = each.failures + 1
            if dead or failures >= self.settings.attempts:
                sent = Sent("dead", each.message.body, _buried(reason, failures))
            else:
                sent = Sent(each.request.trigger, each.message.body, {"failures": failures, "reason": reason},
                            retry=failures, wait_s=self.settings.backoff(failures))  # fmt: skip
            self._link.call(self._link.move(each.message, sent))
        return ours

    def release(self, leases: Sequence[Lease]) -> list[bool]:
        """See :class:`personvlm.events.port.Queue`."""
        ours, held = self._settle(leases)
        if held:
            self._link.call(self._link.requeue([each.message for each in held]))
        return ours

    def extend(self, leases: Sequence[Lease]) -> list[bool]:
        """Nothing to do: they are ours while the connection lasts."""
        with self._arrived:
            return [lease.token.open for lease in leases]

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """See :class:`personvlm.events.port.Queue`."""
        letters: list[DeadLetter] = []

        def look(message: Any) -> None:
            letters.append(_letter(message))

        self._link.call(self._link.turn("dead", look, limit))
        return letters

    def replay(self, event_ids: Collection[str] | None = None) -> int:
        """See :class:`personvlm.events.port.Queue`."""

        def choose(message: Any) -> Sent | None:
            with contextlib.suppress(InputError):
                request = decode(message.body)
                if event_ids is None or request.event_id in event_ids:
                    return Sent(request.trigger, message.body)
            return None

        return self._link.call(self._link.turn("dead", choose))

    def _drop_dead(self, chosen: Choose, event_ids: Collection[str] | None) -> int:
        def choose(message: Any) -> Sent | None:
            return _NOWHERE if chosen(_letter(message)) else None

        gone = self._link.call(self._link.turn("dead", choose))
        self._counts["erased"] += gone
        return gone

    def erase(self, people: Collection[str]) -> int:
        """See :class:`personvlm.events.port.Queue`. What another process holds is not reached; files of the broker
        keep what was deleted until it compacts them, so pictures should go by reference (``inline=0``)."""
        wanted = set(people)
        bodies: list[bytes] = []

        def choose(message: Any) -> Sent | None:
            with contextlib.suppress(InputError):
                if decode(message.body).person in wanted:
                    bodies.append(message.body)
                    return _NOWHERE
            return None

        with self._arrived:
            mine = []
            for lane in self._waiting.values():  # another program may put an event where its trigger does not belong
                theirs = [held for held in lane if held.request.person in wanted]
                for held in theirs:
                    lane.remove(held)
                mine += theirs
        self._link.call(self._link.ack([held.message for held in mine]))
        bodies += [held.message.body for held in mine]
        gone = len(mine) + sum(self._link.call(self._link.turn(name, choose)) for name in (*LANES, "dead"))
        self._delete({name for body in bodies for name in left_by_bytes(body)})
        self._counts["erased"] += gone
        return gone

    def stats(self) -> QueueStats:
        """Waiting: what the broker has ready (``delayed``: what waits out a backoff) and what it gave us ahead.
        Leased: by this process."""
        counts = self._link.call(self._link.counts())
        with self._arrived:
            ahead = {lane: len(held) for lane, held in self._waiting.items()}
            oldest = min((held.message.timestamp.timestamp() for lane in self._waiting.values() for held in lane
                          if held.message.timestamp), default=None)  # fmt: skip
            leased = len(self._held)
        dead = counts.pop("dead")
        waiting = {name: count + ahead.get(name, 0) for name, count in counts.items()}
        counted = {name: self._counts[name] for name in COUNTERS}
        return QueueStats(waiting=waiting, leased=leased, dead=dead,
                          oldest_s=0.0 if oldest is None else max(0.0, time.time() - oldest), **counted)  # fmt: skip

    def put_raw(self, payload: bytes) -> None:
        """Publish bytes as another program would: to the exchange NAME with the routing key ``new_track``."""
        self._link.call(self._link.publish([Sent("new_track", payload)]))

    def drop(self) -> None:
        """Delete the queues and everything in them."""
        self._link.call(self._link.drop())

    def close(self) -> None:
        """See :class:`personvlm.events.port.Queue`."""
        self._link.close()
        self._lost()


def _buried(reason: str, attempts: int) -> dict[str, Any]:
    # As text: AMQP's short float, which a number would become, is a minute off.
    return {"reason": reason, "attempts": attempts, "died_at": repr(time.time())}


def _count(given: Any) -> int:
    """A number of attempts from a header, in which another program may have written anything."""
    return given if isinstance(given, int) and given > 0 else 0


def _moment(given: Any) -> float | None:
    """Seconds since the epoch, as we write them; None for what somebody else wrote."""
    try:
        found = float(given) if isinstance(given, str) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _letter(message: Any) -> DeadLetter:
    headers = message.headers
    reason, attempts, died_at = headers.get("reason"), headers.get("attempts"), _moment(headers.get("died_at"))
    if died_at is None:  # the broker's own doing
        deaths = headers.get("x-death")
        death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
        attempts = headers.get("x-delivery-count")
        before = f"; before that: {reason}" if reason else ""
        why = death.get("reason")
        reason = f"delivered {_count(attempts)} times and never finished: its workers crashed ({why}){before}"
        when = death.get("time")
        died_at = when.timestamp() if isinstance(when, datetime) else 0.0
    try:
        event_id = decode(message.body).event_id
    except InputError:
        event_id = f"raw-{message.message_id}"
    return DeadLetter(event_id, str(reason), message.body, _count(attempts), died_at)
